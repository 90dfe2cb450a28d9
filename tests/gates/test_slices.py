"""A table judged in slices is told just as one that was read whole, whatever is expected and goes wrong."""

import json
import re
from collections.abc import Iterator
from typing import Any

import duckdb
import pandas as pd
import pytest

from asco_dagster.gates import large_table, repeats, slices
from asco_dagster.gates.data_docs import page_of, write_data_docs
from asco_dagster.gates.slices import Judged, evaluate_table
from asco_dagster.gates.suite import Suite, load_suite
from asco_dagster.gates.validation import GateResult, judge
from asco_dagster.layers import table_of
from asco_dagster.storage.places import EXPECTATIONS
from asco_dagster.storage.warehouse import read_table
from asco_dagster.waves import load_wave
from asco_testing.gates.sliced_cases import (
    ASSET,
    AT_ONCE,
    CASES,
    CONDITION,
    CONDITIONS,
    HOLES,
    ROWS,
    SOUND,
    START,
    SUITES,
    TABLES,
    WHOLE,
    asked,
    single_rows,
)

WAVE = load_wave("2014")


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Iterator[duckdb.DuckDBPyConnection]:
    monkeypatch.setattr(large_table, "ROWS_AT_ONCE", AT_ONCE)
    with duckdb.connect() as connection:
        for layer in ("sources", "staging", "estimation"):
            connection.execute(f"create schema {layer}")
        yield connection


def _suite(expectations: list[dict], key: tuple[str, ...] = ("code", "number")) -> Suite:
    return Suite(ASSET, {"name": ASSET, "meta": {"key": list(key)}, "expectations": expectations})


def _make(database: duckdb.DuckDBPyConnection, query: str, asset: str = ASSET, rows: int = ROWS) -> None:
    database.execute(f"create or replace table {table_of(asset)} as {query.format(rows=rows)}")


def _told(suite: Suite, judged: Judged) -> GateResult:
    return judge(suite, judged.outcome, judged.frame, WAVE, judged.rows)


def _counts(judged: Judged) -> list[dict]:
    """What GX tells beside examples of values."""
    return [
        {name: value for name, value in (one.result or {}).items() if not name.startswith("partial_")}
        for one in judged.outcome.results
    ]


def _assert_same(suite: Suite, database: duckdb.DuckDBPyConnection) -> GateResult:
    whole = evaluate_table(suite, database, WAVE, most=10**6)
    sliced = evaluate_table(suite, database, WAVE, most=0)
    told, expected = _told(suite, sliced), _told(suite, whole)
    for one, other in zip(told.verdicts, expected.verdicts, strict=True):
        assert one == other
    assert told == expected
    pd.testing.assert_frame_equal(
        pd.DataFrame(_counts(sliced)), pd.DataFrame(_counts(whole)), check_dtype=False
    )
    assert sliced.outcome.success is whole.outcome.success
    assert sliced.outcome.statistics == whole.outcome.statistics
    configs = [[one.expectation_config.to_json_dict() for one in j.outcome.results] for j in (sliced, whole)]
    assert configs[0] == configs[1]
    return told


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("table", TABLES)
def test_slices_tell_what_the_whole_table_tells(table: str, case: str, database) -> None:
    _make(database, TABLES[table])
    _assert_same(_suite(CASES[case]), database)


def test_the_cases_hold_and_fail_and_name_rows(database) -> None:
    """The comparisons above see expectations that hold, that fail, and rows beyond the first slice."""
    _make(database, HOLES)
    suites = [_suite(case) for case in CASES.values()]
    told = [v for one in suites for v in _told(one, evaluate_table(one, database, WAVE, most=0)).verdicts]
    by_kind: dict[str, set[bool]] = {}
    for verdict in told:
        by_kind.setdefault(verdict.expectation, set()).add(verdict.passed)
    assert {kind for kind, seen in by_kind.items() if True in seen} >= {"expect_column_values_to_be_between"}
    assert not {kind for kind, seen in by_kind.items() if False not in seen}
    assert max(len(verdict.offending) for verdict in told) == 10
    assert any(
        f"number={place - 3}" in one
        for v in told
        for one in v.offending
        for place in range(2 * AT_ONCE, ROWS)
    )


