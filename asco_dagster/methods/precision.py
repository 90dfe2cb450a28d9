"""Sampling variance of linearised statistics in a stratified, calibrated design, and quality flags.

Belongs here: the residual technique for calibrated weights and the flags that a coefficient of variation
earns. Does not belong here: the statistics and their linearised variables (``estimation``), confidence
intervals (``intervals``), the making of variance strata (``strata``).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import linalg, sparse  # type: ignore[import-untyped]

from asco_dagster.errors import EstimationError
from asco_dagster.methods.collinear_margins import ROWS, independent_margins, scaled_triangle

CANCELLATION = 1e-6
"""Below this share of its terms a variance is computed again from the residuals themselves."""


@dataclass(frozen=True)
class SurveyDesign:
    """What the variance needs to know of the respondents.

    Attributes:
        weights: final weights, shape (n,).
        initial_weights: weights before calibration, shape (n,).
        x: calibration variables, shape (n, p), dense or sparse; p = 0 without calibration.
        stratum: variance stratum of each respondent, shape (n,), any hashable codes.
        stratum_population: units of the population in that stratum, shape (n,).
    """

    weights: np.ndarray
    initial_weights: np.ndarray
    x: np.ndarray | sparse.csr_array
    stratum: np.ndarray
    stratum_population: np.ndarray


class ResidualVariance:
    """Variance of ``Σ w z`` for linearised variables z, with calibration residuals.

    ``e_i = z_i − x_i'B``, B the regression of z on x with the initial weights;
    ``V = Σ_h (1 − n_h/N_h) · n_h/(n_h − 1) · Σ_{i∈h} (w_i e_i − mean_h)²`` with the final weights w: what R's
    ``survey`` computes for a design calibrated with ``calibrate``.

    A domain's z is 0 outside it, but e is not. So V is expanded into the parts of z (sums over the domain),
    of x (once for all) and of both; where the parts all but cancel, V is computed from e directly.

    Source: Deville & Särndal, JASA 87 (1992), equation 3.4; Deville, "Variance estimation for complex
    statistics", Survey Methodology 25 (1999); R ``survey``, ``svyrecvar`` and ``onestrat``.
    """

    def __init__(self, design: SurveyDesign) -> None:
        self.weights = np.asarray(design.weights, dtype=float)
        codes, self._stratum = np.unique(np.asarray(design.stratum).astype(str), return_inverse=True)
        self._count = np.bincount(self._stratum, minlength=len(codes)).astype(float)
        population = np.zeros(len(codes))
        population[self._stratum] = design.stratum_population
        self._factor = _stratum_factors(codes, self._count, population)
        self.unsampled = unsampled_shares(design)
        self._initial = np.asarray(design.initial_weights, dtype=float)
        self._x, self._basis = _orthonormal_basis(self._initial, sparse.csr_array(design.x, dtype=float))
        self._means = self._stratum_means()
        self._basis_variance = np.zeros((self._basis.shape[1], self._basis.shape[1]))
        for rows in _some_at_a_time(np.arange(len(self.weights))):
            weighted = self.weights[rows, None] * (self._x[rows] @ self._basis)
            self._basis_variance += weighted.T @ self._spread(rows, weighted)

    def of(self, rows: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Variances of the totals of linearised variables that are 0 outside some rows.

        Args:
            rows: the respondents concerned, shape (m,).
            z: values of k linearised variables on them, shape (m, k).

        Returns:
            k variances, never negative.
        """
        weighted = self.weights[rows, None] * z
        coefficients = self._basis.T @ (self._x[rows].T @ (self._initial[rows, None] * z))
        own = self._quadratic(rows, weighted)
        both = np.zeros_like(coefficients)
        for places in _some_at_a_time(np.arange(len(rows))):
            some = rows[places]
            basis = self.weights[some, None] * (self._x[some] @ self._basis)
            both += self._spread(some, basis).T @ weighted[places]
        cross = np.sum(coefficients * both, axis=0)
        fitted = np.sum(coefficients * (self._basis_variance @ coefficients), axis=0)
        variance = own - 2 * cross + fitted
        doubtful = np.flatnonzero(variance < CANCELLATION * (own + fitted))
        if len(doubtful):
            variance[doubtful] = self._from_residuals(rows, z[:, doubtful], coefficients[:, doubtful])
        return variance

    def conditional_biases(self, rows: np.ndarray, z: np.ndarray) -> np.ndarray:
        """How far each respondent alone moves the total of a linearised variable.

        ``B_i = (1 − n_h/N_h)·n_h/(n_h − 1)·(w_i e_i − mean_h)``: the bias of the total over all samples that
        this unit is in, given what it answered. 0 for units that represent themselves.

        Args:
            rows: the respondents that z is not 0 for, shape (m,).
            z: values of k linearised variables on them, shape (m, k).

        Returns:
            The conditional bias of every respondent, shape (n, k).

        Source: Beaumont, Haziza & Ruiz-Gazen, "A unified approach to robust estimation in finite population
        sampling", Biometrika 100 (2013), equation 6.
        """
        coefficients = self._basis.T @ (self._x[rows].T @ (self._initial[rows, None] * z))
        return self._factor[self._stratum][:, None] * self._centred_residuals(rows, z, coefficients)

    def _from_residuals(self, rows: np.ndarray, z: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
        """The same variance from the residuals of all respondents."""
        return self._factor[self._stratum] @ self._centred_residuals(rows, z, coefficients) ** 2

    def _centred_residuals(self, rows: np.ndarray, z: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
        """``w_i e_i`` less its mean over the stratum, of every respondent."""
        residuals = -(self._x @ (self._basis @ coefficients))
        residuals[rows] += z
        residuals *= self.weights[:, None]
        sums = np.zeros((len(self._count), z.shape[1]))
        np.add.at(sums, self._stratum, residuals)
        return residuals - (sums / self._count[:, None])[self._stratum]

    def _quadratic(self, rows: np.ndarray, u: np.ndarray) -> np.ndarray:
        """``Σ_h c_h (Σ u² − (Σ u)²/n_h)`` of variables that are 0 outside the rows."""
        # Sorted and summed run by run: an indicator of strata would be rows × strata numbers.
        order = np.argsort(self._stratum[rows], kind="stable")
        strata, starts = np.unique(self._stratum[rows][order], return_index=True)
        sums = np.add.reduceat(u[order], starts, axis=0) if len(rows) else np.zeros((0, u.shape[1]))
        factor = self._factor[strata]
        return self._factor[self._stratum[rows]] @ u**2 - (factor / self._count[strata]) @ sums**2

    def _stratum_means(self) -> np.ndarray:
        """Mean of each weighted basis variable in each stratum, shape (strata, rank)."""
        n = len(self.weights)
        inside = sparse.csr_array((self.weights, (self._stratum, np.arange(n))), shape=(len(self._count), n))
        return ((inside @ self._x) @ self._basis) / self._count[:, None]

    def _spread(self, rows: np.ndarray, u: np.ndarray) -> np.ndarray:
        """The matrix of the quadratic form times weighted basis variables: ``c_h (u_i − mean_h)``."""
        stratum = self._stratum[rows]
        return self._factor[stratum][:, None] * (u - self._means[stratum])


def _some_at_a_time(rows: np.ndarray) -> Iterator[np.ndarray]:
    """The rows in pieces: what is written out for each of them is as wide as the calibration."""
    for first in range(0, len(rows), ROWS):
        yield rows[first : first + ROWS]


def unsampled_shares(design: SurveyDesign) -> np.ndarray:
    """The share of each respondent's variance stratum that did not answer: ``1 − n_h/N_h``, shape (n,)."""
    codes, stratum = np.unique(np.asarray(design.stratum).astype(str), return_inverse=True)
    count = np.bincount(stratum, minlength=len(codes)).astype(float)
    # Rounding of a population must not take a stratum that answered whole for a larger one.
    return np.clip(1 - count[stratum] / np.asarray(design.stratum_population, dtype=float), 0.0, 1.0)


@dataclass(frozen=True)
class QualityThresholds:
    """Where an estimate stops being good enough.

    Attributes:
        cv_low: from this coefficient of variation on, ``low_precision``.
        cv_unreliable: from this one on, ``unreliable``.
        half_width_low: the same for half the width of a share's confidence interval (0.05 = five points).
        half_width_unreliable: the same, ``unreliable``.
        size_low: below this effective size, ``low_precision``.
        size_unreliable: below this one, ``unreliable``.
    """

    cv_low: float
    cv_unreliable: float
    half_width_low: float
    half_width_unreliable: float
    size_low: float
    size_unreliable: float


def quality_flag(
    cv: np.ndarray,
    effective_size: np.ndarray,
    thresholds: QualityThresholds,
    *,
    half_width: np.ndarray | None = None,
) -> np.ndarray:
    """Flag estimates by their precision.

    Totals and means are judged by the coefficient of variation. Shares are judged by half the width of their
    confidence interval where it is given: a coefficient of variation calls a share of 2 % bad and the same
    share reported as an excellent 98 %. A measure that cannot be computed is ``unreliable``.

    Args:
        cv: coefficients of variation (0.1 = 10 %), shape (n,).
        effective_size: effective sizes of the sample behind them (``estimation``), infinite where nothing is
            left to chance, NaN where there is none, shape (n,).
        thresholds: the wave's thresholds.
        half_width: half width of the interval for shares, NaN for the rest, shape (n,).

    Returns:
        ``ok``, ``low_precision`` or ``unreliable``, shape (n,).

    Source: Eurostat, *Handbook on precision requirements and variance estimation* (2013), sections 2.2 and
    2.3: relative measures for totals and means, absolute ones for proportions; Parker, Talih, Malec et al.,
    *National Center for Health Statistics data presentation standards for proportions*, Vital and Health
    Statistics 2(175) (2017): width of the interval and effective size. Thresholds are the wave's.
    """
    cv = np.asarray(cv, dtype=float)
    # Equal weights of thirty respondents are thirty, whatever the last bit of a sum says.
    size = np.round(np.nan_to_num(np.asarray(effective_size, dtype=float), nan=0.0, posinf=np.inf), 6)
    width = np.full(cv.shape, np.nan) if half_width is None else np.asarray(half_width, dtype=float)
    by_width = np.isfinite(width)
    measure = np.where(by_width, width, np.nan_to_num(cv, nan=np.inf, posinf=np.inf))
    low = np.where(by_width, thresholds.half_width_low, thresholds.cv_low)
    unreliable = np.where(by_width, thresholds.half_width_unreliable, thresholds.cv_unreliable)
    measure = np.round(measure, 9)  # at a threshold, the last bit of a sum must not decide
    flag = np.where((measure >= low) | (size < thresholds.size_low), "low_precision", "ok")
    worst = (measure >= unreliable) | (size < thresholds.size_unreliable)
    return np.where(worst, "unreliable", flag)


def _stratum_factors(codes: np.ndarray, count: np.ndarray, population: np.ndarray) -> np.ndarray:
    """``(1 − n/N)·n/(n − 1)`` of each stratum; 0 where all units answered."""
    short = population < count * (1 - 1e-9)
    if short.any():
        first = int(np.argmax(short))
        raise EstimationError(
            f"variance stratum {codes[first]} has {count[first]:.0f} respondents "
            f"in a population of {population[first]:g}",
            expected="no more respondents than units",
        )
    rest = np.clip(1 - count / population, 0.0, 1.0)
    lonely = (count == 1) & (rest > 1e-7)
    if lonely.any():
        raise EstimationError(
            f"{int(lonely.sum())} variance strata have one respondent, {codes[int(np.argmax(lonely))]} first",
            remedy="Collapse them with variance_strata",
        )
    return rest * count / np.maximum(count - 1, 1)


def _orthonormal_basis(weights: np.ndarray, x: sparse.csr_array) -> tuple[sparse.csr_array, np.ndarray]:
    """Independent variables, and what makes them orthonormal in the metric of the weights.

    Returns:
        The variables, shape (n, rank), and the matrix of shape (rank, rank) that they are multiplied by.
    """
    kept = x[:, independent_margins(weights, x)] if x.shape[1] else x
    if not kept.shape[1]:
        return kept, np.zeros((0, 0))
    triangle, lengths = scaled_triangle(weights, kept)
    return kept, linalg.solve_triangular(triangle, np.eye(len(triangle))) / lengths[:, None]
