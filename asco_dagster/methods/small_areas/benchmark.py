"""Modelled départements that add up to France and its régions, and which of them keep their direct value.

Belongs here: benchmarking, the rule of three errors. Does not belong here: the models.

Source: Pfeffermann, "New important developments in small area estimation", Statistical Science 28 (2013),
section 6.1; Wang, Fuller & Qu, Survey
Methodology 34 (2008) (changes in proportion to the errors).
"""

import numpy as np
from scipy import optimize  # type: ignore[import-untyped]
from scipy.special import expit, logit  # type: ignore[import-untyped]

ERRORS = 3.0
"""A direct value farther than this many errors from the model's is kept."""
LARGE_REGION = 4
"""From this many areas on, a région's direct value is precise enough to be a benchmark."""
INSIDE = 1e-6


def kept_direct(direct: np.ndarray, error: np.ndarray, modelled: np.ndarray, rmse: np.ndarray) -> np.ndarray:
    """Where the model does not hold: the values differ by more than three errors, of the larger of the two.

    From few answers a direct error may be far too small, and the direct value would be kept for its fault.

    Args:
        direct: direct values; NaN where there is none that may be used.
        error: their standard errors.
        modelled: modelled values.
        rmse: their errors.

    Returns:
        True where the direct value is kept.
    """
    apart = np.abs(np.nan_to_num(direct - modelled))
    return np.isfinite(direct) & (apart > ERRORS * np.maximum(np.nan_to_num(error), rmse))


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
    estimate: np.ndarray, rmse: np.ndarray, size: np.ndarray, groups: list[tuple[np.ndarray, float]]
) -> np.ndarray:
    """Shares shifted on the logit scale so that each group has its mean, the uncertain ones most.

    The shift of an area is proportional to ``size·rmse²/p(1 − p)``: in first order the smallest sum of
    ``(change/rmse)²`` that meets the mean. Areas without error keep their value.

    Args:
        estimate: shares, shape (D,).
        rmse: their errors; 0 for those that keep their value.
        size: units of each area.
        groups: rows and mean of each group.

    Returns:
        Shares; a group whose mean cannot be met by the areas that may move keeps its values.
    """
    result = estimate.copy()
    for rows, mean in groups:
        start = np.clip(estimate[rows], INSIDE, 1 - INSIDE)
        pull = size[rows] * rmse[rows] ** 2 / (start * (1 - start))
        free = pull > INSIDE * pull.max(initial=0.0)
        left = mean * size[rows].sum() - (size * estimate)[rows[~free]].sum()
        if not free.any() or not INSIDE < left / size[rows[free]].sum() < 1 - INSIDE:
            continue
        pull, moved = pull[free] / pull.max(), rows[free]
        most = 40.0 / pull.min()
        shift = optimize.brentq(
            _gap, -most, most, args=(logit(start[free]), pull, size[moved], left), xtol=1e-13
        )
        result[moved] = expit(logit(start[free]) + shift * pull)
    return result


def _gap(shift: float, start: np.ndarray, pull: np.ndarray, size: np.ndarray, left: float) -> float:
    return float(size @ expit(start + shift * pull) - left)


def benchmarked_totals(
    estimate: np.ndarray, rmse: np.ndarray, groups: list[tuple[np.ndarray, float]]
) -> np.ndarray:
    """Totals multiplied by ``exp(shift·rmse²/estimate)`` so that each group has its sum.

    Args:
        estimate: totals, shape (D,), positive.
        rmse: their errors; 0 for those that keep their value.
        groups: rows and sum of each group.

    Returns:
        Totals; a group whose sum cannot be met by the areas that may move keeps its values.
    """
    result = estimate.copy()
    for rows, total in groups:
        # a direct total of 0 that is kept has no error here and does not move
        pull = rmse[rows] ** 2 / np.where(estimate[rows] > 0, estimate[rows], 1.0)
        free = pull > INSIDE * pull.max(initial=0.0)
        left = total - estimate[rows[~free]].sum()
        if not free.any() or left <= 0:
            continue
        pull, moved = pull[free] / pull.max(), rows[free]
        most = 40.0 / pull.min()
        shift = optimize.brentq(_excess, -most, most, args=(pull, estimate[moved], left), xtol=1e-13)
        result[moved] = estimate[moved] * np.exp(shift * pull)
    return result


def _excess(shift: float, pull: np.ndarray, estimate: np.ndarray, left: float) -> float:
    return float(estimate @ np.exp(np.clip(shift * pull, -500, 500)) - left)
