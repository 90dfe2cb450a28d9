"""Change between two waves, from what both released.

Belongs here: the difference of two released cells and the bound on its error. Does not belong here: which
releases are compared, and anything of a working database.

The bound. Var(b − a) = Var a + Var b − 2 Cov(a, b). Both samples take the same large units with certainty and
overlap by chance elsewhere, so the covariance of an indicator with itself is not negative as long as units
tend to keep what they do; leaving it out overstates the error. Units' pseudonyms are not released, so the
covariance cannot be estimated from releases.
"""

import numpy as np
import pandas as pd

from asco_dagster.methods.estimation import STATISTICS
from asco_dagster.methods.intervals import normal_interval

KEYS = ["unit_type", "indicator", "statistic", "geography", "area_code", "size_class"]
MEASURES = ["estimate", "standard_error"]


def evolution(former: pd.DataFrame, later: pd.DataFrame, comparable: pd.DataFrame) -> pd.DataFrame:
    """Difference of each cell that both waves released.

    Args:
        former: released cells of the former wave: the keys, ``estimate``, ``standard_error``, ``status``.
        later: those of the later wave.
        comparable: ``unit_type`` and ``indicator`` of the indicators that mean the same in both.

    Returns:
        One row a cell with status V in both and a comparable indicator, by its keys: the keys,
        ``estimate_former``, ``estimate_later``, ``difference`` (later less former), ``standard_error`` =
        √(se² + se²), a bound from above; ``ci_low``, ``ci_high`` at 95 %; ``significant`` (the interval
        leaves 0 out), 0 or 1.

    Source: Kish, *Survey Sampling* (1965), section 12.4 (comparisons of overlapping samples).
    """
    released = [wave[wave["status"] == "V"][[*KEYS, *MEASURES]].dropna() for wave in (former, later)]
    both = released[0].merge(released[1], on=KEYS, suffixes=("_former", "_later"), validate="one_to_one")
    both = both.merge(comparable[["unit_type", "indicator"]].drop_duplicates(), validate="many_to_one")
    difference = (both["estimate_later"] - both["estimate_former"]).to_numpy(dtype=float)
    errors = both[["standard_error_former", "standard_error_later"]].to_numpy(dtype=float)
    error = np.hypot(errors[:, 0], errors[:, 1])
    share = both["statistic"].isin(STATISTICS["share"]).to_numpy()
    most = np.where(share, 1.0, np.inf)  # a difference of shares lies between −1 and 1
    low, high = normal_interval(difference, error, least=-most, most=most)
    rows = both[[*KEYS, "estimate_former", "estimate_later"]].assign(
        difference=difference,
        standard_error=error,
        ci_low=low,
        ci_high=high,
        significant=((low > 0) | (high < 0)).astype("int64"),
    )
    return rows.sort_values(KEYS, ignore_index=True)
