"""Modelled départements that add up to France and its régions, and which of them keep their direct value.

Belongs here: benchmarking, the rule of three errors. Does not belong here: the models.

Source: Pfeffermann, "New important developments in small area estimation", Statistical Science 28 (2013),
section 6.1 (why and how); the shift on the logit scale keeps shares within 0 and 1.
"""

import numpy as np
from scipy import optimize  # type: ignore[import-untyped]
from scipy.special import expit, logit  # type: ignore[import-untyped]

ERRORS = 3.0
"""A direct value farther than this many of its errors from the model's is kept."""
LARGE_REGION = 4
"""From this many areas on, a région's direct value is precise enough to be a benchmark."""
INSIDE = 1e-6


def kept_direct(direct: np.ndarray, error: np.ndarray, modelled: np.ndarray) -> np.ndarray:
    """Where the model does not hold: the values differ by more than three errors of the direct one.

    Args:
        direct: direct values; NaN where there is none that may be used.
        error: their standard errors.
        modelled: modelled values.

    Returns:
        True where the direct value is kept.
    """
    apart = np.abs(np.nan_to_num(direct - modelled))
    return np.isfinite(direct) & (error > 0) & (apart > ERRORS * np.nan_to_num(error))


def benchmark_groups(
    region: np.ndarray, size: np.ndarray, of_region: np.ndarray, of_france: float, *, are_shares: bool
) -> list[tuple[np.ndarray, float]]:
    """The groups of areas and what each is to come to.

    Args:
        region: région of each area, numbered from 0, shape (D,).
        size: units of each area, shape (D,).
        of_region: direct value of each région, NaN where there is none that may be used.
        of_france: that of France, or NaN.
        are_shares: shares, whose mean is given, or totals, whose sum is.

    Returns:
        Rows of areas with their target: each région of four areas and more, and all others together, whose
        target is what France leaves to them; a target outside what is possible is left out.
    """
    members = [np.flatnonzero(region == number) for number in range(len(of_region))]
    groups = [
        (rows, float(value))
        for rows, value in zip(members, of_region, strict=True)
        if len(rows) >= LARGE_REGION and np.isfinite(value)
    ]
    taken = np.isin(
        np.arange(len(region)), np.concatenate([np.array([], dtype=int), *(rows for rows, _ in groups)])
    )
    rest = np.flatnonzero(~taken)
    if np.isfinite(of_france) and len(rest):
        parts = sum(value * (size[rows].sum() if are_shares else 1.0) for rows, value in groups)
        left = of_france * (size.sum() if are_shares else 1.0) - parts
        groups.append((rest, float(left / (size[rest].sum() if are_shares else 1.0))))
    return [(rows, value) for rows, value in groups if value > 0 and (value < 1 or not are_shares)]


def benchmarked_shares(
    estimate: np.ndarray, size: np.ndarray, groups: list[tuple[np.ndarray, float]], fixed: np.ndarray
) -> np.ndarray:
    """Shares shifted on the logit scale so that each group has its mean.

    Args:
        estimate: shares, shape (D,).
        size: units of each area.
        groups: rows and mean of each group.
        fixed: areas that keep their value.

    Returns:
        Shares; a group whose mean cannot be met by the areas that may move keeps its values.
    """
    result = estimate.copy()
    for rows, mean in groups:
        free = rows[~fixed[rows]]
        left = mean * size[rows].sum() - (size * estimate)[rows[fixed[rows]]].sum()
        if not len(free) or not INSIDE < left / size[free].sum() < 1 - INSIDE:
            continue
        start = logit(np.clip(estimate[free], INSIDE, 1 - INSIDE))

        shift = optimize.brentq(_gap, -40.0, 40.0, args=(start, size[free], left), xtol=1e-13)
        result[free] = expit(start + shift)
    return result


def _gap(shift: float, start: np.ndarray, size: np.ndarray, left: float) -> float:
    return float(size @ expit(start + shift) - left)


def benchmark_factors(
    estimate: np.ndarray, groups: list[tuple[np.ndarray, float]], fixed: np.ndarray
) -> np.ndarray:
    """Factors by which totals are multiplied so that each group has its sum; 1 where it cannot be met."""
    factors = np.ones(len(estimate))
    for rows, total in groups:
        free = rows[~fixed[rows]]
        left = total - estimate[rows[fixed[rows]]].sum()
        if len(free) and left > 0:
            factors[free] = left / estimate[free].sum()
    return factors
