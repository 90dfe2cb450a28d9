"""Confidence intervals of shares, totals and means.

From an estimate and its standard error to an interval; standard errors are made in ``precision`` and
``model_errors``.
"""

from statistics import NormalDist

import numpy as np
from scipy import special  # type: ignore[import-untyped]

CONFIDENCE = 0.95
EDGE = 1e-12
"""A share this near to 0 or 1 is 0 or 1: rounding of weighted sums leaves no less."""


def _quantile(confidence: float) -> float:
    """The two-sided normal quantile, 1.96 at 95 %."""
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def normal_interval(
    estimate: np.ndarray,
    standard_error: np.ndarray,
    confidence: float = CONFIDENCE,
    *,
    least: np.ndarray | float = -np.inf,
    most: np.ndarray | float = np.inf,
    degrees: np.ndarray | float = np.inf,
) -> tuple[np.ndarray, np.ndarray]:
    """``estimate ± z·standard error``, within what is possible; Student's at few degrees of freedom.

    Args:
        estimate: estimates, any shape.
        standard_error: their standard errors, same shape.
        confidence: coverage aimed at.
        least: smallest value that the target can have, for example 0 for a count, −1 for a difference of
            shares.
        most: largest value that the target can have.
        degrees: degrees of freedom that the standard error was estimated with.

    Returns:
        Lower and upper limits. Limits are never on the wrong side of the estimate: where the estimate
        itself is outside what is possible, its limit is the estimate.
    """
    quantile = np.where(
        np.isinf(degrees), _quantile(confidence), special.stdtrit(degrees, 0.5 + confidence / 2)
    )
    reach = quantile * standard_error
    low = np.maximum(estimate - reach, np.minimum(least, estimate))
    return low, np.minimum(estimate + reach, np.maximum(most, estimate))


def effective_size(share: np.ndarray, variance: np.ndarray, at_edge: np.ndarray) -> np.ndarray:
    """Size of the simple random sample (without finite population) that is as precise: ``p(1 − p)/V``.

    Args:
        share: estimated shares, any shape; NaN where there is none.
        variance: their variances; 0 means that nothing is left to chance.
        at_edge: the size used where the share is 0 or 1, since there V is 0 and says nothing.

    Returns:
        Effective sizes, infinite where V is 0 and the share is neither 0 nor 1.
    """
    inside = (share > EDGE) & (share < 1 - EDGE)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = share * (1 - share) / variance
    return np.where(inside, size, at_edge)


def share_interval(
    share: np.ndarray, size: np.ndarray, confidence: float = CONFIDENCE
) -> tuple[np.ndarray, np.ndarray]:
    """Wilson interval of a share at an effective sample size.

    ``(p + z²/2n* ± z·√(p(1 − p)/n* + z²/4n*²))/(1 + z²/n*)``: the shares whose own normal interval, at n*
    units, holds p. It never leaves [0, 1], is the mirror of itself for 1 − p, and unlike the logit interval
    does not explode for a share near 0 or 1 whose error comes from a model rather than from the answers.
    An infinite effective size (every unit of the domain answered) gives a point.

    Args:
        share: estimated shares, any shape; NaN where there is none.
        size: effective sample sizes n*, positive.
        confidence: coverage aimed at.

    Returns:
        Lower and upper limits.

    Source: Wilson, JASA 22 (1927); for complex samples with n* = p(1 − p)/V, Dean & Pagano, "Evaluating
    confidence interval methods for binomial proportions in clustered surveys", Journal of Survey Statistics
    and Methodology 3 (2015); Franco, Little, Louis & Slud, the same journal 7 (2019).
    """
    squared = _quantile(confidence) ** 2
    with np.errstate(divide="ignore"):
        room = squared / np.asarray(size, dtype=float)  # z²/n*
    reach = np.sqrt(room * (share * (1 - share) + room / 4))
    low, high = (share + room / 2 - reach) / (1 + room), (share + room / 2 + reach) / (1 + room)
    # At 0 and 1 the limits are exact but for rounding; elsewhere they enclose the share.
    low, high = np.where(share <= EDGE, 0.0, low), np.where(share >= 1 - EDGE, 1.0, high)
    return np.clip(low, 0.0, share), np.clip(high, share, 1.0)


def half_width_error(
    low: np.ndarray, high: np.ndarray, most_times: float = 1.5, confidence: float = CONFIDENCE
) -> np.ndarray:
    """The smallest standard error that an interval is at most ``most_times`` as wide as: ``w/(2·z·times)``.

    Args:
        low: lower limits, any shape.
        high: upper limits.
        most_times: how many times as wide as ``2·z·se`` an interval may be.
        confidence: coverage of the interval.

    Returns:
        Standard errors.
    """
    return (high - low) / (2 * _quantile(confidence) * most_times)
