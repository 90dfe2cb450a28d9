"""A suite on a data frame, which stands for the table of its asset."""

import duckdb
import pandas as pd

from asco_dagster.gates.results import GateResult
from asco_dagster.gates.suite import Suite
from asco_dagster.gates.validation import run_suite
from asco_dagster.layers import layer_of
from asco_dagster.storage.warehouse import write_table
from asco_dagster.waves import Wave


def validate(suite: Suite, frame: pd.DataFrame, wave: Wave) -> GateResult:
    """What the gate makes of the frame as a table in DuckDB, in which a column without a value is text."""
    empty = [name for name in frame if frame[name].dtype == object and frame[name].isna().all()]
    with duckdb.connect() as database:
        database.execute(f"create schema {layer_of(suite.asset)}")
        write_table(database, suite.asset, frame.astype(dict.fromkeys(empty, "string")))
        return run_suite(suite, database, wave)[1]
