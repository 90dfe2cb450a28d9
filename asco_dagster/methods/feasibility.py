"""Which margins stand in the way when calibration finds no weights.

Belongs here: the elastic linear programme that names margins that cannot be met within bounds, and the
sentence about them. Does not belong here: calibration itself.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from asco_dagster.errors import EstimationError


class UnmetMargin(NamedTuple):
    """A margin that no weights within the bounds can meet together with the others.

    Attributes:
        name: name of the margin.
        wanted: its known total.
        reachable: the nearest total in the least violation of all margins.
    """

    name: str
    wanted: float
    reachable: float


def unmet_margins(
    weights: np.ndarray,
    x: np.ndarray,
    totals: np.ndarray,
    bounds: tuple[float, float],
    names: Sequence[str],
) -> list[UnmetMargin]:
    """Name the margins that weight ratios within bounds cannot meet.

    Solves ``min Σ_j (p_j + q_j)`` subject to ``Σ_i w_i g_i x_ij / s_j + p_j − q_j = t_j / s_j`` and
    ``low ≤ g_i ≤ high`` with HiGHS, where ``s_j = Σ w |x_j| + |t_j|`` makes margins comparable. The margins
    with a positive slack are the ones in the way: correcting them is the least that must be corrected.

    Args:
        weights: initial weights, shape (n,).
        x: calibration variables, shape (n, p).
        totals: known totals, shape (p,).
        bounds: lowest and highest weight ratio; an infinite bound is none.
        names: names of the margins.

    Returns:
        The unmet margins, the worst first; empty when all can be met.

    Raises:
        EstimationError: HiGHS did not solve the programme.

    Source: Chinneck, *Feasibility and Infeasibility in Optimization* (2008), chapter 6 (elastic programmes).
    """
    scale = weights @ np.abs(x) + np.abs(totals)
    scale = np.where(scale > 0, scale, 1.0)
    ratios = _elastic_optimum((weights[:, None] * x) / scale, totals / scale, bounds)
    reached = (weights * ratios) @ x
    gap = np.abs(reached - totals) / scale
    order = [int(j) for j in np.argsort(-gap, kind="stable") if gap[j] > 1e-7]
    return [UnmetMargin(names[j], float(totals[j]), float(reached[j])) for j in order]


def describe_unmet(unmet: Sequence[UnmetMargin], bounds: tuple[float, float], *, most: int = 10) -> str:
    """The unmet margins as one clause of an error.

    Args:
        unmet: as :func:`unmet_margins` gives them.
        bounds: the bounds they were sought within.
        most: number of margins named in full.

    Returns:
        A clause without full stop.
    """
    span = f"weight ratios between {bounds[0]:g} and {bounds[1]:g}"
    if not unmet:
        return f"{span} can meet every margin, but the method did not reach them"
    listed = ", ".join(f"{m.name} (wanted {m.wanted:g}, reachable {m.reachable:g})" for m in unmet[:most])
    rest = f" and {len(unmet) - most} more" if len(unmet) > most else ""
    return f"with {span}, {len(unmet)} margins cannot be met: {listed}{rest}"


def _elastic_optimum(rows: np.ndarray, totals: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    """Weight ratios with the least sum of slacks; ``rows`` has shape (n, p), one column per margin."""
    import highspy

    n, p = rows.shape
    infinity = highspy.kHighsInf
    programme = highspy.HighsLp()
    programme.num_col_, programme.num_row_ = n + 2 * p, p
    programme.col_cost_ = np.concatenate([np.zeros(n), np.ones(2 * p)])
    low, high = np.clip(bounds, -infinity, infinity)
    programme.col_lower_ = np.concatenate([np.full(n, low), np.zeros(2 * p)])
    programme.col_upper_ = np.concatenate([np.full(n, high), np.full(2 * p, infinity)])
    programme.row_lower_ = programme.row_upper_ = totals
    matrix = np.vstack([rows, np.eye(p), -np.eye(p)])
    unit, margin = np.nonzero(matrix)
    programme.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    programme.a_matrix_.start_ = np.searchsorted(unit, np.arange(n + 2 * p + 1)).astype(np.int32)
    programme.a_matrix_.index_ = margin.astype(np.int32)
    programme.a_matrix_.value_ = matrix[unit, margin]
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.passModel(programme)
    solver.run()
    status = solver.getModelStatus()
    if status != highspy.HighsModelStatus.kOptimal:
        raise EstimationError(
            f"the diagnosis of the margins ended with “{solver.modelStatusToString(status)}”",
            expected="an optimal elastic programme",
        )
    return np.asarray(solver.getSolution().col_value)[:n]
