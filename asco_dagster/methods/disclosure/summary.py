"""The mask in counts that may be published.

Made of what is released and of nothing else: no estimate of a suppressed cell is in any of it, and none
was used to make it.
"""

import pandas as pd

_TABLE = ["unit_type", "statistic", "breakdown"]


def summary(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells by status and table, and how much of the value they hold is not shown.

    Args:
        cells: result of ``protect``.

    Returns:
        One row per table: ``unit_type``, ``statistic``, ``breakdown``, ``cells``, ``released``,
        ``suppressed`` and ``value_suppressed_percent``, see ``suppressed_percent``. By which
        rule is not in it: the rule of a cell would disclose its value.
    """
    keyed = cells.assign(breakdown=breakdown_of(cells))
    hidden = suppressed_percent(cells)
    rows = []
    for table, part in keyed.groupby(_TABLE, sort=True):
        shown = int((part["status"] == "V").sum())
        rows.append(
            {
                **dict(zip(_TABLE, table, strict=True)),
                "cells": len(part),
                "released": shown,
                "suppressed": len(part) - shown,
                "value_suppressed_percent": hidden.get(table),
            }
        )
    return pd.DataFrame(rows).astype({"value_suppressed_percent": float})


def suppressed_percent(cells: pd.DataFrame) -> pd.Series:
    """Per cent of the value of each table that is not shown, to a tenth, mean of the indicators.

    Made of what is released and of nothing else: an indicator's figure for France less the cells of the
    table that are shown, as a part of that figure. So it tells no suppressed cell anything new. Indicators
    whose figure for France is closed, or nothing, do not count.

    Returns:
        Per cent of each (``unit_type``, ``statistic``, ``breakdown``); none of a table without such an
        indicator.
    """
    shown = cells[cells["status"] == "V"].assign(breakdown=breakdown_of)
    of = ["unit_type", "statistic", "indicator"]
    whole = shown.loc[(shown["breakdown"] == "france") & (shown["numerator"] > 0), [*of, "numerator"]]
    tables = breakdown_of(cells).drop_duplicates().rename("breakdown")
    parts = shown.groupby([*of, "breakdown"])["numerator"].sum().rename("shown").reset_index()
    both = whole.merge(tables, how="cross").merge(parts, on=[*of, "breakdown"], how="left")
    hidden = 1.0 - (both["shown"].fillna(0.0) / both["numerator"]).clip(upper=1.0)
    return (100 * hidden.groupby([both[name] for name in _TABLE]).mean()).round(1)


def breakdown_of(cells: pd.DataFrame) -> pd.Series:
    """Which table of its indicator and statistic a cell is in."""
    return cells["geography"] + cells["size_class"].map({"total": ""}).fillna(" × size class")
