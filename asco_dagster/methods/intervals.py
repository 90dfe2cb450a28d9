"""Confidence intervals of shares, totals and means.

Belongs here: from an estimate and its standard error to an interval. Does not belong here: standard errors
(``precision``) and what is estimated (``estimation``).
"""

from statistics import NormalDist

import numpy as np

CONFIDENCE = 0.95
EDGE = 1e-12
"""A share this near to 0 or 1 is 0 or 1: rounding of weighted sums leaves no less."""


def normal_interval(
    estimate: np.ndarray, standard_error: np.ndarray, confidence: float = CONFIDENCE
) -> tuple[np.ndarray, np.ndarray]:
    """``estimate ± z·standard error``.

    Args:
        estimate: estimates, any shape.
        standard_error: their standard errors, same shape.
        confidence: coverage aimed at.

    Returns:
        Lower and upper limits.
    """
    reach = NormalDist().inv_cdf(0.5 + confidence / 2) * standard_error
    return estimate - reach, estimate + reach


def share_interval(
    share: np.ndarray,
    standard_error: np.ndarray,
    effective_size: np.ndarray,
    confidence: float = CONFIDENCE,
) -> tuple[np.ndarray, np.ndarray]:
    """Interval of a share, on the logit scale; exact binomial limits at 0 and 1.

    Between 0 and 1: ``expit(logit p ± z·se/(p(1−p)))``, which never leaves [0, 1]. At 0 or 1 the linearised
    error is 0 and says nothing; there the Clopper–Pearson limits at the effective sample size are used, as
    Korn & Graubard propose: ``[0, 1 − (α/2)^(1/n*)]`` and its mirror. An infinite effective size (every unit
    of the domain answered) gives a point.

    Args:
        share: estimated shares, any shape; NaN where there is none.
        standard_error: their standard errors.
        effective_size: effective sample sizes n*, looked at for shares of 0 and 1 only.
        confidence: coverage aimed at.

    Returns:
        Lower and upper limits.

    Source: Korn & Graubard, "Confidence intervals for proportions with small expected number of positive
    counts estimated from survey data", Survey Methodology 24 (1998); R ``svyciprop``, methods logit and beta.
    """
    quantile = NormalDist().inv_cdf(0.5 + confidence / 2)
    inside = (share > EDGE) & (share < 1 - EDGE)
    p = np.where(inside, share, 0.5)
    logit = np.log(p) - np.log1p(-p)
    reach = quantile * standard_error / (p * (1 - p))
    with np.errstate(over="ignore"):
        low, high = 1 / (1 + np.exp(reach - logit)), 1 / (1 + np.exp(-logit - reach))
    with np.errstate(divide="ignore"):
        room = 1 - ((1 - confidence) / 2) ** (1 / np.asarray(effective_size, dtype=float))
    low = np.where(inside, low, np.where(share >= 1 - EDGE, 1 - room, 0.0))
    high = np.where(inside, high, np.where(share <= EDGE, room, 1.0))
    missing = np.isnan(share)
    return np.where(missing, np.nan, low), np.where(missing, np.nan, high)
