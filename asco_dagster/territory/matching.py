"""Which commune a part was counted in, from populations alone.

A commune that absorbed others, or from which others were split off, has another population in two files than
its growth explains.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

REMARKABLE = 2.5
"""Standard deviations of growth from which a gap asks for an explanation, and within which it has one."""

RENAMED = 1.0
"""The same for a commune that has another name in the other file, as those that absorb others mostly do."""

EVIDENCE = 0.5
"""Standard deviations by which a gap must shrink for a part to be placed there."""

SAME_VINTAGE = 0.5
"""Share of equal populations from which two files are of one vintage; then parts fit to the inhabitant."""

_SMALLEST = 200
"""Inhabitants from which growth is measured; below, a family that moves weighs too much."""


@dataclass(frozen=True)
class Growth:
    """How much populations of unchanged communes differ between two files.

    Attributes:
        rate: median relative difference.
        spread: its standard deviation, robustly (1.4826 times the median absolute deviation).
        exact: whether the files are of one vintage.
    """

    rate: float
    spread: float
    exact: bool

    @classmethod
    def between(cls, before: pd.Series, after: pd.Series) -> "Growth":
        """Growth of n communes from one file to another."""
        if not len(before) or (before == after).mean() >= SAME_VINTAGE:
            return cls(0.0, 0.0, True)
        large = before >= min(_SMALLEST, before.median())
        relative = (after[large] / before[large].clip(lower=1)) - 1
        rate = float(relative.median())
        return cls(rate, 1.4826 * float((relative - rate).abs().median()), False)

    def deviation(self, population: pd.Series) -> pd.Series:
        """Standard deviation, in inhabitants, of the growth of communes of these populations."""
        if self.exact:
            return pd.Series(0.1, index=population.index)
        return np.maximum(self.spread * population, 2 * np.sqrt(population.clip(lower=1)))


def match_parts(
    parts: pd.Series, gaps: pd.Series, deviations: pd.Series, *, remarkable: float = REMARKABLE
) -> dict[str, str]:
    """Place parts where they close gaps, as many as the populations speak for.

    Minimises the sum of what remains of the gaps, each in standard deviations, and ``EVIDENCE`` for each part
    that is placed: an integer programme (HiGHS through SciPy), exact also where a commune has several parts.

    Args:
        parts: population of each part, by code.
        gaps: inhabitants to explain of each candidate, by code, above 0.
        deviations: standard deviation of the growth of each candidate.
        remarkable: standard deviations from which a gap asks for an explanation.

    Returns:
        The candidate of each part that has one.
    """
    gaps = gaps[(gaps >= remarkable * deviations) & (gaps > 0)]
    if parts.empty or gaps.empty:
        return {}
    placed = _solve(parts, gaps, deviations[gaps.index])
    for whole in set(placed.values()):
        inside = [part for part, at in placed.items() if at == whole]
        if abs(gaps[whole] - parts[inside].sum()) > REMARKABLE * deviations[whole]:
            placed = {part: at for part, at in placed.items() if at != whole}
    return placed


def _solve(parts: pd.Series, gaps: pd.Series, deviations: pd.Series) -> dict[str, str]:
    """The placement of least cost: n x m choices and m remainders."""
    from scipy.optimize import Bounds, LinearConstraint, milp  # type: ignore[import-untyped]
    from scipy.sparse import csr_matrix, hstack, identity, kron, vstack  # type: ignore[import-untyped]

    n, m = len(parts), len(gaps)
    sizes = kron(csr_matrix(parts.to_numpy(dtype=float)), identity(m)).multiply(
        1 / deviations.to_numpy(dtype=float)[:, None]
    )
    scaled = (gaps / deviations).to_numpy(dtype=float)
    remainder = vstack([hstack([sizes, identity(m)]), hstack([-sizes, identity(m)])])
    once = hstack([kron(identity(n), np.ones((1, m))), csr_matrix((n, m))])
    found = milp(
        np.concatenate([np.full(n * m, EVIDENCE), np.ones(m)]),
        integrality=np.concatenate([np.ones(n * m), np.zeros(m)]),
        bounds=Bounds(0, np.concatenate([np.ones(n * m), np.full(m, np.inf)])),
        constraints=[
            LinearConstraint(remainder, lb=np.concatenate([scaled, -scaled])),
            LinearConstraint(once, ub=1),
        ],
        options={"time_limit": 10},
    )
    if found.x is None:
        return {}
    chosen = found.x[: n * m].reshape(n, m) > 0.5
    return {str(parts.index[i]): str(gaps.index[j]) for i, j in zip(*np.nonzero(chosen), strict=True)}
