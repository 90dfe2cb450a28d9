"""Shares of France as each public version of the wave has them: the history that anyone may read.

Other waves are left out: what a release says must not depend on which wave was released first.
"""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from asco_dagster.publication.quality_report.earlier import other_cells
from asco_dagster.releases.store import ReleaseStore

SHOWN = 5  # earlier versions of the wave, the newest ones

Shares = dict[tuple[str, str], float]


@dataclass(frozen=True)
class Versions:
    """Shares over France, version by version.

    Attributes:
        names: of the versions, oldest first, the last being this one.
        rows: ``unit_type``, ``label_fr``, ``label_en`` and ``values``, a share or None for each version.
    """

    names: list[str]
    rows: list[dict[str, Any]]


def national_versions(cells: pd.DataFrame, indicators: pd.DataFrame, store: ReleaseStore) -> Versions:
    """Compare what public versions of a wave say of France.

    Args:
        cells: its released cells.
        indicators: ``unit_type``, ``indicator``, ``label_fr``, ``label_en`` of its indicators.
        store: its versions.

    Returns:
        No row where no earlier version had other cells; None for a share that an earlier version lacks. A
        share that this version suppresses has no row.
    """
    earlier = other_cells(cells, store, store.public()[-SHOWN:])
    shares_by_version = [*((version, _shares(before)) for version, before in earlier), ("", _shares(cells))]
    rows = []
    for known in indicators.drop_duplicates(["unit_type", "indicator"]).itertuples(index=False):
        values = [shares.get((str(known.unit_type), str(known.indicator))) for _, shares in shares_by_version]
        # what this version suppresses is not repeated, though an earlier one had it
        if values[-1] is not None and any(value is not None for value in values[:-1]):
            words = {name: getattr(known, name) for name in ("unit_type", "label_fr", "label_en")}
            rows.append({**words, "values": values})
    return Versions([name for name, _ in shares_by_version], rows)


def _shares(cells: pd.DataFrame) -> Shares:
    """Released shares over France, all sizes together."""
    wanted = (
        (cells["statistic"] == "share")
        & (cells["geography"] == "france")
        & (cells["size_class"] == "total")
        & (cells["status"] == "V")
    )
    released = cells[wanted].dropna(subset=["estimate"])
    keys = zip(released["unit_type"].astype(str), released["indicator"].astype(str), strict=True)
    return dict(zip(keys, released["estimate"].astype(float).tolist(), strict=True))
