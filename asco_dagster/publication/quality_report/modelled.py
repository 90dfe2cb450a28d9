"""How precise the modelled estimates of départements are, beside the direct ones of the same cells.

Made of released tables only.
"""

from typing import Any

import pandas as pd

from asco_dagster.releases.contract import MODELLED, contract_of

_TABLE = ["unit_type", "statistic"]


def modelled_beside_direct(cells: pd.DataFrame, models: pd.DataFrame) -> list[dict[str, Any]]:
    """Flags and methods of the modelled estimates, and flags of the direct ones where these are released.

    Args:
        cells: released cells.
        models: released modelled estimates.

    Returns:
        ``unit_type``, ``statistic``, ``estimates``, ``unreliable`` (share of them), ``direct`` (released
        cells), ``direct_unreliable`` (share of these), ``synthetic`` and ``kept`` (how many).
    """
    keys = contract_of(MODELLED).named("key")
    direct = cells.loc[cells["size_class"] == "total", [*keys, "quality_flag"]]
    both = models.merge(direct, on=keys, how="left", suffixes=("", "_direct"))
    rows = []
    for (unit_type, statistic), part in both.groupby(_TABLE):
        flags = part["quality_flag_direct"].dropna()
        rows.append(
            {
                "unit_type": str(unit_type),
                "statistic": str(statistic),
                "estimates": len(part),
                "unreliable": float((part["quality_flag"] == "unreliable").mean()),
                "direct": len(flags),
                "direct_unreliable": float((flags == "unreliable").mean()) if len(flags) else None,
                "synthetic": int((part["method"] == "synthetic").sum()),
                "kept": int((part["method"] == "direct").sum()),
            }
        )
    return rows
