"""The disclosure log and what the UI shows of the suppression: counts by table, reasons, rules, tools.

Counts and reasons only: no estimate of a suppressed cell stands in any of it.
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
_ENOUGH = 10  # suppressed cells from which a share of them tells none
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
    """Cells by status and table: counts only, all of which the released statuses tell as well.

    Returns:
        One row a table: ``unit_type``, ``statistic``, ``breakdown``, ``cells``, ``released``, ``frequency``,
        ``dominance``, ``secondary``, ``withheld_indicators``.
    """
    breakdown = cells["geography"] + cells["size_class"].map({"total": ""}).fillna(" × size class")
    keyed = cells.assign(breakdown=breakdown, withheld=cells["reason"].str.startswith("withheld whole"))
    rows = []
    for table, part in keyed.groupby(["unit_type", "statistic", "breakdown"], sort=True):
        counts = part["status"].value_counts()
        rows.append(
            {
                **dict(zip(("unit_type", "statistic", "breakdown"), table, strict=True)),
                "cells": len(part),
                "released": int(counts.get("V", 0)),
                "frequency": int(counts.get("A", 0)),
                "dominance": int(counts.get("B", 0)),
                "secondary": int(counts.get("D", 0)),
                "withheld_indicators": int(part.loc[part["withheld"], "indicator"].nunique()),
            }
        )
    return pd.DataFrame(rows)


def cells_metadata(cells: pd.DataFrame, rules: DisclosureRules, seconds: float) -> dict[str, Any]:
    """What the asset shows in the UI."""
    told = summary(cells).assign(**{"share of value suppressed": suppressed_share(cells).to_numpy()})
    counts = cells["status"].value_counts()
    withheld = cells.loc[cells["reason"].str.startswith("withheld whole"), ["unit_type", "indicator"]]
    named = sorted(map(" ".join, withheld.drop_duplicates().itertuples(index=False, name=None)))
    return {
        **{f"status {status}": int(counts.get(status, 0)) for status in "VABD"},
        "cells by status and table": dg.MetadataValue.table(
            [
                dg.TableRecord({str(name): value for name, value in row.items()})
                for row in told.astype(object).to_dict("records")
            ]
        ),
        "indicators withheld whole": ", ".join(named) or "none",
        "rules": dg.MetadataValue.json({name: getattr(rules, name) for name in rules.__dataclass_fields__}),
        "tools": dg.MetadataValue.json(tools()),
        "seconds": round(seconds, 1),
    }


def tools() -> dict[str, str]:
    """Versions of what computes masks and attacks."""
    return {"python": platform.python_version(), **{tool: version(tool) for tool in TOOLS}}


def suppressed_share(cells: pd.DataFrame) -> pd.Series:
    """Share of the numerators that is suppressed, by table in the order of ``summary``, mean of indicators.

    In percent, to a point, and 0 of fewer than ten suppressed cells: a figure for those who run the pipeline,
    not released, and too coarse to tell any cell.
    """
    breakdown = cells["geography"] + cells["size_class"].map({"total": ""}).fillna(" × size class")
    keyed = cells.assign(breakdown=breakdown, hidden=cells["numerator"].where(cells["status"] != "V", 0.0))
    table = ["unit_type", "statistic", "breakdown"]
    by = keyed.groupby([*table, "indicator"])[["hidden", "numerator"]].sum()
    share = (by["hidden"] / by["numerator"].where(by["numerator"] > 0)).fillna(0.0).groupby(table).mean()
    enough = (keyed["status"] != "V").groupby([keyed[name] for name in table]).sum() >= _ENOUGH
    return (100 * share).round(0).where(enough, 0.0)
