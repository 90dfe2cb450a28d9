"""The disclosure log and what the UI shows of the suppression: counts by table, reasons, rules, tools.

Counts, reasons, and shares that anyone can compute from the release: no estimate of a suppressed cell stands
in any of it, and none was used to make it.
"""

import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import dagster as dg
import pandas as pd

from asco_dagster.methods.disclosure.rules import KEYS, DisclosureRules
from asco_dagster.methods.disclosure.versions import Version

_TABLE = ["unit_type", "statistic", "breakdown"]
TOOLS = ("highspy", "numpy", "pandas")


def disclosure_log(cells: pd.DataFrame, versions: Sequence[Version]) -> pd.DataFrame:
    """Why each cell is closed or held back.

    Args:
        cells: ``sec_asco__cells``.
        versions: the earlier versions, oldest first.

    Returns:
        ``KEYS``, ``status`` (``A``, ``B``, ``D``; ``V`` where an earlier number is shown), ``reason``,
        ``closed_since`` (the first version that closed it) and ``published_in`` (of a closed cell, a version
        that published a number of it); null where there is none.
    """
    logged = cells.loc[(cells["status"] != "V") | cells["as_of"].notna()]
    log = logged[[*KEYS, "status", "reason"]].copy()
    first = [
        one.cells.loc[one.cells["status"] != "V", list(KEYS)].assign(closed_since=one.name)
        for one in versions
    ]
    empty = pd.DataFrame(columns=[*KEYS, "closed_since"])
    since = pd.concat([empty, *first]).drop_duplicates(list(KEYS)) if first else empty
    log = log.merge(since, on=list(KEYS), how="left")
    shown = logged["published_in"].where((logged["status"] != "V") & (logged["published_in"] != ""))
    log["published_in"] = shown.to_numpy()
    log = log.astype({"closed_since": "string", "published_in": "string"})
    return log.sort_values(list(KEYS), ignore_index=True)


def held_back_metadata(cells: pd.DataFrame) -> dict[str, Any]:
    """What the operator is told of corrections that do not show yet."""
    held = cells[cells["as_of"].notna()]
    return {
        "cells held back": len(held),
        "held back, by breakdown": ", ".join(
            f"{name}: {count}" for name, count in _breakdown(held).value_counts().sort_index().items()
        )
        or "none",
    }


def summary(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells by status and table, and how much of the value they hold is not shown.

    Args:
        cells: result of ``protect``.

    Returns:
        One row a table: ``unit_type``, ``statistic``, ``breakdown``, ``cells``, ``released``, ``suppressed``
        and ``value_suppressed_percent``, see ``suppressed_percent``. By which rule is not in it: the rule of
        a cell would tell its value.
    """
    keyed = cells.assign(breakdown=_breakdown(cells))
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


def cells_metadata(
    cells: pd.DataFrame, rules: DisclosureRules, families: pd.DataFrame, seconds: float
) -> dict[str, Any]:
    """The disclosure report of the UI: cells by status, gap to the optimum, rules, tools, time."""
    counts = cells["status"].value_counts()
    loss, bound = float(families["loss"].sum()), float(families["bound"].sum())
    return {
        **{f"status {status}": int(counts.get(status, 0)) for status in "VABD"},
        "cells by status and table": dg.MetadataValue.table(
            [
                dg.TableRecord({str(name): value for name, value in row.items()})
                for row in _readable(summary(cells)).to_dict("records")
            ]
        ),
        "figures for France that are closed": ", ".join(closed_for_france(cells)) or "none",
        "families whose mask is proved the cheapest": f"{_proved(families)} of {len(families)}",
        "gap to the optimum at most": f"{(loss - bound) / loss:.1%}" if loss else "0.0%",
        "rules": dg.MetadataValue.json({name: getattr(rules, name) for name in rules.__dataclass_fields__}),
        "tools": dg.MetadataValue.json(tools()),
        "seconds": round(seconds, 1),
    }


def _proved(families: pd.DataFrame) -> int:
    return int((families["bound"] >= families["loss"] * (1 - 1e-6)).sum())


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
