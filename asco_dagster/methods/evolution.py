"""Change between two waves, from what both released.

The difference of two released cells, its error, and how much of a list of them is expected to be chance.

The error. ``Var(b − a) = Var a + Var b − 2·Cov(a, b)``. Where the covariance is not known it is taken for 0.
That overstates the error when both samples share units that tend to keep what they do, as the large units
taken with certainty in each wave are. It is **no bound**: where the second sample was drawn to avoid the
units of the first, the covariance is negative and the error of the difference is larger than the one given.
Units' pseudonyms are not released, so releases alone do not show which it is; ``common_units`` does, inside.
"""

import numpy as np
import pandas as pd

from asco_dagster.methods.estimation import STATISTICS
from asco_dagster.methods.intervals import normal_interval
from asco_dagster.methods.multiple_tests import false_discovery_rates, p_values

KEYS = ["unit_type", "indicator", "statistic", "geography", "area_code", "size_class"]
MEASURES = ["estimate", "standard_error"]


def evolution(
    former: pd.DataFrame,
    later: pd.DataFrame,
    comparable: pd.DataFrame,
    covariance: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Difference of each cell that both waves released.

    Args:
        former: released cells of the former wave: the keys, ``estimate``, ``standard_error``, ``status``.
        later: those of the later wave.
        comparable: ``unit_type`` and ``indicator`` of the indicators that mean the same in both.
        covariance: the keys and ``covariance`` of the two estimates where it is known
            (:func:`~asco_dagster.methods.common_units.common_units_covariance`).

    Returns:
        One row per cell with status V in both and a comparable indicator, by its keys: the keys,
        ``estimate_former``, ``estimate_later``, ``difference`` (later less former), ``standard_error``,
        ``error_basis`` (``covariance``, or ``independent`` where it is taken for 0); ``ci_low``, ``ci_high``
        at 95 %; ``significant`` (the interval leaves 0 out), 0 or 1; ``q_value``, the expected share of
        chance in the list of all differences of this type of unit at least as clear as this one, and
        ``q_value_map``, the same among the areas of one map (indicator, statistic, geography, size class).

    Source: Kish, *Survey Sampling* (1965), section 12.4 (comparisons of overlapping samples); for
    the q-values :func:`~asco_dagster.methods.multiple_tests.false_discovery_rates`.
    """
    released = [wave[wave["status"] == "V"][[*KEYS, *MEASURES]].dropna() for wave in (former, later)]
    both = released[0].merge(released[1], on=KEYS, suffixes=("_former", "_later"), validate="one_to_one")
    both = both.merge(comparable[["unit_type", "indicator"]].drop_duplicates(), validate="many_to_one")
    difference = (both["estimate_later"] - both["estimate_former"]).to_numpy(dtype=float)
    errors = both[["standard_error_former", "standard_error_later"]].to_numpy(dtype=float)
    known = _known_covariance(both, covariance)
    variance = (errors**2).sum(axis=1)
    # A covariance is an estimate: it may not take the whole variance away.
    error = np.sqrt(np.maximum(variance - 2 * np.nan_to_num(known), np.abs(errors[:, 0] - errors[:, 1]) ** 2))
    share = both["statistic"].isin(STATISTICS["share"]).to_numpy()
    most = np.where(share, 1.0, np.inf)  # a difference of shares lies between −1 and 1
    low, high = normal_interval(difference, error, least=-most, most=most)
    p = p_values(difference, error)
    rows = both[[*KEYS, "estimate_former", "estimate_later"]].assign(
        difference=difference,
        standard_error=error,
        error_basis=np.where(np.isnan(known), "independent", "covariance"),
        ci_low=low,
        ci_high=high,
        significant=((low > 0) | (high < 0)).astype("int64"),
        q_value=false_discovery_rates(p, _family(both, ["unit_type"])),
        q_value_map=false_discovery_rates(p, _family(both, [name for name in KEYS if name != "area_code"])),
    )
    return rows.sort_values(KEYS, ignore_index=True)


def _known_covariance(both: pd.DataFrame, covariance: pd.DataFrame | None) -> np.ndarray:
    """The covariance of each row, NaN where it is not known."""
    if covariance is None:
        return np.full(len(both), np.nan)
    found = both[KEYS].merge(covariance, on=KEYS, how="left", validate="one_to_one")
    return found["covariance"].to_numpy(dtype=float)


def _family(rows: pd.DataFrame, names: list[str]) -> np.ndarray:
    return rows.groupby(names, sort=False).ngroup().to_numpy()
