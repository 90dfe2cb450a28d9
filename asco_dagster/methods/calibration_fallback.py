"""Calibration that bends before it breaks, and writes down how.

Belongs here: the order of concessions (collinear margins, then wider bounds) and their log. Does not belong
here: the calibration equations (``calibration``), or any concession that a wave file does not allow.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from asco_dagster.errors import EstimationError
from asco_dagster.methods.calibration import RATIO_LIMITS, BoundsError, CalibrationResult, calibrate
from asco_dagster.methods.calibration_distances import Bounds, CalibrationMethod

LOG_COLUMNS = ["step", "action", "detail", "bound_low", "bound_high"]


def calibrate_with_fallback(
    initial_weights: np.ndarray,
    x: np.ndarray,
    totals: np.ndarray,
    *,
    method: CalibrationMethod,
    bounds: Bounds,
    bounds_limits: Bounds,
    names: Sequence[str],
    steps: int = 5,
    tolerance: float = 1e-11,
) -> tuple[CalibrationResult, pd.DataFrame]:
    """Calibrate within bounds, widened step by step as far as the limits allow.

    The order: collinear margins are left out (they stay met) and named; the method is tried within the
    bounds asked for; then within bounds that widen in ``steps`` equal steps towards the limits.

    Args:
        initial_weights: positive weights, shape (n,).
        x: calibration variables, shape (n, p).
        totals: known totals, shape (p,).
        method: as for :func:`~asco_dagster.methods.calibration.calibrate`.
        bounds: lowest and highest weight ratio asked for.
        bounds_limits: the widest bounds allowed.
        names: names of the margins.
        steps: number of widenings.
        tolerance: as for ``calibrate``.

    Returns:
        The result, and the log with one row per step: ``step``, ``action`` (``calibrated``,
        ``dropped_collinear``, ``widened_bounds``), ``detail``, ``bound_low``, ``bound_high``.

    Raises:
        EstimationError: margins that cannot be met within the limits (listed), or the errors of ``calibrate``
            that wider bounds do not fix.
    """
    limits = _checked_limits(bounds, bounds_limits)
    log: list[tuple[str, str, float, float]] = []
    for step in range(steps + 1):
        share = step / steps if steps else 1.0
        current = tuple(b + (limit - b) * share for b, limit in zip(bounds, limits, strict=True))
        within: Bounds = (current[0], current[1])
        result = _attempt(initial_weights, x, totals, method, within, names, tolerance, log)
        if result is not None:
            return result, _log_table(log, result)
        if within == limits:
            break
    raise EstimationError(
        f"{method} calibration failed within the widest bounds allowed: {log[-1][1].rstrip('.')}",
        remedy="Correct or merge the margins named, or allow wider bounds in the wave file",
    )


def _checked_limits(bounds: Bounds, limits: Bounds) -> Bounds:
    """The limits, after checking that they enclose the bounds."""
    if not (np.isfinite([*bounds, *limits]).all() and limits[0] <= bounds[0] < 1 < bounds[1] <= limits[1]):
        raise EstimationError(
            f"the bounds {bounds[0]:g} to {bounds[1]:g} and their limits {limits[0]:g} to {limits[1]:g} "
            "do not fit together",
            expected="finite limits around the bounds, and bounds around 1",
        )
    return limits


def _attempt(
    initial_weights: np.ndarray,
    x: np.ndarray,
    totals: np.ndarray,
    method: CalibrationMethod,
    bounds: Bounds,
    names: Sequence[str],
    tolerance: float,
    log: list[tuple[str, str, float, float]],
) -> CalibrationResult | None:
    """One try; a failure is written to the log, for wider bounds may still fix it."""
    try:
        # The bounds are the guard here: they come from the wave file.
        guard = (min(RATIO_LIMITS[0], bounds[0]), max(RATIO_LIMITS[1], bounds[1]))
        return calibrate(
            initial_weights,
            x,
            totals,
            method=method,
            bounds=bounds,
            names=names,
            tolerance=tolerance,
            ratio_limits=guard,
        )
    except BoundsError as error:
        log.append(("widened_bounds", error.what, *bounds))
        return None


def _log_table(log: list[tuple[str, str, float, float]], result: CalibrationResult) -> pd.DataFrame:
    """The log with what the successful step did."""
    rows = list(log)
    if result.dropped:
        rows.append(("dropped_collinear", ", ".join(result.dropped), *result.bounds))
    detail = (
        f"{result.method} in {result.iterations} iterations, weight ratios "
        f"{result.g_ratios.min():.4g} to {result.g_ratios.max():.4g}"
    )
    rows.append(("calibrated", detail, *result.bounds))
    return pd.DataFrame(
        [(number, *row) for number, row in enumerate(rows, start=1)], columns=pd.Index(LOG_COLUMNS)
    )
