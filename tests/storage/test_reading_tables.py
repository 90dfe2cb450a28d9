"""Reading an asset's table: columns and rows that are asked for, in the order in which they were written."""

from pathlib import Path

import pandas as pd
import pytest

from asco_dagster.errors import AscoError
from asco_dagster.storage.warehouse import distinct_values, open_database, read_table, write_table

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


def test_categories_are_the_same_texts_in_alphabetical_order(database) -> None:
    found = read_table(database, ASSET, categories=["question", "value", "n"])
    assert found["question"].cat.categories.tolist() == ["A", "B", "C"]
    plain = read_table(database, ASSET)
    assert found["question"].astype(str).tolist() == plain["question"].tolist()
    assert found["value"].isna().tolist() == [False, True, False, False]
    assert found["n"].tolist() == plain["n"].tolist()


def test_distinct_values_are_those_of_the_rows_asked_for(database) -> None:
    assert sorted(distinct_values(database, ASSET, "question")) == ["A", "B", "C"]
    assert distinct_values(database, ASSET, "question", only={"value": ["1"]}).tolist() == ["A"]


def test_what_the_dead_spilled_goes_when_the_database_is_opened(tmp_path: Path) -> None:
    spilled = tmp_path / "spill" / "duckdb_temp_storage-0.tmp"
    spilled.parent.mkdir()
    spilled.write_bytes(b"answers of a run that was killed")
    with open_database(tmp_path / "asco.duckdb"):
        assert not spilled.exists()


@pytest.mark.slow
def test_a_query_larger_than_its_memory_spills_beside_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASCO_MEMORY", "40MiB")
    with open_database(tmp_path / "asco.duckdb") as connection:
        connection.execute("set threads = 1")
        told = connection.execute("select current_setting('memory_limit')").fetchone()
        assert told == ("40.0 MiB",)
        connection.execute(
            "create table t as select md5(i::varchar) as a from range(3000000) r(i) order by a"
        )
        assert (tmp_path / "spill").is_dir()
    assert not (tmp_path / "spill").exists() or not list((tmp_path / "spill").iterdir())


@pytest.mark.slow
def test_rows_asked_for_keep_their_order_and_their_numbers_in_a_large_table(tmp_path: Path) -> None:
    with open_database(tmp_path / "asco.duckdb") as connection:
        rows = pd.DataFrame({"n": range(1_500_000)})
        write_table(
            connection, ASSET, rows.assign(question=("Q" + (rows["n"] % 97).astype(str)).astype("string"))
        )
        wanted = {f"Q{number}" for number in range(60)}
        found = read_table(connection, ASSET, ["question", "n"], only={"question": wanted})
    assert found["n"].tolist() == rows.loc[rows["n"] % 97 < 60, "n"].tolist()
    assert (found["question"] == "Q" + (found["n"] % 97).astype(str)).all()
