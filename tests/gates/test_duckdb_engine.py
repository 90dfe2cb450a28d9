"""The suites in DuckDB say what they say in data frames and in plain Great Expectations."""

import math
import re
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import pandas as pd
import pytest

from asco_dagster.gates.duckdb_engine import DuckDBEngine
from asco_dagster.gates.results import Verdict
from asco_dagster.gates.suite import Suite, load_suite
from asco_dagster.gates.validation import SAMPLE, great_expectations, run_suite
from asco_dagster.installation import EXPECTATIONS
from asco_dagster.layers import layer_of, table_of
from asco_dagster.storage.warehouse import open_database
from asco_dagster.waves import load_wave
from asco_testing.gates.judged_frame import validate, write_frame
from asco_testing.gates.spoilt_rows import spoilt
from asco_testing.worlds.small_wave import SmallWave

pytestmark = pytest.mark.xdist_group("small_wave")
ROWS = 20_000
ASSETS = sorted(path.stem for path in EXPECTATIONS.rglob("*.json"))
WAVE = load_wave("2014")
KEY = ("code", "kind")


def _plainly(suite: Suite) -> dict[str, Any]:
    """The content of a suite's file; of what it holds, only the number of each expectation is added."""
    numbered = [
        {**one, "meta": {**one["meta"], "number": number}}
        for number, one in enumerate(suite.expectations, start=1)
    ]
    return {**suite.content, "expectations": numbered}


def _by_number(outcome: Any) -> dict[int, Any]:
    return {result.expectation_config.meta["number"]: result for result in outcome.results}


@pytest.fixture(scope="module")
def source(small_wave: SmallWave) -> Iterator[Any]:
    """The wave's database as a data source of plain Great Expectations that knows the dialect."""
    import great_expectations as gx
    from great_expectations.datasource.fluent import SQLDatasource

    great_expectations()  # without progress bars
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SQLDatasource, "execution_engine_override", DuckDBEngine)
        path = small_wave.places.database("2014")
        arguments = {"connect_args": {"read_only": True}}
        context = gx.get_context(mode="ephemeral")
        yield context.data_sources.add_sql("wave", connection_string=f"duckdb:///{path}", kwargs=arguments)


@pytest.mark.filterwarnings("ignore:`schema_name` is deprecated")  # DuckDB's address names no schema
@pytest.mark.parametrize("asset", ASSETS)
def test_plain_great_expectations_validates_a_suite_file(asset: str, small_wave: SmallWave, source) -> None:
    import great_expectations as gx

    suite = load_suite(asset)
    table = source.add_table_asset(asset, table_name=asset, schema_name=layer_of(asset))
    outcome = (
        table.add_batch_definition_whole_table("whole")
        .get_batch()
        .validate(
            gx.ExpectationSuite(**_plainly(suite)),
            expectation_parameters=dict(small_wave.wave.bounds),
        )
    )
    source.get_engine().dispose()
    source.get_execution_engine().engine.dispose()  # DuckDB opens a file once in a process in one way
    with open_database(small_wave.places.database("2014"), read_only=True) as database:
        ours, result = run_suite(suite, database, small_wave.wave)
    assert len(outcome.results) == len(suite.expectations) == len(result.verdicts)
    plain, found = _by_number(outcome), _by_number(ours)
    assert {number: one.success for number, one in plain.items()} == {
        number: one.success for number, one in found.items()
    }


@pytest.fixture(scope="module")
def in_pandas() -> Callable[[Suite, pd.DataFrame, dict[str, float]], Any]:
    """What Great Expectations' own engine for data frames finds, with nothing of ours between."""
    gx, _ = great_expectations()
    source = gx.get_context(mode="ephemeral").data_sources.add_pandas("plain")
    whole = source.add_dataframe_asset("table").add_batch_definition_whole_dataframe("whole")
    form = {"result_format": "SUMMARY", "partial_unexpected_count": SAMPLE}

    def outcome(suite: Suite, frame: pd.DataFrame, bounds: dict[str, float]) -> Any:
        own = gx.ExpectationSuite(**_plainly(suite))
        batch = whole.get_batch({"dataframe": frame})
        return batch.validate(own, result_format=form, expectation_parameters=bounds)

    return outcome


def _same(one: Any, other: Any) -> bool:
    """The same number but for the last digits of a sum, or the same values in any order."""
    if isinstance(one, list):
        return sorted(map(str, one)) == sorted(map(str, other))
    if one is None or other is None or one != one:
        return other is None or other != other
    return math.isclose(one, other, rel_tol=1e-9)


def _named(suite: Suite, frame: pd.DataFrame, rows: list[int]) -> list[str]:
    return [_bare(" ".join(f"{name}={frame.at[row, name]!s}" for name in suite.key)) for row in rows]


def _bare(key: str) -> str:
    """A key without what pandas makes of a missing value and of whole numbers beside one."""
    return re.sub(r"=(nan|None|<NA>)(?= |$)", "=", re.sub(r"(\d)\.0(?= |$)", r"\1", key))


