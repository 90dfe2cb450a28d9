"""Distance functions of calibration: how far a weight may go from its initial value, and at what price.

Belongs here: the function F that turns a linear predictor u into a weight ratio g = F(u), its derivative and
its integral. Does not belong here: the equations solved with them (``calibration``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from asco_dagster.errors import EstimationError

CalibrationMethod = Literal["linear", "raking", "logit"]
Bounds = tuple[float, float]
Curve = Callable[[np.ndarray], np.ndarray]

UNBOUNDED: Bounds = (-np.inf, np.inf)


@dataclass(frozen=True)
class Distance:
    """One distance of Deville & Särndal (1992), table 1.

    Attributes:
        ratio: F, with F(0) = 1 and F'(0) = 1: weight ratio for a linear predictor.
        slope: F'.
        integral: a primitive of F; the calibration equations are the gradient of its weighted sum.
        cost: G(g), the distance of a ratio from 1, so that Σ w·G(g) is what calibration minimises.
    """

    ratio: Curve
    slope: Curve
    integral: Curve
    cost: Curve


def distance_function(method: CalibrationMethod, bounds: Bounds) -> Distance:
    """The distance function of a method.

    Args:
        method: ``linear``, ``raking`` (exponential) or ``logit``.
        bounds: lowest and highest weight ratio. With ``linear`` and ``raking`` infinite bounds mean the
            classical method, finite ones its truncated form; ``logit`` needs finite bounds.

    Returns:
        The distance.

    Raises:
        EstimationError: the bounds do not enclose 1, or the method is unknown or needs bounds.

    Source: Deville & Särndal, "Calibration estimators in survey sampling", JASA 87 (1992), cases 1, 2, 6, 7.
    """
    low, high = bounds
    if not low < 1 < high:
        raise EstimationError(f"calibration bounds {low:g} to {high:g} do not enclose 1")
    if method == "linear":
        return _linear(low, high)
    if method == "raking":
        return _raking(low, high)
    if method != "logit":
        raise EstimationError(f"calibration method “{method}” is unknown", expected="linear, raking or logit")
    if not np.isfinite([low, high]).all():
        raise EstimationError("logit calibration has no bounds", remedy="Give the lowest and highest ratio")
    return _logit(low, high)


def _linear(low: float, high: float) -> Distance:
    """Chi-squared distance; truncated where bounds are finite."""

    def integral(u: np.ndarray) -> np.ndarray:
        inside = np.clip(u, low - 1, high - 1)
        return u + inside * (u - inside / 2)

    return Distance(
        ratio=lambda u: np.clip(1 + u, low, high),
        slope=lambda u: ((1 + u >= low) & (1 + u <= high)).astype(float),
        integral=integral,
        cost=lambda g: (g - 1) ** 2 / 2,
    )


def _raking(low: float, high: float) -> Distance:
    """Exponential distance (generalised raking ratio); truncated where bounds are finite."""
    floor = np.log(low) if low > 0 else -np.inf
    ceiling = np.log(high)

    def ratio(u: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.exp(np.clip(u, floor, ceiling))

    def integral(u: np.ndarray) -> np.ndarray:
        inside = np.clip(u, floor, ceiling)
        return ratio(u) * (1 + (u - inside))

    return Distance(
        ratio=ratio,
        slope=lambda u: ratio(u) * ((u >= floor) & (u <= ceiling)),
        integral=integral,
        cost=lambda g: _x_log_x(g) - g + 1,
    )


def _logit(low: float, high: float) -> Distance:
    """Logit distance: the ratio stays strictly between its bounds."""
    steepness = (high - low) / ((1 - low) * (high - 1))
    shift = np.log((1 - low) / (high - 1))

    def position(u: np.ndarray) -> np.ndarray:
        return np.exp(-np.logaddexp(0.0, -(steepness * u + shift)))

    return Distance(
        ratio=lambda u: low + (high - low) * position(u),
        slope=lambda u: (high - low) * steepness * position(u) * (1 - position(u)),
        integral=lambda u: low * u + (high - low) / steepness * np.logaddexp(0.0, steepness * u + shift),
        cost=lambda g: (
            (_x_log_x((g - low) / (1 - low)) * (1 - low) + _x_log_x((high - g) / (high - 1)) * (high - 1))
            / steepness
        ),
    )


def _x_log_x(x: np.ndarray) -> np.ndarray:
    """``x·log x``, 0 at 0."""
    safe = np.where(x > 0, x, 1.0)
    return safe * np.log(safe) * (x > 0)
