"""The report's history of public versions: other numbers only, and nothing that this version suppresses."""

from pathlib import Path

import pandas as pd
import pytest

from asco_dagster.publication.quality_report import drawings
from asco_dagster.publication.quality_report.versions import Versions, national_versions
from asco_dagster.questionnaires.tables import indicators_table
from asco_dagster.releases.store import MANIFEST, ReleaseStore
from asco_dagster.waves import load_wave
from asco_testing.worlds.tiny_content import NUMBERS, cells

INDICATORS = indicators_table(load_wave("2014"))


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(tmp_path / "releases", tmp_path / "sealed", tmp_path / "withdrawn")


def _release(store: ReleaseStore, version: str, frame: pd.DataFrame) -> None:
    tables = store.releases / version / "tables"
    tables.mkdir(parents=True)
    (tables.parent / MANIFEST).write_text("{}")
    frame.to_parquet(tables / "asco_cells.parquet")


def _national(frame: pd.DataFrame, status: str) -> pd.Series:
    return (
        (frame["geography"] == "france")
        & (frame["size_class"] == "total")
        & (frame["statistic"] == "share")
        & (frame["status"] == status)
    )


def test_the_first_version_and_one_that_says_the_same_have_no_history(store: ReleaseStore) -> None:
    assert national_versions(cells(), INDICATORS, store).rows == []
    _release(store, "1.0.0", cells())
    assert national_versions(cells(), INDICATORS, store) == Versions([""], [])


def test_each_version_that_said_something_else_is_a_column(store: ReleaseStore) -> None:
    first, second = cells(), cells()
    chosen = _national(first, "V")
    first.loc[chosen, "estimate"] -= 0.05
    _release(store, "1.0.0", first)
    _release(store, "2.0.0", cells())
    told = national_versions(second, INDICATORS, store)
    assert told.names == ["1.0.0", ""]
    assert len(told.rows) == chosen.sum()
    assert all(row["values"][1] - row["values"][0] == pytest.approx(0.05) for row in told.rows)


def test_a_share_that_is_suppressed_now_is_not_shown_again(store: ReleaseStore) -> None:
    now = cells()
    hidden = _national(now, "V")
    first_hidden = hidden[hidden].index[:1]
    now.loc[first_hidden, "status"] = "c"
    now.loc[first_hidden, NUMBERS] = None
    _release(store, "1.0.0", cells())
    told = national_versions(now, INDICATORS, store)
    assert len(told.rows) == hidden.sum() - 1
    assert all(row["values"][-1] is not None for row in told.rows)


def test_a_drawing_shows_each_share_that_is_known() -> None:
    drawn = drawings.dots([("a <b>", [0.1, None, 0.3]), ("c", [None, 0.5, 0.6])], "title")
    assert drawn.count("<circle") == 4
    assert "a &lt;b&gt;" in drawn
