"""Who answers: response propensities, how even they are, and what uneven ones could do to a share.

Weights repair what strata and margins explain of the silence. What they leave is looked at here: whether
propensities still differ by what is known of all sampled units (R-indicators), whether late respondents
answer otherwise than early ones, and how far a share would move if silent units differed from respondents.

The logistic regression is written out (twenty lines of Newton's method): statsmodels, glum
and scikit-learn were looked at, and each is a dependency of tens of megabytes for one fit without inference.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from asco_dagster.errors import EstimationError

RIDGES = (1e-5, 1e-3, 1e-1)
"""Penalties a unit, the next one where the former does not converge: they keep a group in which everybody
answers, or two collinear variables, from an infinite coefficient."""


@dataclass(frozen=True)
class Propensities:
    """Response propensities of the sampled units.

    Attributes:
        values: propensity of each unit, shape (n,).
        errors: standard error of each, shape (n,).
    """

    values: np.ndarray
    errors: np.ndarray


def response_propensities(
    weights: np.ndarray, responded: np.ndarray, variables: pd.DataFrame, iterations: int = 50
) -> Propensities:
    """Fit ``logit ρ_i = x_i'β`` to the sampled units, with design weights.

    Args:
        weights: design weights, shape (n,).
        responded: whether each unit answered, shape (n,).
        variables: what is known of all sampled units, one column per variable: categories become indicators,
            numbers are standardised.
        iterations: Newton steps before giving up.

    Returns:
        Propensities with their errors (of the regression, taking the sample as given).

    Raises:
        EstimationError: nobody or everybody answered, or the fit does not converge.
    """
    y = np.asarray(responded, dtype=float)
    if not 0 < y.mean() < 1:
        raise EstimationError("nobody, or everybody, answered", expected="a sample with both")
    x = _columns(variables)
    w = weights / np.mean(weights)
    for ridge in RIDGES:
        fitted = _logistic(x, y, w, ridge * len(y), iterations)
        if fitted is not None:
            rho, information = fitted
            spread = np.einsum("ij,jk,ik->i", x, np.linalg.inv(information), x)
            return Propensities(rho, rho * (1 - rho) * np.sqrt(spread))
    raise EstimationError("the regression of response does not converge", remedy="Leave a variable out")


def _logistic(
    x: np.ndarray, y: np.ndarray, w: np.ndarray, ridge: float, iterations: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Fitted probabilities and information by Newton's method; None where it does not converge."""
    beta = np.zeros(x.shape[1])
    beta[0] = np.log(np.average(y, weights=w) / (1 - np.average(y, weights=w)))
    penalty = ridge * np.eye(x.shape[1])
    penalty[0, 0] = 0.0
    for _ in range(iterations):
        rho = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        information = (x * (w * rho * (1 - rho))[:, None]).T @ x + penalty
        step = np.linalg.solve(information, x.T @ (w * (y - rho)) - penalty @ beta)
        beta = beta + step
        if np.abs(step).max() < 1e-8:
            return 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30))), information
    return None


def r_indicator(weights: np.ndarray, propensities: Propensities) -> float:
    """Representativity of the response: ``R = 1 − 2·S(ρ)``, 1 where all are equally likely to answer.

    ``S²`` is the weighted variance of the propensities less the mean of their squared errors: the noise of
    the fit alone would make a perfectly even response look uneven.

    Source: Schouten, Cobben & Bethlehem, "Indicators for the representativeness of survey response", Survey
    Methodology 35 (2009); bias adjustment in the spirit of Shlomo, Skinner & Schouten, JSPI 142 (2012).
    """
    return 1 - 2 * float(np.sqrt(_variance(weights, propensities)))


def partial_r(weights: np.ndarray, propensities: Propensities, categories: np.ndarray) -> float:
    """How much of ``S(ρ)`` lies between the categories of one variable (unconditional partial R-indicator).

    Source: Schouten, Shlomo & Skinner, "Indicators for monitoring and improving representativeness of
    response", Journal of Official Statistics 27 (2011).
    """
    table = pd.DataFrame({"w": weights, "wr": weights * propensities.values}).groupby(categories).sum()
    mean = table["wr"].sum() / table["w"].sum()
    between = table["w"] * (table["wr"] / table["w"] - mean) ** 2
    return float(np.sqrt(between.sum() / table["w"].sum()))