@pytest.mark.parametrize("asset", ASSETS)
def test_every_result_is_that_of_the_engine_for_data_frames(
    asset: str, small_wave: SmallWave, in_pandas
) -> None:
    suite, bounds = load_suite(asset), dict(small_wave.wave.bounds)
    with open_database(small_wave.places.database("2014"), read_only=True) as database:
        whole = database.table(table_of(asset)).limit(ROWS).df()
    for frame in (whole, spoilt(whole)):
        with duckdb.connect() as database:
            write_frame(database, asset, frame)
            back = database.table(table_of(asset)).df()
            outcome, result = run_suite(suite, database, small_wave.wave)
        theirs, ours = _by_number(in_pandas(suite, back, bounds)), _by_number(outcome)
        verdicts = dict(zip(ours, result.verdicts, strict=True))
        for number, expected in theirs.items():
            _assert_same(suite, back, expected, ours[number], verdicts[number])


def _assert_same(suite: Suite, frame: pd.DataFrame, expected: Any, found: Any, verdict: Verdict) -> None:
    kind = expected.expectation_config.type
    assert found.success is bool(expected.success), (
        kind,
        expected.result,
        found.result,
        found.exception_info,
    )
    for measure in ("element_count", "unexpected_count", "observed_value", "unexpected_percent"):
        one, other = (result.result.get(measure) for result in (expected, found))
        assert _same(one, other), (kind, measure, one, other)
    if expected.success:
        return
    rows = list(expected.result.get("partial_unexpected_index_list") or [])
    if "unique" in kind:  # any rows of keys that repeat
        assert len(verdict.offending) == len(rows)
    else:
        assert [_bare(key) for key in verdict.offending] == _named(suite, frame, rows)


def _suite(*expectations: dict[str, Any]) -> Suite:
    return Suite(
        "stg_x__y",
        {"name": "stg_x__y", "meta": {"key": list(KEY)}, "expectations": list(expectations)},
    )


def _asked(kind: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_{kind}", "kwargs": kwargs, "severity": "critical", "meta": {"reason": "so"}}


def test_keys_that_hold_a_null_repeat_too() -> None:
    frame = pd.DataFrame({"code": ["a", "a", "b"], "kind": [None, None, "k"], "n": [1, 2, 3]})
    asked = _asked("compound_columns_to_be_unique", column_list=list(KEY))
    (verdict,) = validate(_suite(asked), frame, WAVE).verdicts
    assert verdict.offending == ["code=a kind=None", "code=a kind=None"]
    assert verdict.unexpected_share == pytest.approx(2 / 3)
    assert validate(_suite(asked), frame[1:], WAVE).verdicts[0].passed


@pytest.mark.parametrize(
    "asked",
    [
        _asked("column_pair_values_a_to_be_greater_than_b", column_A="high", column_B="low", or_equal=True),
        _asked("column_pair_values_a_to_be_greater_than_b", column_A="high", column_B="low"),
        _asked("column_pair_values_to_be_in_set", column_A="high", column_B="low", value_pairs_set=[[2, 1]]),
        _asked("column_pair_values_to_be_equal", column_A="high", column_B="same"),
    ],
)
def test_a_pair_of_which_one_value_is_missing_does_not_pass(asked: dict) -> None:
    frame = pd.DataFrame({"code": list("ab"), "kind": list("kk"), "high": [2, 2], "low": [1, 1]})
    frame["same"] = frame["high"]
    assert validate(_suite(asked), frame, WAVE).verdicts[0].passed
    for column in {asked["kwargs"]["column_A"], asked["kwargs"]["column_B"]}:
        holed = frame.assign(**{column: frame[column].where(frame.index > 0)})
        assert validate(_suite(asked), holed, WAVE).verdicts[0].offending == ["code=a kind=k"], column


def test_what_is_not_a_number_is_missing() -> None:
    with duckdb.connect() as database:
        database.execute("create schema staging")
        database.execute(
            "create table staging.stg_x__y as select 'a' as code, 'k' as kind, 'nan'::double as n"
        )
        asked = [
            _asked("column_values_to_not_be_null", column="n"),
            _asked("column_values_to_be_between", column="n", max_value=1),
        ]
        _, result = run_suite(_suite(*asked), database, WAVE)
    assert [(one.passed, one.offending) for one in result.verdicts] == [
        (False, ["code=a kind=k"]),
        (True, []),
    ]


def test_the_connection_stays_open_and_the_database_as_it_was() -> None:
    with duckdb.connect() as database:
        database.execute("create schema staging")
        database.execute("create table staging.stg_x__y as select 'a' as code, 'k' as kind")
        before = database.execute("show all tables").fetchall()
        for value_set, passes in ((["a"], True), (["b"], False)):
            asked = _asked("column_values_to_be_in_set", column="code", value_set=value_set)
            assert run_suite(_suite(asked), database, WAVE)[1].verdicts[0].passed is passes
            database.execute("begin; commit")  # no transaction is left open
        after = database.execute("show all tables").fetchall()
    assert before == after


def test_no_data_frame_is_made_of_a_large_table() -> None:
    with duckdb.connect() as database:
        database.execute("create schema staging")
        database.execute(
            "create table staging.stg_x__y as"
            " select 'c' || i as code, 'k' as kind from range(1_000_000) as r(i)"
        )
        suite = _suite(
            _asked("compound_columns_to_be_unique", column_list=list(KEY)),
            _asked("column_values_to_match_regex", column="code", regex="^c[1-9]"),
        )
        run_suite(suite, database, WAVE)
        tracemalloc.start()
        try:
            _, result = run_suite(suite, database, WAVE)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert [one.offending for one in result.verdicts] == [[], ["code=c0 kind=k"]]
    assert peak < 8e6, f"{peak / 1e6:.0f} MB for a million rows"
