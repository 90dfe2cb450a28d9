"""A table that anything but its step wrote is found out, whatever was done to it."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from asco_dagster.errors import AscoError
from asco_dagster.orchestration.contents import (
    contents_of,
    forget_contents,
    record_contents,
    require_recorded,
)
from asco_dagster.storage.warehouse import open_database, rewrite_database

ASSET = "stg_territory__communes"
TABLE = f"staging.{ASSET}"
MADE = f"create or replace table {TABLE} as select i as population, 'c' || i as code from range(5000) r(i)"

TAMPERED = {
    "one value": f"update {TABLE} set population = 0 where code = 'c4711'",
    "one value, as long": f"update {TABLE} set code = 'c9999' where code = 'c4711'",
    "two values exchanged": f"update {TABLE} set population = case code when 'c1' then 2 else 1 end"
    " where code in ('c1', 'c2')",
    "a row more": f"insert into {TABLE} values (1, 'c1')",
    "a row less": f"delete from {TABLE} where code = 'c1'",
    "a row exchanged": f"delete from {TABLE} where code = 'c1'; insert into {TABLE} values (1, 'c1')",
    "no row": f"truncate {TABLE}",
    "another order": f"create or replace table {TABLE} as from {TABLE} order by code desc",
    "another type": f"alter table {TABLE} alter population type integer",
    "another name": f"alter table {TABLE} rename population to inhabitants",
    "a column more": f"alter table {TABLE} add column note varchar",
    "a column less": f"alter table {TABLE} drop column code",
    "columns exchanged": f"create or replace table {TABLE} as select code, population from {TABLE}",
    "a null": f"update {TABLE} set code = null where code = 'c1'",
    "gone": f"drop table {TABLE}",
    "renamed away": f"alter table {TABLE} rename to elsewhere",
    "a view of the same rows": f"alter table {TABLE} rename to elsewhere;"
    f" create view {TABLE} as from staging.elsewhere",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "asco.duckdb"


@pytest.fixture
def database(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in which the step of the asset wrote its table."""
    with open_database(path) as connection:
        connection.execute(MADE)
        record_contents(connection, [ASSET])
        yield connection


@pytest.mark.parametrize("kind", TAMPERED)
def test_whatever_is_done_to_a_table_is_found_out(
    database: duckdb.DuckDBPyConnection, path: Path, kind: str
) -> None:
    assert contents_of(database, ASSET) == "recorded"
    database.close()
    with duckdb.connect(str(path)) as by_hand:
        by_hand.execute(TAMPERED[kind])
    with open_database(path) as again:
        assert contents_of(again, ASSET) == "altered"


def test_the_same_rows_written_again_are_the_same(database: duckdb.DuckDBPyConnection, path: Path) -> None:
    database.execute(MADE)
    assert contents_of(database, ASSET) == "recorded"
    database.begin()
    database.execute(MADE)
    database.commit()
    assert contents_of(database, ASSET) == "recorded"
    database.close()
    rewrite_database(path)
    with open_database(path) as again:
        assert contents_of(again, ASSET) == "recorded"


def test_nothing_is_made_of_a_table_that_its_step_did_not_write(database: duckdb.DuckDBPyConnection) -> None:
    require_recorded(database, [ASSET, "stg_territory__epci"])  # the second is not there at all
    database.execute(TAMPERED["one value"])
    with pytest.raises(AscoError) as refused:
        require_recorded(database, [ASSET])
    assert str(refused.value) == (
        f"table {ASSET} was written by something other than its step and is not used."
        f" Run the wave again, or materialize {ASSET} first: its step rebuilds it."
    )
    forget_contents(database, [ASSET])  # as of a step that was killed before it recorded
    assert contents_of(database, ASSET) == "unrecorded"
    with pytest.raises(AscoError, match="written by something other than its step"):
        require_recorded(database, [ASSET])
