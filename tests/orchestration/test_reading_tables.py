"""Reading an asset's table: columns and rows that are asked for, in the order in which they were written."""

from pathlib import Path

import pandas as pd
import pytest

from asco_dagster.errors import AscoError
from asco_dagster.warehouse import open_database, read_table, write_table

ASSET = "stg_asco__answers"


@pytest.fixture
def database(tmp_path: Path):
    with open_database(tmp_path / "asco.duckdb") as connection:
        rows = pd.DataFrame(
            {"question": ["B", "A", "C", "A"], "value": ["4", None, "2", "1"], "n": [1, 2, 3, 4]}
        )
        write_table(connection, ASSET, rows)
        yield connection


def test_rows_are_those_whose_column_has_one_of_the_values(database) -> None:
    found = read_table(database, ASSET, ["n", "value"], only={"question": {"A", "C"}})
    assert found["n"].tolist() == [2, 3, 4]
    assert found["value"].fillna("").tolist() == ["", "2", "1"]
    both = read_table(database, ASSET, ["n"], only={"question": ["A"], "value": ["1"]})
    assert both["n"].tolist() == [4]


def test_no_value_is_no_row(database) -> None:
    assert read_table(database, ASSET, ["n", "question"], only={"question": []}).empty


def test_a_column_that_is_not_there_is_named(database) -> None:
    with pytest.raises(AscoError, match="column unit_id of table stg_asco__answers"):
        read_table(database, ASSET, ["n"], only={"unit_id": ["C01001"]})
