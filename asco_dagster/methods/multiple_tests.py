"""False-discovery rates: how many entries of a list of differences are expected to be chance."""

from statistics import NormalDist

import numpy as np


def p_values(difference: np.ndarray, standard_error: np.ndarray) -> np.ndarray:
    """Two-sided p-values of differences under normality; an error of 0 makes any difference certain.

    Args:
        difference: differences, shape (n,); NaN where there is none.
        standard_error: their standard errors, shape (n,).

    Returns:
        p-values, NaN where the difference or its error is.
    """
    normal = NormalDist()
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.where(difference == 0, 0.0, np.abs(difference) / standard_error)
    errors = np.where(np.isnan(standard_error), np.nan, errors)
    return np.array([np.nan if np.isnan(z) else 2 * normal.cdf(-z) for z in errors])


def false_discovery_rates(p: np.ndarray, families: np.ndarray | None = None) -> np.ndarray:
    """The share of chance findings in the list of all tests of a family at most as unlikely as this one.

    Benjamini–Hochberg: ``q_(i) = min_{j ≥ i} p_(j)·m/j`` over the m tests of the family, in the order of p.
    Keeping the entries with q below 0.05 gives a list of which at most 5 % are expected to be chance, where
    5 % of *all* tests would be with intervals alone. It holds for independent tests and for the positive
    dependence of estimates that share respondents.

    Args:
        p: p-values, shape (n,); NaN where nothing is tested.
        families: family of each test (one map, one list), any codes, shape (n,); without it all are one.

    Returns:
        q-values, NaN where p is.

    Source: Benjamini & Hochberg, JRSS B 57 (1995); Benjamini & Yekutieli, Annals of Statistics 29 (2001) on
    dependence; R ``p.adjust(p, "BH")``.
    """
    q = np.full(len(p), np.nan)
    codes = np.zeros(len(p), dtype=int) if families is None else np.unique(families, return_inverse=True)[1]
    for family in np.unique(codes):
        rows = np.flatnonzero((codes == family) & ~np.isnan(p))
        order = rows[np.argsort(p[rows], kind="stable")]
        scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
        q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q
