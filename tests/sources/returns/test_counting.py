"""Which return of a unit counts, and that every return is counted once."""

import datetime as dt
from pathlib import Path

import duckdb
import pytest

from asco_dagster.errors import SourceError
from asco_dagster.sources.returns import tables
from asco_dagster.sources.returns.questionnaire_form import Expected, Return, completeness
from asco_dagster.sources.returns.settling import Record, Window, require_all_counted, settle
from asco_dagster.storage.warehouse import write_table
from asco_testing.sources.made_returns import (
    OTHER_UNIT,
    SAMPLED,
    UNIT,
    answers,
    codebook,
    place_of,
    read,
    text,
    with_cell,
    workbook,
    zipped,
)


def _statuses(path: Path) -> dict[str, str]:
    frame = read(path).returns
    return dict(zip(frame["file"].str.removeprefix("r.zip/"), frame["status"], strict=True))


def test_the_newest_complete_return_counts(tmp_path: Path) -> None:
    files = {
        "old.xlsx": workbook(UNIT, "2015-10-01T08:00:00"),
        "new.xlsx": workbook(UNIT, "2015-11-01T08:00:00"),
        "newest but incomplete.xlsx": workbook(UNIT, "2015-12-01T08:00:00", share=0.3),
    }
    assert _statuses(zipped(tmp_path / "r.zip", files)) == {
        "old.xlsx": "superseded",
        "new.xlsx": "accepted",
        "newest but incomplete.xlsx": "superseded",
    }


def test_without_a_complete_one_the_newest_counts(tmp_path: Path) -> None:
    files = {
        "new.xlsx": workbook(UNIT, "2015-11-01T08:00:00", share=0.2),
        "old.xlsx": workbook(UNIT, "2015-10-01T08:00:00", share=0.5),
    }
    assert _statuses(zipped(tmp_path / "r.zip", files)) == {"new.xlsx": "accepted", "old.xlsx": "superseded"}


def test_a_broken_newer_return_does_not_hide_a_good_one(tmp_path: Path) -> None:
    tab, cell = place_of("integer")
    files = {
        "good.xlsx": workbook(UNIT, "2015-10-01T08:00:00"),
        "broken.xlsx": with_cell(workbook(UNIT, "2015-12-01T08:00:00"), tab, cell, text("beaucoup")),
    }
    found = read(zipped(tmp_path / "r.zip", files)).returns.set_index("file")
    assert list(found["status"]) == ["accepted", "refused"]
    assert found.loc["r.zip/broken.xlsx", "unit_code"] == UNIT


def test_the_same_file_twice_is_refused_once(tmp_path: Path) -> None:
    one = workbook(UNIT)
    found = read(
        zipped(tmp_path / "r.zip", {"a.xlsx": one, "copy of a.xlsx": one, "b.xlsx": workbook(OTHER_UNIT)})
    )
    assert found.counts == {"accepted": 2, "superseded": 0, "refused": 1, "ignored": 0}
    assert list(found.returns["reason"].dropna()) == ["duplicate_file"]
    assert found.answers.table().num_rows == 2 * len(answers())


def test_the_answers_of_a_superseded_return_are_not_loaded(tmp_path: Path) -> None:
    tab, cell = place_of("amount")
    new = with_cell(workbook(UNIT, "2015-11-01T08:00:00"), tab, cell, "><v>77</v></c>")
    path = zipped(tmp_path / "r.zip", {"new.xlsx": new, "old.xlsx": workbook(UNIT, "2015-10-01T08:00:00")})
    told = read(path).answers.table().to_pandas()
    assert set(told["source_file"]) == {"r.zip/new.xlsx"}
    assert not told.duplicated(["unit_code", "question"]).any()
    assert told.loc[told["source_cell"].eq(cell) & told["source_sheet"].eq(tab), "value"].tolist() == ["77"]


def test_completeness_counts_only_what_was_asked() -> None:
    form = Expected.of(codebook(), "2014", None)
    above, below = next(iter(form.behind.items()))
    everything = dict.fromkeys(range(len(form.places)), "1")
    closed = {number: value for number, value in everything.items() if number not in below} | {above: "0"}
    silent = {number: value for number, value in everything.items() if number not in below}
    answered_all_the_same = everything | {above: "0"}

    def share(given: dict[int, str]) -> float:
        return completeness(tuple(given), tuple(given.values()), form)

    assert share(everything) == 1.0
    assert share(closed) == 1.0
    assert share(answered_all_the_same) == 1.0
    assert share(silent) == pytest.approx(1 - len(below) / len(form.places))


def test_a_return_that_is_lost_stops_the_run() -> None:
    form = Expected.of(codebook(), "2014", None)
    one = Record("a", "commune", Return.of(form, UNIT, None, [0], ["1"], version=None))
    records = settle([one], Window(dt.date(2015, 9, 1), dt.date(2016, 3, 31)))
    assert require_all_counted(records, 1) == {"accepted": 1, "superseded": 0, "refused": 0}
    for delivered in (0, 2):
        with pytest.raises(SourceError, match="came in"):
            require_all_counted(records, delivered)


def test_the_moment_is_the_archives_when_the_workbook_has_none(tmp_path: Path) -> None:
    from asco_testing.sources.made_returns import repacked

    bare = repacked(workbook(UNIT), {"docProps/core.xml": None})
    assert list(read(zipped(tmp_path / "r.zip", {"a.xlsx": bare})).returns["submitted_at"]) == [
        "2015-11-03T10:00:00"
    ]


def test_without_a_sample_any_unit_may_answer(tmp_path: Path) -> None:
    path = zipped(tmp_path / "r.zip", {"a.xlsx": workbook("75056")})
    assert read(path, sampled=None).counts["accepted"] == 1
    assert read(path, sampled=SAMPLED).counts["refused"] == 1


def test_the_order_of_work_does_not_show(tmp_path: Path) -> None:
    codes = [f"01{number:03d}" for number in range(1, 100)]
    path = zipped(tmp_path / "r.zip", {f"{code}.xlsx": workbook(code) for code in codes})
    one, two = read(path, sampled=None, workers=1), read(path, sampled=None, workers=2)
    assert one.returns.equals(two.returns)
    assert one.answers.table().to_pandas().equals(two.answers.table().to_pandas())
    assert list(one.returns["unit_code"]) == codes


def test_answers_made_some_returns_at_a_time_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"{code}.xlsx": workbook(code) for code in (f"01{number:03d}" for number in range(1, 16))}
    found = read(zipped(tmp_path / "r.zip", files), sampled=None)
    at_once = found.answers.table()
    monkeypatch.setattr(tables, "GROUP", 4)
    assert found.answers.table().column("value").num_chunks == 4
    with duckdb.connect() as connection:
        connection.execute("create schema sources")
        write_table(connection, "raw_asco__answers", found.answers)
        stored = connection.sql("from sources.raw_asco__answers").to_arrow_table()
    assert stored.to_pylist() == at_once.to_pylist()


def test_a_return_gives_back_the_answers_that_it_was_given() -> None:
    form = Expected.of(codebook(), "2014", None)
    for given in ({}, {0: "1"}, {3: "12,5", 300 % len(form.places): "a\nb"}):
        packed = Return.of(form, UNIT, None, [*given], [*given.values()], version=None)
        assert dict(zip(packed.places, packed.values, strict=True)) == given
        assert packed.answers == len(given)
