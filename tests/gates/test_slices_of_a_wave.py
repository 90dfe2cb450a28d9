"""Suites judged in slices on the tables of a wave that ran tell what they tell of the whole table.

Only of the tables that grow with the sample and the frame: no other is ever large enough.
"""

import dataclasses

import duckdb
import pytest

from asco_dagster.gates import large_table
from asco_dagster.gates.slices import evaluate_table
from asco_dagster.gates.suite import load_suite
from asco_dagster.gates.validation import Verdict, judge
from asco_dagster.layers import LAYERS, table_of
from asco_dagster.storage.warehouse import open_database, read_table, write_table
from asco_testing.gates.spoilt_rows import spoilt
from asco_testing.worlds.small_wave import SmallWave

ROWS = 6_000
ASSETS = (
    "raw_asco__answers",
    "raw_dgcl__epci_members",
    "raw_insee__legal_populations",
    "stg_asco__answers",
    "stg_asco__given",
    "stg_asco__units",
    "stg_territory__communes",
    "est_asco__indicators",
)
ADDED = ("expect_column_sum_to_be_between", "expect_column_mean_to_be_between")


def _bare(verdict: Verdict) -> Verdict:
    """A verdict without the last digits of a sum of fractions, which depend on the order of summing."""
    if verdict.expectation not in ADDED or not verdict.observed:
        return verdict
    return dataclasses.replace(verdict, observed=f"{float(verdict.observed):.12g}")


@pytest.mark.parametrize("asset", ASSETS)
def test_a_suite_tells_the_same_in_slices(asset: str, small_wave: SmallWave, monkeypatch) -> None:
    suite = load_suite(asset)
    with open_database(small_wave.places.database("2014"), read_only=True) as database:
        frame = read_table(database, asset).head(ROWS)
    monkeypatch.setattr(large_table, "ROWS_AT_ONCE", max(1, len(frame) // 3))
    with duckdb.connect() as database:
        for layer in LAYERS:
            database.execute(f"create schema {layer}")
        for rows in (frame, spoilt(frame)):
            write_table(database, asset, rows)
            assert database.table(table_of(asset)).shape[0] == len(rows)
            judged = [evaluate_table(suite, database, small_wave.wave, most=most) for most in (0, 10**9)]
            told = [judge(suite, one.outcome, one.frame, small_wave.wave, one.rows) for one in judged]
            for one, other in zip(told[0].verdicts, told[1].verdicts, strict=True):
                assert _bare(one) == _bare(other)
            assert told[0].rows == told[1].rows == len(rows)
