"""A suite on a data frame, which stands for the table of its asset."""

import functools

import duckdb
import pandas as pd

from asco_dagster.gates.results import GateResult
from asco_dagster.gates.suite import Suite
from asco_dagster.gates.validation import run_suite
from asco_dagster.layers import layer_of, table_of
from asco_dagster.storage.warehouse import write_table
from asco_dagster.waves import Wave


def write_frame(database: duckdb.DuckDBPyConnection, asset: str, frame: pd.DataFrame) -> None:
    """Write a frame as the table of an asset; a column without a value is text."""
    empty = [name for name in frame if frame[name].dtype == object and frame[name].isna().all()]
    database.execute(f"create schema if not exists {layer_of(asset)}")
    write_table(database, asset, frame.astype(dict.fromkeys(empty, "string")))


def validate(suite: Suite, frame: pd.DataFrame, wave: Wave) -> GateResult:
    """What the gate makes of the frame as a table in DuckDB."""
    database = _database()
    write_frame(database, suite.asset, frame)
    try:
        return run_suite(suite, database, wave)[1]
    finally:
        database.execute(f"drop table {table_of(suite.asset)}")


@functools.cache
def _database() -> duckdb.DuckDBPyConnection:
    """One for hundreds of frames: to open one, and Great Expectations on it, takes as long as to judge."""
    return duckdb.connect()
