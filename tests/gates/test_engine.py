"""The engine of the gates saves work and changes nothing: every result is that of GX's own engine."""

from collections.abc import Callable

import duckdb
import pandas as pd
import pytest
from great_expectations.execution_engine import PandasExecutionEngine

from asco_dagster.gates import validation
from asco_dagster.gates.suite import Suite, load_suite
from asco_dagster.gates.validation import Verdict
from asco_dagster.layers import table_of
from asco_dagster.storage.places import EXPECTATIONS
from asco_dagster.storage.warehouse import columns_of, open_database, read_table
from asco_dagster.waves import Wave, load_wave
from asco_testing.gates.spoilt_rows import spoilt
from asco_testing.worlds.small_wave import SmallWave

ROWS = 20_000
ASSETS = sorted(path.stem for path in EXPECTATIONS.rglob("*.json"))


@pytest.fixture(scope="module")
def plain() -> Callable[[Suite, pd.DataFrame, Wave], list[Verdict]]:
    """What a gate makes of a suite that GX's own pandas engine evaluated, with nothing of ours between."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig
    from great_expectations.datasource.fluent import PandasDatasource

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PandasDatasource, "execution_engine_override", None)
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        source = context.data_sources.add_pandas("plain")
        assert type(source.get_execution_engine()) is PandasExecutionEngine
    whole = source.add_dataframe_asset("table").add_batch_definition_whole_dataframe("whole")
    form = {"result_format": "SUMMARY", "partial_unexpected_count": validation.SAMPLE}

    def verdicts(suite: Suite, frame: pd.DataFrame, wave: Wave) -> list[Verdict]:
        own = gx.ExpectationSuite(name=suite.asset, expectations=validation.numbered(suite))
        batch = whole.get_batch({"dataframe": frame})
        outcome = batch.validate(own, result_format=form, expectation_parameters=dict(wave.bounds))
        return validation.judge(suite, outcome, frame, wave).verdicts

    return verdicts


def _values(frame: pd.DataFrame) -> pd.DataFrame:
    """The values alone: text that is null throughout is objects to DuckDB and text to Arrow."""
    return frame.astype(object).where(frame.notna(), None)


@pytest.mark.parametrize("asset", ASSETS)
def test_every_result_is_that_of_gxs_own_engine(asset: str, small_wave: SmallWave, plain) -> None:
    suite = load_suite(asset)
    with open_database(small_wave.places.database("2014"), read_only=True) as database:
        present = list(columns_of(database, asset))
        wanted = [column for column in suite.columns() if column in present] or present[:1]
        table = database.table(table_of(asset)).select(*map(duckdb.ColumnExpression, wanted)).df()
        frame = read_table(database, asset, wanted)
    pd.testing.assert_frame_equal(_values(table), _values(frame))
    for rows, same in (
        (table.head(ROWS), frame.head(ROWS)),
        (spoilt(table.head(ROWS)), spoilt(frame.head(ROWS))),
    ):
        ours, theirs = validation.validate(suite, same, small_wave.wave), plain(suite, rows, small_wave.wave)
        assert ours.verdicts == theirs


def test_one_table_leaves_nothing_to_the_next() -> None:
    asked = {
        "type": "expect_column_values_to_be_between",
        "kwargs": {
            "column": "n",
            "min_value": 1,
            "row_condition": 'kind == "a"',
            "condition_parser": "pandas",
        },
        "severity": "critical",
        "meta": {"reason": "because", "condition_columns": ["kind"]},
    }
    suite = Suite("stg_x__y", {"name": "stg_x__y", "expectations": [asked]})
    good = pd.DataFrame({"n": [1, 0], "kind": ["a", "b"]})
    for table, passes in ((good, True), (good.assign(n=0), False), (good, True)):
        assert validation.validate(suite, table, load_wave("2014")).verdicts[0].passed is passes


def test_a_gate_changes_nothing_in_the_table() -> None:
    frame = pd.DataFrame({"code": ["a", "b", None]})
    before = frame.copy(deep=True)
    asked = {
        "type": "expect_column_values_to_be_in_set",
        "kwargs": {"column": "code", "value_set": ["a"]},
        "severity": "critical",
        "meta": {"reason": "because"},
    }
    validation.validate(
        Suite("stg_x__y", {"name": "stg_x__y", "expectations": [asked]}), frame, load_wave("2014")
    )
    pd.testing.assert_frame_equal(frame, before)
