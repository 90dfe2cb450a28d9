"""The working database of a wave: one DuckDB file, confidential, one writer.

Opening it, writing an asset's table, reading columns of one. Identifiers come from ``layers`` only, so no
SQL is ever built from a name that someone typed. What does not belong here: what the tables mean.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asco_dagster.durable import sync
from asco_dagster.encryption import attach
from asco_dagster.errors import AscoError, ConfigurationError
from asco_dagster.layers import LAYERS, table_of
from asco_dagster.settings import Settings

if TYPE_CHECKING:
    import duckdb
    import pandas as pd


@contextmanager
def open_database(path: Path, *, read_only: bool = False) -> Iterator["duckdb.DuckDBPyConnection"]:
    """Open a wave's database; it is created with mode 0600 and the five schemas when it is not there.

    With ``ASCO_DATABASE_KEY`` it is encrypted.

    Raises:
        AscoError: another process has the database open, or the file is not a database of this kind.
        ConfigurationError: it is encrypted and the key is missing or another.
    """
    import duckdb

    former = os.umask(0o077)
    try:
        connection = _connect(path, read_only=read_only)
    except duckdb.CatalogException:
        raise ConfigurationError(
            "the wave's database is encrypted and no key is given",
            file=path,
            remedy="Set ASCO_DATABASE_KEY to the key with which it was written",
        ) from None
    except duckdb.IOException as error:
        raise AscoError(
            f"the wave's database cannot be opened: {_first_line(error)}",
            file=path,
            remedy="Wait for the run that holds it, or look for a process that died with “asco status”",
        ) from error
    finally:
        os.umask(former)
    try:
        if not read_only:
            for layer in LAYERS:
                connection.execute(f"create schema if not exists {layer}")
        yield connection
    finally:
        connection.close()


def write_table(connection: "duckdb.DuckDBPyConnection", asset: str, rows: Any) -> None:
    """Replace an asset's table in one statement; a failure leaves the former table.

    Args:
        connection: the wave's database.
        asset: name of the asset.
        rows: a data frame or an Arrow table.
    """
    connection.register("incoming", rows)
    try:
        # the name was checked by table_of
        connection.execute(f"create or replace table {table_of(asset)} as select * from incoming")  # noqa: S608
    finally:
        connection.unregister("incoming")


def columns_of(connection: "duckdb.DuckDBPyConnection", asset: str) -> dict[str, str]:
    """Columns of an asset's table and their DuckDB types; empty when the table is not there."""
    rows = connection.execute(
        "select column_name, data_type from information_schema.columns"
        " where table_schema || '.' || table_name = ? order by ordinal_position",
        [table_of(asset)],
    ).fetchall()
    return dict(rows)


def read_table(
    connection: "duckdb.DuckDBPyConnection",
    asset: str,
    columns: Sequence[str] | None = None,
    *,
    only: Mapping[str, Collection[str]] | None = None,
) -> "pd.DataFrame":
    """Read an asset's table, or some of its columns and rows, in the order in which it was written.

    Text comes through Arrow: DuckDB makes a Python object of each text, which pandas then puts into an Arrow
    array; on a million answers that took longer than what was done with them.

    Args:
        connection: the wave's database.
        asset: name of the asset.
        columns: those to read; None takes all.
        only: of each column named, the values that a row must have one of; None takes every row.

    Raises:
        AscoError: the table or a column is not there.
    """
    present = columns_of(connection, asset)
    absent = [column for column in (*(columns or ()), *(only or ())) if column not in present]
    if not present or absent:
        what = f"column {', '.join(absent)} of table {asset}" if present else f"table {asset}"
        raise AscoError(
            f"{what} is not in the wave's database", remedy=f"Materialise {asset} for this wave first"
        )
    import duckdb
    import pandas as pd

    wanted = list(columns or present)
    table = connection.table(table_of(asset))
    for name, values in (only or {}).items():
        among = [duckdb.ConstantExpression(value) for value in sorted(values)]
        table = table.filter(duckdb.ColumnExpression(name).isin(*among)) if among else table.limit(0)
    text = [name for name in wanted if present[name] == "VARCHAR"]
    others = [name for name in wanted if present[name] != "VARCHAR"]
    parts = []
    if text:
        chosen = table.select(*map(duckdb.ColumnExpression, text))
        parts.append(chosen.to_arrow_table().to_pandas())
    if others:
        parts.append(table.select(*map(duckdb.ColumnExpression, others)).df())
    return pd.concat(parts, axis="columns")[wanted]


def count_rows(connection: "duckdb.DuckDBPyConnection", asset: str) -> int:
    """Number of rows of an asset's table."""
    return len(connection.table(table_of(asset)))


def rewrite_database(path: Path, *, former: str | None = None, new: str | None = None) -> None:
    """Copy a wave's database into a new file that takes its place: nothing of what was dropped is left.

    Args:
        path: the file.
        former: its key; None takes that of the settings.
        new: the key of the new file; None keeps the former.

    Raises:
        AscoError: another process has it open.
        ConfigurationError: the key is not the file's.
    """
    import duckdb

    key = former or Settings.from_environment().database_key
    wanted = new or key
    draft = path.with_name(f".{path.name}.rewritten")
    umask = os.umask(0o077)
    try:
        draft.unlink(missing_ok=True)
        with duckdb.connect(":memory:") as connection:
            attach(connection, path, key, name="former", read_only=True)
            attach(connection, draft, wanted, name="rewritten")
            connection.execute("copy from database former to rewritten")
            connection.execute("use memory; detach rewritten; detach former")
        sync(draft)
        draft.replace(path)
        path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
    except duckdb.IOException as error:
        raise AscoError(
            f"the wave's database cannot be written anew: {_first_line(error)}",
            file=path,
            remedy="Wait for the run that holds it, or free disk space",
        ) from error
    finally:
        os.umask(umask)
        draft.unlink(missing_ok=True)


def _connect(path: Path, *, read_only: bool) -> "duckdb.DuckDBPyConnection":
    import duckdb

    key = Settings.from_environment().database_key
    if key is None:
        return duckdb.connect(str(path), read_only=read_only)
    connection = duckdb.connect(":memory:")
    try:
        attach(connection, path, key, read_only=read_only)
    except BaseException:
        connection.close()
        raise
    return connection


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].replace("IO Error: ", "")
