"""Open cells by level, of this version and the one before: counted by hand, from released cells alone."""

from pathlib import Path

import pandas as pd
import pytest

from asco_dagster.publication.quality_report.openness import former_cells, open_by_level
from asco_dagster.releases.store import MANIFEST, ReleaseStore
from asco_testing.worlds.tiny_content import cells


def _rows(*statuses: str, geography: str = "region", size: str = "total") -> pd.DataFrame:
    fixed = {"unit_type": "commune", "statistic": "share", "geography": geography, "size_class": size}
    return pd.DataFrame([{**fixed, "status": status} for status in statuses])


def test_cells_are_counted_by_level_and_statuses_of_before_are_read() -> None:
    now = pd.concat([_rows("V", "V", "c", "V"), _rows("V", geography="france", size="1_lt500")])
    before = pd.concat([_rows("V", "A", "B", "D"), _rows("V", "D", geography="departement")])
    told = open_by_level(now, before)
    assert [tuple(row.values()) for row in told] == [
        ("commune", "share", "france × size", 1, 1, 1.0, None, None, None),
        ("commune", "share", "region", 4, 3, 0.75, 4, 1, 0.25),
        ("commune", "share", "departement", None, None, None, 2, 1, 0.5),
    ]


def test_every_cell_of_a_release_is_counted_once() -> None:
    frame = cells()
    told = open_by_level(frame)
    assert sum(row["cells"] for row in told) == len(frame)
    assert sum(row["open"] for row in told) == (frame["status"] == "V").sum()
    assert all(row["former_cells"] is None for row in told)


def test_the_version_before_is_the_newest_with_other_cells(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path / "releases", tmp_path / "sealed", tmp_path / "withdrawn")
    assert former_cells(cells(), store) is None
    first = cells()
    first.loc[first["status"] == "V", "estimate"] -= 0.05
    for version, frame in (("1.0.0", first), ("2.0.0", cells())):
        tables = store.releases / version / "tables"
        tables.mkdir(parents=True)
        (tables.parent / MANIFEST).write_text("{}")
        frame.to_parquet(tables / "asco_cells.parquet")
    found = former_cells(cells(), store)
    assert found is not None
    assert found["estimate"].sum() == pytest.approx(first["estimate"].sum())
