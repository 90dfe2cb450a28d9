"""The disclosure log and what the UI shows of the suppression: counts by table, reasons, rules, tools.

Counts, reasons, and shares that anyone can compute from the release: no estimate of a suppressed cell stands
in any of it, and none was used to make it.
"""

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import dagster as dg
import pandas as pd

from asco_dagster.methods.disclosure import DisclosureRules
from asco_dagster.methods.disclosure.earlier import closed_before, still_true
from asco_dagster.methods.disclosure.rules import CELL, KEYS

_PLACE = ["unit_type", "indicator", *CELL]
_TABLE = ["unit_type", "statistic", "breakdown"]
TOOLS = ("highspy", "numpy", "pandas")


def disclosure_log(cells: pd.DataFrame, former: pd.DataFrame, steps: Mapping[str, float]) -> pd.DataFrame:
    """Why each suppressed cell of a table is closed.

    Args:
        cells: result of ``protect``.
        former: cells of the earlier releases.
        steps: rounding step of each statistic.

    Returns:
        ``KEYS``, ``status``, ``reason``, ``closed_since`` (the first version that closed it) and
        ``published_in`` (a version that published the number it still has); null where there is none.
    """
    closed = cells.loc[cells["status"] != "V", [*KEYS, "status", "reason"]]
    since = closed_before(former)[[*_PLACE, "version"]].rename(columns={"version": "closed_since"})
    shown = still_true(former, cells, steps)[[*KEYS, "version"]].rename(columns={"version": "published_in"})
    log = closed.merge(since, on=_PLACE, how="left").merge(shown, on=list(KEYS), how="left")
    log = log.astype({"closed_since": "string", "published_in": "string"})
    return log.sort_values(list(KEYS), ignore_index=True)


def summary(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells by status and table, and how much of the value they hold is not shown.

    Args:
        cells: result of ``protect``.

    Returns:
        One row a table: ``unit_type``, ``statistic``, ``breakdown``, ``cells``, ``released``, ``frequency``,
        ``dominance``, ``secondary``, ``withheld_indicators`` and ``value_suppressed_percent``, see
        ``suppressed_percent``.
    """
    keyed = cells.assign(
        breakdown=_breakdown(cells), withheld=cells["reason"].str.startswith("withheld whole")
    )
    hidden = suppressed_percent(cells)
    rows = []
    for table, part in keyed.groupby(_TABLE, sort=True):
        counts = part["status"].value_counts()
        rows.append(
            {
                **dict(zip(_TABLE, table, strict=True)),
                "cells": len(part),
                "released": int(counts.get("V", 0)),
                "frequency": int(counts.get("A", 0)),
                "dominance": int(counts.get("B", 0)),
                "secondary": int(counts.get("D", 0)),
                "withheld_indicators": int(part.loc[part["withheld"], "indicator"].nunique()),
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
    shown = cells[cells["status"] == "V"].assign(breakdown=_breakdown)
    of = ["unit_type", "statistic", "indicator"]
    whole = shown.loc[(shown["breakdown"] == "france") & (shown["numerator"] > 0), [*of, "numerator"]]
    tables = _breakdown(cells).drop_duplicates().rename("breakdown")
    parts = shown.groupby([*of, "breakdown"])["numerator"].sum().rename("shown").reset_index()
    both = whole.merge(tables, how="cross").merge(parts, on=[*of, "breakdown"], how="left")
    hidden = 1.0 - (both["shown"].fillna(0.0) / both["numerator"]).clip(upper=1.0)
    return (100 * hidden.groupby([both[name] for name in _TABLE]).mean()).round(1)


def _breakdown(cells: pd.DataFrame) -> pd.Series:
    """Which table of its indicator and statistic a cell stands in."""
    return cells["geography"] + cells["size_class"].map({"total": ""}).fillna(" × size class")


def cells_metadata(cells: pd.DataFrame, rules: DisclosureRules, seconds: float) -> dict[str, Any]:
    """The disclosure report of the UI: cells by status, share suppressed, rules, tools, time."""
    counts = cells["status"].value_counts()
    withheld = cells.loc[cells["reason"].str.startswith("withheld whole"), ["unit_type", "indicator"]]
    named = sorted(map(" ".join, withheld.drop_duplicates().itertuples(index=False, name=None)))
    return {
        **{f"status {status}": int(counts.get(status, 0)) for status in "VABD"},
        "cells by status and table": dg.MetadataValue.table(
            [
                dg.TableRecord({str(name): value for name, value in row.items()})
                for row in _readable(summary(cells)).to_dict("records")
            ]
        ),
        "figures for France that are closed": ", ".join(closed_for_france(cells)) or "none",
        "indicators withheld whole": ", ".join(named) or "none",
        "rules": dg.MetadataValue.json({name: getattr(rules, name) for name in rules.__dataclass_fields__}),
        "tools": dg.MetadataValue.json(tools()),
        "seconds": round(seconds, 1),
    }


def _readable(told: pd.DataFrame) -> pd.DataFrame:
    percent = told["value_suppressed_percent"]
    text = percent.map("{:.1f} %".format).where(percent.notna(), "France's figures are closed")
    return told.assign(value_suppressed_percent=text).astype(object)


def closed_for_france(cells: pd.DataFrame) -> list[str]:
    """The cells of France that are closed, all sizes first, each with its reason; one entry a cell."""
    closed = cells[(cells["geography"] == "france") & (cells["status"] != "V")]
    first = closed.drop_duplicates(["unit_type", "indicator", "size_class"])
    ordered = first.sort_values("size_class", key=lambda size: size != "total", kind="stable")
    columns = ["unit_type", "indicator", "size_class", "reason"]
    return [f"{unit} {code} {size} ({why})" for unit, code, size, why in ordered[columns].to_numpy()]


def tools() -> dict[str, str]:
    """Versions of what computes masks and attacks."""
    return {"python": platform.python_version(), **{tool: version(tool) for tool in TOOLS}}