def test_every_kind_of_expectation_is_compared_and_none_is_read_whole(database, monkeypatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("whole columns were read")

    suites = [json.loads(path.read_text()) for path in EXPECTATIONS.rglob("*.json")]
    kinds = {one["type"] for suite in suites for one in suite["expectations"]}
    assert kinds <= {one["type"] for case in CASES.values() for one in case}
    monkeypatch.setattr(slices, "read_table", refuse)
    _make(database, HOLES)
    for case in CASES.values():
        evaluate_table(_suite(case), database, WAVE, most=0)


def test_what_is_not_known_is_judged_on_whole_columns(database) -> None:
    _make(database, HOLES)
    unknown = [
        asked("column_sum_to_be_between", column="number", max_value=1, **START),
        asked("column_mean_to_be_between", column="number", max_value=1, **START),
        asked("column_median_to_be_between", column="twice", max_value=1),
        asked("column_values_to_be_of_type", column="code", type_="int"),
        asked("compound_columns_to_be_unique", column_list=["twice", "letter"], **CONDITION),
        asked("column_values_to_be_unique", column="letter", **CONDITION),
    ]
    told = _assert_same(_suite(unknown, ("code", "kind")), database)
    assert [verdict.passed for verdict in told.verdicts].count(False) >= 3


def test_what_cannot_be_evaluated_is_told_as_on_the_whole_table(database) -> None:
    _make(database, HOLES)
    faulty = [
        asked("column_values_to_not_be_null", column="letter"),
        asked("column_values_to_be_between", column="letter", min_value=3),
        asked("column_values_to_not_be_null", "warning", column="not_there"),
        asked("column_values_to_be_unique", column="not_there"),
        asked("compound_columns_to_be_unique", column_list=["code", "not_there"]),
        asked("column_mean_to_be_between", column="letter", max_value=1),
        asked("column_mean_to_be_between", column="not_there", max_value=1),
        asked("column_distinct_values_to_contain_set", column="not_there", value_set=[1]),
    ]
    told = _assert_same(_suite(faulty), database)
    assert sum(verdict.fault is not None for verdict in told.verdicts) == 7


def test_what_faults_on_a_slice_only_is_judged_on_whole_columns(database) -> None:
    """GX counts pairs without heeding the condition, and refuses where they are more than its rows."""
    within = f"i between {AT_ONCE} and {2 * AT_ONCE - 1}"
    letter = f"case when {within} then 'a' end"
    _make(
        database,
        f"select {letter} as one, {letter} as other, if({within}, 0, 1) as number from range({{rows}}) r(i)",
    )
    pair = asked(
        "column_pair_values_to_be_in_set",
        column_A="one",
        column_B="other",
        value_pairs_set=[["a", "a"]],
        row_condition="number == 1",
        condition_parser="pandas",
    )
    (verdict,) = _assert_same(_suite([pair], ("number",)), database).verdicts
    assert verdict.fault is None


@pytest.mark.parametrize("key", [(), ("twice",), ("day", "even"), ("not_there",)])
def test_rows_are_named_by_any_key_or_by_their_number(key: tuple[str, ...], database) -> None:
    _make(database, HOLES)
    _assert_same(_suite(single_rows() + WHOLE, key), database)


def test_fractions_are_summed_as_well_as_pandas_does(database) -> None:
    _make(database, "select random() as x, 'k' || (i % 3) as kind from range({rows}) r(i)", rows=1000)
    sums = [
        asked(f"column_{kind}_to_be_between", column="x", max_value=1, **c)
        for kind in ("sum", "mean")
        for c in CONDITIONS[:2]
    ]
    seen = [
        [
            float(one.observed)
            for one in _told(
                _suite(sums, ()), evaluate_table(_suite(sums, ()), database, WAVE, most=most)
            ).verdicts
        ]
        for most in (0, 10**6)
    ]
    assert seen[0] == pytest.approx(seen[1], rel=1e-14)


@pytest.mark.parametrize("marks", [0, 1, 10**6])
def test_rows_whose_keys_only_share_a_hash_are_no_repeats(marks: int, database, monkeypatch) -> None:
    """A hash that is the same for all makes every row a suspect, and none guilty."""
    monkeypatch.setattr(repeats, "MARKS", marks)
    function = duckdb.FunctionExpression
    monkeypatch.setattr(
        duckdb,
        "FunctionExpression",
        lambda name, *args: duckdb.ConstantExpression(1) if name == "hash" else function(name, *args),
    )
    for query, found in ((SOUND, True), (HOLES, False)):
        _make(database, query)
        told = _assert_same(
            _suite([asked("compound_columns_to_be_unique", column_list=["code", "kind"])]), database
        )
        assert told.verdicts[0].passed is found


def test_a_table_that_was_doubled_is_told(database) -> None:
    _make(database, f"select * from ({SOUND}) union all select * from ({SOUND})")
    told = _assert_same(
        _suite([asked("compound_columns_to_be_unique", column_list=["code", "letter"])]), database
    )
    assert told.verdicts[0].observed == f"{2 * ROWS} unexpected of {2 * ROWS}"


def test_few_rows_at_a_time(database) -> None:
    _make(database, HOLES)
    frames = list(large_table.LargeTable.of(database, ASSET, ["code", "number"]).slices(["code", "number"]))
    assert len(frames) >= 4
    assert max(map(len, frames)) <= AT_ONCE
    assert [row for frame in frames for row in frame.index] == list(range(ROWS))


def test_slices_have_the_types_of_the_whole_table(database) -> None:
    _make(database, HOLES)
    columns = ["code", "number", "twice", "even", "part", "day"]
    whole = read_table(database, ASSET, columns)
    frames = list(large_table.LargeTable.of(database, ASSET, columns).slices(columns))
    assert frames[0]["number"].notna().all()
    assert all(frame.dtypes.equals(whole.dtypes) for frame in frames)
    pd.testing.assert_frame_equal(pd.concat(frames), whole)


@pytest.mark.parametrize(("bound", "judged_in_slices"), [(ROWS + 1, False), (ROWS, False), (ROWS - 1, True)])
def test_a_table_is_read_whole_up_to_the_bound(
    bound: int, judged_in_slices: bool, database, monkeypatch
) -> None:
    taken: list[str] = []
    read, of = slices.read_table, slices.LargeTable.of
    monkeypatch.setattr(slices, "read_table", lambda *given: taken.append("whole") or read(*given))
    monkeypatch.setattr(slices.LargeTable, "of", lambda *given: taken.append("slices") or of(*given))
    monkeypatch.setattr(slices, "SLICE", bound)
    _make(database, SOUND)
    judged = evaluate_table(_suite([asked("column_values_to_not_be_null", column="code")]), database, WAVE)
    assert taken == ["slices" if judged_in_slices else "whole"]
    assert judged.rows == ROWS
    assert len(judged.frame) == (0 if judged_in_slices else ROWS)


def test_the_bound_is_beyond_every_table_at_true_size() -> None:
    assert slices.SLICE == 2_000_000
    assert large_table.ROWS_AT_ONCE <= slices.SLICE


@pytest.mark.parametrize("doubled", [False, True])
@pytest.mark.parametrize("asset", SUITES)
def test_a_suite_as_it_stands_tells_the_same_and_has_its_page(
    asset: str, doubled: bool, database, tmp_path
) -> None:
    again = f" union all select * from ({SUITES[asset]})" if doubled else ""
    _make(database, f"select * from ({SUITES[asset]}){again}", asset)
    suite = load_suite(asset)
    told = _assert_same(suite, database)
    assert doubled is any(not one.passed and "unique" in one.expectation for one in told.verdicts)
    pages = []
    for most in (0, 10**6):
        folder = tmp_path / str(most)
        judged = evaluate_table(suite, database, WAVE, most=most)
        result = _told(suite, judged)
        result.write(folder / "gates")
        write_data_docs(judged.outcome, result, folder / "quality", folder / "gates")
        page = (folder / "quality" / page_of(asset)).read_text()
        pages.append(re.sub(r"\d{8}T\d{6}\.\d+Z|[0-9a-f-]{36}", "", page))
    assert pages[0] == pages[1]
