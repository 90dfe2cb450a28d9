"""The disclosure log and what the UI shows of the suppression: counts by table, reasons, rules, tools.

Counts, reasons, and shares that anyone can compute from the release: none of it holds an
estimate of a suppressed cell, or was computed from one.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import pandas as pd

from asco_dagster.methods.disclosure.rules import KEYS, DisclosureRules
from asco_dagster.methods.disclosure.summary import breakdown_of, summary
from asco_dagster.methods.disclosure.versions import Version
from asco_dagster.releases.disclosure import tools


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
    """What is reported to the operator of corrections that do not show yet."""
    held = cells[cells["as_of"].notna()]
    return {
        "cells held back": len(held),
        "held back, by breakdown": ", ".join(
            f"{name}: {count}" for name, count in breakdown_of(held).value_counts().sort_index().items()
        )
        or "none",
    }


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


def _readable(table: pd.DataFrame) -> pd.DataFrame:
    percent = table["value_suppressed_percent"]
    text = percent.map("{:.1f} %".format).where(percent.notna(), "France's figures are closed")
    return table.assign(value_suppressed_percent=text).astype(object)


def closed_for_france(cells: pd.DataFrame) -> list[str]:
    """The cells of France that are closed, all sizes first, each with its reason; one entry a cell."""
    closed = cells[(cells["geography"] == "france") & (cells["status"] != "V")]
    first = closed.drop_duplicates(["unit_type", "indicator", "size_class"])
    ordered = first.sort_values("size_class", key=lambda size: size != "total", kind="stable")
    columns = ["unit_type", "indicator", "size_class", "reason"]
    return [f"{unit} {code} {size} ({why})" for unit, code, size, why in ordered[columns].to_numpy()]
