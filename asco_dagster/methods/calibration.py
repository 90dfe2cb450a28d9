"""Calibration of weights on known margins (Deville & Särndal 1992), post-stratification included.

Belongs here: solving the calibration equations, naming collinear margins, refusing weights that went astray.
Does not belong here: building the margins (``margins``), diagnosing margins that cannot be met
(``feasibility``), deciding what to do when calibration fails (``calibration_fallback``).

Own code although libraries exist: ``pycarus`` agrees with R to 6e-12 but imports matplotlib and seaborn
(3.7 s a start) and fails on infeasible margins without saying which; ``svy`` and ``samplics`` rake on
categories only, break on collinear margins or ignore bounds silently. The equations are one Newton iteration.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse  # type: ignore[import-untyped]

from asco_dagster.errors import EstimationError
from asco_dagster.methods.calibration_distances import (
    UNBOUNDED,
    Bounds,
    CalibrationMethod,
    Distance,
    distance_function,
)
from asco_dagster.methods.collinear_margins import independent_margins, require_consistent
from asco_dagster.methods.feasibility import describe_unmet, unmet_margins

RATIO_LIMITS: Bounds = (0.05, 20.0)
"""Weight ratios beyond these are refused even from unbounded methods: they mean an absurd margin."""


class BoundsError(EstimationError):
    """No weights within the bounds meet the margins; wider bounds might."""


@dataclass(frozen=True)
class CalibrationResult:
    """Calibrated weights and how they were reached.

    Attributes:
        weights: calibrated weights, shape (n,).
        g_ratios: calibrated over initial weight, shape (n,).
        iterations: Newton steps made.
        method: method used.
        bounds: bounds on the ratio used.
        dropped: names of margins left out because the others imply them; they are met all the same.
        distance: Σ w·G(g), what calibration minimised.
    """

    weights: np.ndarray
    g_ratios: np.ndarray
    iterations: int
    method: str
    bounds: Bounds
    dropped: tuple[str, ...]
    distance: float


def calibrate(
    initial_weights: np.ndarray,
    x: np.ndarray | sparse.csr_array,
    totals: np.ndarray,
    *,
    method: CalibrationMethod = "linear",
    bounds: Bounds | None = None,
    names: Sequence[str],
    tolerance: float = 1e-11,
    ratio_limits: Bounds = RATIO_LIMITS,
    maximum_iterations: int = 60,
) -> CalibrationResult:
    """Find the weights nearest to the initial ones that meet the margins.

    Solves ``Σ_i w_i F(x_i'λ) x_i = t`` for λ by Newton's method with step halving on the convex dual, on the
    columns that are linearly independent. Post-stratification is the linear method on disjoint counts.

    Args:
        initial_weights: positive weights, shape (n,).
        x: calibration variables of each respondent, shape (n, p); sparse ones stay so, since a respondent
            counts in as many margins as there are families of them.
        totals: known totals of the variables, shape (p,).
        method: ``linear``, ``raking`` or ``logit``.
        bounds: lowest and highest weight ratio; none means unbounded (not for ``logit``).
        names: names of the margins, in the order of the columns.
        tolerance: a margin is met when ``|Σ w x − t| ≤ tolerance·(1 + |t|)``.
        ratio_limits: ratios that no method may pass.
        maximum_iterations: Newton steps before giving up.

    Returns:
        The result; the margins are met within the tolerance.

    Raises:
        BoundsError: the margins cannot be met within the bounds; the error lists them.
        EstimationError: shapes or values are wrong; a collinear margin contradicts the others; a ratio
            passes its limits.

    Source: Deville & Särndal, JASA 87 (1992), sections 2 and 3; Sautory, *La macro Calmar* (INSEE 1993).
    """
    weights, x, totals = _checked_inputs(initial_weights, x, totals, names)
    used: Bounds = UNBOUNDED if bounds is None else (float(bounds[0]), float(bounds[1]))
    function = distance_function(method, used)
    kept = independent_margins(weights, x)
    dropped = tuple(names[j] for j in range(len(names)) if j not in set(kept.tolist()))
    require_consistent(weights, x, totals, kept, names)
    ratios, iterations = _newton(weights, x[:, kept], totals[kept], function, tolerance, maximum_iterations)
    if ratios is None:
        within = (max(used[0], ratio_limits[0]), min(used[1], ratio_limits[1]))
        unmet = unmet_margins(weights, x[:, kept].toarray(), totals[kept], within, [names[j] for j in kept])
        raise BoundsError(
            f"{method} calibration found no weights: {describe_unmet(unmet, within)}",
            remedy="Widen the bounds, or merge or correct the margins named",
        )
    _check_ratios(weights, x[:, kept], totals[kept], ratios, ratio_limits, [names[j] for j in kept])
    cost = float(np.sum(weights * function.cost(ratios)))
    return CalibrationResult(weights * ratios, ratios, iterations, method, used, dropped, cost)


def _checked_inputs(
    weights: np.ndarray, x: np.ndarray | sparse.csr_array, totals: np.ndarray, names: Sequence[str]
) -> tuple[np.ndarray, sparse.csr_array, np.ndarray]:
    """The inputs as float arrays, after the checks on shapes and values."""
    weights = np.asarray(weights, dtype=float)
    x = sparse.csr_array(x, dtype=float)
    totals = np.asarray(totals, dtype=float)
    if weights.shape != x.shape[:1] or totals.shape != x.shape[1:] or len(names) != x.shape[1]:
        raise EstimationError(
            f"{weights.shape} weights, {x.shape} variables, {totals.shape} totals and {len(names)} names "
            "do not fit together",
            expected="n weights, n × p variables, p totals and p names",
        )
    if not len(weights) or not np.isfinite(weights).all() or (weights <= 0).any():
        raise EstimationError("an initial weight is missing or not positive, or there is none at all")
    bad = ~np.isfinite(totals)
    bad[x.indices[~np.isfinite(x.data)]] = True
    if bad.any():
        raise EstimationError(f"margin {names[int(np.argmax(bad))]} has a missing or infinite value")
    return weights, x, totals


def _newton(
    weights: np.ndarray,
    x: sparse.csr_array,
    totals: np.ndarray,
    function: Distance,
    tolerance: float,
    maximum: int,
) -> tuple[np.ndarray | None, int]:
    """Weight ratios that meet the margins and the number of steps; no ratios when none were found."""
    scale = np.sqrt(weights @ x.power(2)) + 1e-300
    scaled, wanted = x * (1 / scale), totals / scale
    allowed = tolerance * (1 + np.abs(totals)) / scale
    multiplier = np.zeros(x.shape[1])
    predictor = scaled @ multiplier
    for step in range(maximum + 1):
        misfit = wanted - (weights * function.ratio(predictor)) @ scaled
        if (np.abs(misfit) <= allowed).all():
            return function.ratio(predictor), step
        curvature = (scaled.T @ (scaled * (weights * function.slope(predictor))[:, None])).toarray()
        direction = np.linalg.lstsq(curvature, misfit, rcond=1e-13)[0]
        size = _step_size(weights, scaled, wanted, function, predictor, misfit, direction)
        if size == 0.0:
            break
        multiplier = multiplier + size * direction
        predictor = scaled @ multiplier
    return None, maximum


def _step_size(
    weights: np.ndarray,
    x: sparse.csr_array,
    totals: np.ndarray,
    function: Distance,
    predictor: np.ndarray,
    misfit: np.ndarray,
    direction: np.ndarray,
) -> float:
    """Largest halving of the Newton step that improves the dual objective or the misfit; 0 when none does."""
    along, gain = x @ direction, totals @ direction
    start, slope = np.sum(weights * function.integral(predictor)), misfit @ direction
    size = 1.0
    for _ in range(40):
        trial = predictor + size * along
        with np.errstate(over="ignore", invalid="ignore"):
            change = np.sum(weights * function.integral(trial)) - start - size * gain
            left = np.abs(totals - (weights * function.ratio(trial)) @ x).max()
        # Next to the solution the objective no longer moves in floating point; the misfit still does.
        if change <= -1e-4 * size * slope or left < 0.9 * np.abs(misfit).max():
            return size
        size /= 2
    return 0.0


def _check_ratios(
    weights: np.ndarray,
    x: sparse.csr_array,
    totals: np.ndarray,
    ratios: np.ndarray,
    limits: Bounds,
    names: Sequence[str],
) -> None:
    """Refuse weights that meet their margins at an absurd price."""
    if limits[0] <= ratios.min() and ratios.max() <= limits[1]:
        return
    unmet = unmet_margins(weights, x.toarray(), totals, limits, names)
    raise EstimationError(
        f"calibration multiplies weights by {ratios.min():.3g} to {ratios.max():.3g}: "
        f"{describe_unmet(unmet, limits)}",
        expected=f"ratios between {limits[0]:g} and {limits[1]:g}",
        remedy="Correct the margins, or use a bounded method",
    )
