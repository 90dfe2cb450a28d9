"""The Fay–Herriot model of totals: log of the total per inhabitant by département, with REML.

Belongs here: the area-level model, its errors, the way between totals and logs. Does not belong here: direct
estimates and their errors (``estimation``, ``total_error``), benchmarking.

``y_d = log(T_d/N_d) + ψ_d/2 = x_d'β + u_d + e_d``, ``u ~ N(0, σ²)``, ``e ~ N(0, ψ_d)``, ψ known: the direct
estimate is right on average, its log is ψ/2 too small. ψ is ``log(1 + CV²)`` with the CV smoothed over the
areas, for an area that happens to show a small error would weigh too much.

Libraries looked at: ``svy-sae`` 0.7 (JAX; its only version for Python 3.11 is empty), ``saePy`` 0.2
(the same model; thin), ``statsmodels`` 0.14 (no model with known error variances). The referee is
R's ``metafor``.

Source: Fay & Herriot, JASA 74 (1979); Prasad & Rao, JASA 85 (1990) and Datta & Lahiri, Statistica Sinica 10
(2000) (errors with REML: g1 + g2 + 2·g3); Slud & Maiti, JRSS B 68 (2006) (logs); Wolter, *Introduction to
Variance Estimation* (2007), chapter 7 (smoothed CV).
"""

from typing import NamedTuple

import numpy as np
from scipy import optimize  # type: ignore[import-untyped]

from asco_dagster.errors import EstimationError
from asco_dagster.methods.intervals import CONFIDENCE, normal_interval

NONE = 1e-12
"""Variance of a direct value without error, so that weights stay finite."""


class AreaModel(NamedTuple):
    """A fitted Fay–Herriot model, on the scale of y.

    Attributes:
        estimate: EBLUP of every area, shape (D,); ``x'β`` where there is no direct value.
        mse: its mean squared error, the estimation of β and σ² included.
        weight: of the direct value, ``σ²/(σ² + ψ)``; 0 without one.
        fixed: β, shape (P,).
        variance: σ².
        upward: what to add before going back from logs, so that the result is right on average.
    """

    estimate: np.ndarray
    mse: np.ndarray
    weight: np.ndarray
    fixed: np.ndarray
    variance: float
    upward: np.ndarray


class ModelledTotals(NamedTuple):
    """Modelled totals, each of shape (D,): estimate, its root mean squared error, limits, weight."""

    estimate: np.ndarray
    rmse: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    weight: np.ndarray


def fay_herriot(direct: np.ndarray, variance: np.ndarray, x: np.ndarray) -> AreaModel:
    """Fit by REML and predict every area.

    Args:
        direct: direct values, shape (D,); NaN where there is none.
        variance: their variances ψ, positive where there is a direct value.
        x: fixed effects, shape (D, P), independent columns.

    Returns:
        The model.

    Raises:
        EstimationError: no more direct values than fixed effects.
    """
    known = np.isfinite(direct)
    y, psi, z = direct[known], np.maximum(variance[known], NONE), x[known]
    if len(y) <= z.shape[1] + 1:
        raise EstimationError(
            f"{len(y)} areas have a direct value", expected=f"more than {z.shape[1] + 1}, one a fixed effect"
        )
    sigma = _reml(y, psi, z)
    weights = 1 / (sigma + psi)
    covariance = np.linalg.inv(z.T @ (weights[:, None] * z))
    fixed = covariance @ (z.T @ (weights * y))
    synthetic = x @ fixed
    doubt = np.einsum("dp,pq,dq->d", x, covariance, x)
    psi_all = np.where(known, variance, np.inf)
    weight = sigma / (sigma + psi_all)
    estimate = np.where(known, weight * np.where(known, direct, 0.0) + (1 - weight) * synthetic, synthetic)
    g1 = sigma * (1 - weight)
    g2 = (1 - weight) ** 2 * doubt
    of_sigma = 2 / (weights**2).sum()
    shown = np.where(known, variance, 0.0)
    g3 = np.where(known, shown**2 / (sigma + shown + (~known)) ** 3 * of_sigma, 0.0)
    upward = (g1 - (1 - weight**2) * doubt) / 2
    return AreaModel(estimate, g1 + g2 + 2 * g3, weight, fixed, sigma, upward)


def _reml(y: np.ndarray, psi: np.ndarray, z: np.ndarray) -> float:
    """The σ² that maximises the restricted likelihood; 0 if that falls from 0 on."""

    def score(sigma: float) -> float:
        weights = 1 / (sigma + psi)
        covariance = np.linalg.inv(z.T @ (weights[:, None] * z))
        residuals = weights * (y - z @ (covariance @ (z.T @ (weights * y))))
        leverage = np.einsum("dp,pq,dq->d", z, covariance, z)
        return float(residuals @ residuals - weights.sum() + (weights**2 * leverage).sum())

    if score(0.0) <= 0:
        return 0.0
    most = float(np.var(y)) + float(psi.mean())
    while score(most) > 0:
        most *= 2
    return float(optimize.brentq(score, 0.0, most, xtol=1e-15, rtol=1e-14))


def smoothed_variance(cv: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Variances of logs, ``log(1 + CV²)`` with ``log CV² = a + b·log q`` over the areas.

    Args:
        cv: coefficients of variation, shape (D,); NaN where there is none.
        expected: relative variance q up to a factor, from the design alone: ``Σ w(w − 1)N²/(Σ w N)²`` over
            the respondents, as it is if amounts per inhabitant of units vary alike.

    Returns:
        Smoothed variances, right on average, shape (D,); 0 where q is.
    """
    usable = np.isfinite(cv) & (cv > 0) & (expected > 0)
    x = np.column_stack([np.ones(len(cv)), np.log(np.where(expected > 0, expected, 1.0))])
    coefficients = np.linalg.lstsq(x[usable], 2 * np.log(cv[usable]), rcond=None)[0]
    fitted = np.where(expected > 0, np.exp(x @ coefficients), 0.0)
    # An exponential of a mean of logs is too small; the factor makes the mean of CV² right.
    return np.log1p(fitted * (cv[usable] ** 2).mean() / fitted[usable].mean())


def modelled_totals(
    direct: np.ndarray,
    variance: np.ndarray,
    inhabitants: np.ndarray,
    x: np.ndarray,
    confidence: float = CONFIDENCE,
) -> ModelledTotals:
    """Modelled totals of all areas.

    Args:
        direct: direct totals, shape (D,); NaN, or 0 and less, where none can be used.
        variance: variances of their logs.
        inhabitants: of each area.
        x: fixed effects, shape (D, P).
        confidence: coverage aimed at.

    Returns:
        Totals, back from logs without bias; errors and limits as of a lognormal.
    """
    usable = np.isfinite(direct) & (np.nan_to_num(direct) > 0) & np.isfinite(variance)
    logs = np.log(np.where(usable, direct, 1.0) / inhabitants) + np.nan_to_num(variance) / 2
    model = fay_herriot(np.where(usable, logs, np.nan), variance, x)
    estimate = inhabitants * np.exp(model.estimate + model.upward)
    low, high = (
        inhabitants * np.exp(limit)
        for limit in normal_interval(model.estimate, np.sqrt(model.mse), confidence)
    )
    rmse = estimate * np.sqrt(np.expm1(model.mse))
    return ModelledTotals(estimate, rmse, np.minimum(low, estimate), np.maximum(high, estimate), model.weight)
