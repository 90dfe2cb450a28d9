"""How many of the released cells are open, by level, beside the version before.

Made of released cells only, so that it says nothing that a reader could not count.
"""

from typing import Any

import pandas as pd

from asco_dagster.publication.quality_report.earlier import other_cells
from asco_dagster.releases.store import ReleaseStore

_TABLE = ["unit_type", "statistic", "level"]
LEVELS = ("france", "france × size", "region", "region × size", "departement")


def open_by_level(cells: pd.DataFrame, former: pd.DataFrame | None = None) -> list[dict[str, Any]]:
    """Open cells of each table of a release, and of the version before.

    Args:
        cells: released cells: ``unit_type``, ``statistic``, ``geography``, ``size_class``, ``status``.
        former: those of the version before; None where there is none.

    Returns:
        ``unit_type``, ``statistic``, ``level`` (of ``LEVELS``), ``cells``, ``open``, ``share`` and
        ``former_cells``, ``former_open``, ``former_share``, None where a version has no such table; by unit
        type and statistic, France first.
    """
    now, before = _counts(cells), _counts(former) if former is not None else {}
    order = sorted({*now, *before}, key=lambda table: (*table[:2], LEVELS.index(table[2])))
    nothing = (None, None, None)
    rows = []
    for table in order:
        these, others = now.get(table, nothing), before.get(table, nothing)
        figures = dict(zip(("cells", "open", "share"), these, strict=True))
        figures |= dict(zip(("former_cells", "former_open", "former_share"), others, strict=True))
        rows.append({**dict(zip(_TABLE, table, strict=True)), **figures})
    return rows


def former_cells(cells: pd.DataFrame, store: ReleaseStore) -> pd.DataFrame | None:
    """Cells of the newest version that published other ones than these; None where there is none."""
    return next((before for _, before in other_cells(cells, store, reversed(store.public()))), None)


def _counts(cells: pd.DataFrame) -> dict[tuple[str, str, str], tuple[int, int, float]]:
    by_size = cells["size_class"] != "total"
    level = cells["geography"].astype(str) + by_size.map({True: " × size", False: ""})
    keyed = cells.assign(level=level, is_open=cells["status"] == "V")
    return {
        (str(unit_type), str(statistic), str(name)): (len(part), int(part.sum()), float(part.mean()))
        for (unit_type, statistic, name), part in keyed.groupby(_TABLE)["is_open"]
    }
