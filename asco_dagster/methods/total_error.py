"""The error that is published: from the linearised sampling error to one that can be relied on.

Belongs here: which errors are added, where the linearised one is not trusted alone, and the intervals that
follow. Does not belong here: the errors themselves (``precision``, ``model_errors``).

The rule. ``V = linearised² + item_variance + imputation_variance``, and of a total what is imputed of large
silent units. The linearised error is an estimate too, made of the answers alone, and two kinds of cells show
too little of it:

- thin ones, with fewer respondents or fewer effective contributors (``estimation``) than the wave file asks
  for: where nobody says yes it is 0, and from a handful of answers it is far off more often than not;
- whatever units count in by their size (shares of population, totals, means): a large town that is silent
  errs by itself, and nothing in the answers of the others tells.

There V is compared with M, what the model of ``model_errors`` expects, which knows the frame. Where M is
larger, a share takes M. A total takes ``(k·M + d·V)/(k + d)``, k = 20, d its effective contributors up to k:
the larger of two uncertain variances is too large on average (SE/RMSE up to 1.6 in simulations), and the more
answers carry a total, the less its own variance needs the model. A share with enough respondents keeps V.

The model's variance of a share is that of its band, not that of the share itself, so where it rules the
interval takes its effective size, and the published error of a share is never less than two thirds of what
its interval implies: 0 % of thirteen answers is not exact.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from asco_dagster.methods.estimation import STATISTICS
from asco_dagster.methods.intervals import effective_size, half_width_error, normal_interval, share_interval

LINEARISED, MODEL = "linearised", "model"
PRIOR = 20.0
"""Contributors that the model's variance of a total counts for."""
FEWEST = 5.0
"""Degrees of freedom that the error of a total has at least, with what the model says of it."""
GRID = 1.25
"""Ratio of the steps to which lower limits show what respondents reported."""


class Thin(NamedTuple):
    """Below which a cell is thin.

    Attributes:
        respondents: respondents with an answer.
        contributors: effective contributors to what is uncertain of the estimate.
    """

    respondents: int
    contributors: float


def with_total_errors(estimates: pd.DataFrame, components: pd.DataFrame, thin: Thin) -> pd.DataFrame:
    """Replace the linearised errors and all that follows from them.

    Args:
        estimates: as :func:`~asco_dagster.methods.estimation.estimate` gives them, shares of population
            included.
        components: the same rows as :func:`~asco_dagster.methods.model_errors.model_errors` gives them.
        thin: below which a cell is thin.

    Returns:
        The estimates with another ``standard_error``, ``ci_low``, ``ci_high`` (95 %: Wilson for shares, at
        the model's effective size where the model rules or the share is 0 or 1; Student's for totals and
        means, with as many degrees of freedom as effective contributors and k more where the model rules,
        not below 0 nor, coarsely, below what respondents reported), ``cv`` and, of shares,
        ``effective_size`` (that of the interval), and with ``linearised_error``
        (what R's ``survey`` gives), ``error_basis`` (``linearised``, or ``model`` where that is the larger
        and the rule asks for it), ``imputed_total`` (part of the estimate: of large silent units) and
        ``reported`` (by respondents, unweighted; for inside only). ``deff`` stays that of the linearised
        variance.
    """
    keys = ["indicator", "statistic", "geography", "area_code", "size_class"]
    table = estimates.merge(components, on=keys, how="left", validate="one_to_one")
    table["estimate"] += table["imputed_total"]
    linearised = table["standard_error"].to_numpy(dtype=float)
    imputed = table["imputation_variance"].to_numpy(dtype=float)
    silent = table["imputed_total_variance"].to_numpy(dtype=float)
    sampling = linearised**2 + table["item_variance"].to_numpy(dtype=float) + imputed + silent
    model = table["model_variance"].to_numpy(dtype=float) + imputed
    # Ten yes among fifty-one equal weights are ten contributors, whatever the last bit of a sum says.
    contributors = table["contributors"].round(6)
    doubted = (
        (table["respondents"] < thin.respondents)
        | (contributors < thin.contributors)
        | (table["statistic"] != "share")
    )
    by_model = doubted.to_numpy() & (model > sampling)
    is_share = table["statistic"].isin(STATISTICS["share"]).to_numpy()
    heard = np.minimum(contributors.to_numpy(dtype=float), PRIOR)
    between = (PRIOR * model + heard * sampling) / (PRIOR + heard)
    variance = np.where(by_model, np.where(is_share, model, between), sampling)
    size = _sizes(table, variance, by_model)
    degrees = np.maximum(contributors.to_numpy(dtype=float), FEWEST) + PRIOR * by_model
    low, high = _intervals(table, variance, size, degrees)
    # Squaring and taking the root must not leave less than there was.
    error = np.maximum(np.sqrt(variance), linearised)
    error = np.where(is_share, np.maximum(error, half_width_error(low, high)), error)
    estimate = table["estimate"].to_numpy(dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        cv = np.where(estimate != 0, error / np.abs(estimate), np.nan)
    basis = pd.Series(np.where(by_model, MODEL, LINEARISED), index=estimates.index, dtype=object)
    return estimates.assign(
        estimate=estimate,
        standard_error=error,
        ci_low=low,
        ci_high=high,
        cv=cv,
        effective_size=np.where(is_share, size, table["effective_size"]),
        linearised_error=linearised,
        error_basis=basis.where(~np.isnan(estimate), None),
        imputed_total=table["imputed_total"].to_numpy(),
        reported=table["reported"].to_numpy(),
    )


def _sizes(table: pd.DataFrame, variance: np.ndarray, by_model: np.ndarray) -> np.ndarray:
    """Effective size of each share: the model's where it rules and at 0 and 1, else ``p(1 − p)/V``."""
    size = table["model_size"].to_numpy(dtype=float)
    by_variance = effective_size(table["estimate"].to_numpy(dtype=float), variance, size)
    return np.where(by_model, size, by_variance)


def _intervals(
    table: pd.DataFrame, variance: np.ndarray, size: np.ndarray, degrees: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    estimate = table["estimate"].to_numpy(dtype=float)
    is_share = table["statistic"].isin(STATISTICS["share"]).to_numpy()
    by_share = share_interval(np.where(is_share, estimate, np.nan), size)
    reported = _coarse(table["reported"].to_numpy(dtype=float))
    by_amount = normal_interval(estimate, np.sqrt(variance), least=np.nan_to_num(reported), degrees=degrees)
    return np.where(is_share, by_share[0], by_amount[0]), np.where(is_share, by_share[1], by_amount[1])


def _coarse(reported: np.ndarray) -> np.ndarray:
    """What was reported, rounded down to a power of 1.25; 0 for nothing, and below 0 what it is.

    A lower limit that is the reported sum itself would be one more exact table of the respondents, from which
    suppressed cells follow by subtraction. On this grid a difference of two leaves at least a fifth of the
    larger open: more than the protection level of either side.
    """
    grid = np.log(GRID)
    positive = np.where(reported > 0, reported, 1.0)
    down = np.exp(np.floor(np.log(positive) / grid + 1e-9) * grid)
    return np.where(reported > 0, np.minimum(down, reported), np.minimum(reported, 0.0))