def largest_bias(weights: np.ndarray, propensities: Propensities, spread: float = 0.5) -> float:
    """Bound on the bias of a mean of respondents: ``S(ρ)·S(y)/ρ̄``, reached if y followed ρ exactly.

    It is of the means before any weighting for non-response by these variables.

    Args:
        weights: design weights of the sampled units, shape (n,).
        propensities: their propensities.
        spread: standard deviation of the variable of interest; of a share at most 0.5.

    Source: Bethlehem, "Reduction of nonresponse bias through regression estimation", Journal of Official
    Statistics 4 (1988); Schouten, Cobben & Bethlehem (2009), equation 7.
    """
    mean = float(np.average(propensities.values, weights=weights))
    return float(np.sqrt(_variance(weights, propensities))) * spread / mean


def early_and_late(
    values: pd.DataFrame, weights: np.ndarray, arrived: np.ndarray, late_share: float = 0.25
) -> pd.DataFrame:
    """Shares among the last respondents less those among the others: the silent resemble the last, if anyone.

    Args:
        values: 0/1 answers, one column per indicator; NaN where open.
        weights: weights of the respondents, shape (n,).
        arrived: day of arrival as a number, shape (n,); NaN without a date, which is left out.
        late_share: share of the dated returns that count as late; a day is not cut in two.

    Returns:
        One row per indicator: ``indicator``, ``early``, ``late`` (weighted shares), ``difference``,
        ``standard_error`` (of independent groups with the effective sizes of their weights).

    Source: Lin & Schaeffer, "Using survey participants to estimate the impact of nonparticipation", Public
    Opinion Quarterly 59 (1995) (the continuum of resistance, and its limits).
    """
    dated = ~np.isnan(arrived)
    late = dated & (arrived > np.quantile(arrived[dated], 1 - late_share)) if dated.any() else dated
    shares, variances = [], []
    for group in (dated & ~late, late):
        y, w = values[group].to_numpy(dtype=float), weights[group][:, None]
        w = w * ~np.isnan(y)
        with np.errstate(divide="ignore", invalid="ignore"):
            p = (w * np.nan_to_num(y)).sum(axis=0) / w.sum(axis=0)
            shares.append(p)
            variances.append(p * (1 - p) * (w**2).sum(axis=0) / w.sum(axis=0) ** 2)
    return pd.DataFrame(
        {
            "indicator": values.columns.astype(str),
            "early": shares[0],
            "late": shares[1],
            "difference": shares[1] - shares[0],
            "standard_error": np.sqrt(variances[0] + variances[1]),
        }
    )


def sensitivity(share: np.ndarray, response_rate: float, odds_ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """A share if silent units said yes with other odds than those that answered.

    ``p(θ) = r·p + (1 − r)·p_θ`` with ``logit p_θ = logit p + log θ``, at θ and 1/θ.

    Args:
        share: weighted shares of respondents, shape (k,).
        response_rate: weighted response rate r.
        odds_ratio: θ, above 1.

    Returns:
        Lowest and highest share, shape (k,).

    Source: pattern-mixture models: Little, JASA 88 (1993); National Research Council, *The Prevention and
    Treatment of Missing Data* (2010), chapter 5.
    """
    with np.errstate(divide="ignore"):
        odds = share / (1 - share)
    found = []
    for theta in (1 / odds_ratio, odds_ratio):
        silent = np.where(np.isinf(odds), 1.0, theta * odds / (1 + theta * np.where(np.isinf(odds), 0, odds)))
        found.append(response_rate * share + (1 - response_rate) * silent)
    return found[0], found[1]


def _variance(weights: np.ndarray, propensities: Propensities) -> float:
    mean = np.average(propensities.values, weights=weights)
    spread = np.average((propensities.values - mean) ** 2, weights=weights)
    return float(max(spread - np.average(propensities.errors**2, weights=weights), 0.0))


def _columns(variables: pd.DataFrame) -> np.ndarray:
    """An intercept, standardised numbers, and indicators of categories but their most frequent one."""
    columns = [np.ones(len(variables))]
    for name in variables:
        column = variables[name]
        if pd.api.types.is_numeric_dtype(column):
            number = column.to_numpy(dtype=float)
            number = np.where(np.isnan(number), np.nanmean(number), number)
            spread = number.std()
            if spread > 0:
                columns.append((number - number.mean()) / spread)
            continue
        codes = column.astype(str).value_counts().sort_index().sort_values(ascending=False, kind="stable")
        columns += [(column.astype(str) == code).to_numpy(dtype=float) for code in codes.index[1:]]
    return np.column_stack(columns)
