"""The working database of a wave: one DuckDB file, confidential, one writer.

Opening it, writing an asset's table, reading columns of one. Identifiers come from ``layers`` only, so no
SQL is ever built from a name that someone typed. What does not belong here: what the tables mean.
"""

import contextlib
import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asco_dagster.durable import draft_of
from asco_dagster.errors import AscoError, ConfigurationError
from asco_dagster.layers import LAYERS, table_of
from asco_dagster.settings import Settings
from asco_dagster.storage.database_faults import (
    held_fault,
    holder_of,
    opening_fault,
    require_database,
    working_fault,
)
from asco_dagster.storage.encryption import SPILL, attach

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

PATIENCE = 60.0
"""Seconds that whoever opens a database waits for another process that has it open."""
_PAUSE = 0.5
_LOG = logging.getLogger(__name__)

PART = 2_000_000
"""Rows of a table that are read at once: more than any table of a wave at true size has."""


@contextmanager
def open_database(path: Path, *, read_only: bool = False) -> Iterator["duckdb.DuckDBPyConnection"]:
    """Open a wave's database; it is created with mode 0600 and the five schemas when it is not there.

    With ``ASCO_DATABASE_KEY`` it is encrypted. Where another process has it open, this waits ``PATIENCE``.

    Raises:
        AscoError: another process still has the database open, or the file is damaged or no database; or
            what was done within could not be written or read back (a full disk, a damaged file).
        ConfigurationError: it is encrypted and the key is missing or another.
    """
    import duckdb

    former = os.umask(0o077)
    try:
        connection = _opened(path, read_only=read_only)
    finally:
        os.umask(former)
    try:
        if not read_only:
            # whoever holds the database alone knows that what was spilled here belongs to the dead
            shutil.rmtree(path.parent / SPILL, ignore_errors=True)
            for layer in LAYERS:
                connection.execute(f"create schema if not exists {layer}")
        yield connection
    except (
        duckdb.IOException,
        duckdb.TransactionException,
        duckdb.FatalException,
        duckdb.InternalException,
    ) as error:
        raise working_fault(error, path) from error
    finally:
        connection.close()


def write_table(connection: "duckdb.DuckDBPyConnection", asset: str, rows: Any) -> None:
    """Replace an asset's table in one statement; a failure leaves the former table.

    Args:
        connection: the wave's database.
        asset: name of the asset.
        rows: a data frame, an Arrow table, or whatever else gives a stream of Arrow.
    """
    # from an object that gives a stream DuckDB has pyarrow read many pieces ahead, from a bare stream none
    connection.register("incoming", rows if hasattr(rows, "columns") else rows.__arrow_c_stream__())
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


def content_digest(connection: "duckdb.DuckDBPyConnection", asset: str) -> str | None:
    """Digest of an asset's table: its columns and their types, its rows and their order.

    It finds out accidents, not forgers: each row is hashed by DuckDB's own hash (64 bits), a million rows of
    five columns in some hundredths of a second.

    Args:
        connection: the wave's database, in no transaction: rows that are not committed have other numbers.
        asset: name of the asset.

    Returns:
        64 hexadecimal digits; None where there is no table of this name (a view is none).
    """
    is_table = connection.execute(
        "select count(*) from information_schema.tables"
        " where table_schema || '.' || table_name = ? and table_type = 'BASE TABLE'",
        [table_of(asset)],
    ).fetchone()
    if is_table != (1,):
        return None
    # the name was checked by table_of
    rows = connection.execute(
        f"select count(*), bit_xor(hash(rowid, whole_row)) from {table_of(asset)} as whole_row"  # noqa: S608
    ).fetchone()
    told = json.dumps([columns_of(connection, asset), rows])
    return hashlib.sha256(told.encode()).hexdigest()


def read_table(
    connection: "duckdb.DuckDBPyConnection",
    asset: str,
    columns: Sequence[str] | None = None,
    *,
    only: Mapping[str, Collection[str]] | None = None,
    categories: Collection[str] = (),
) -> "pd.DataFrame":
    """Read an asset's table, or some of its columns and rows, in the order in which it was written.

    Text comes through Arrow: DuckDB makes a Python object of each text, which pandas then puts into an Arrow
    array; on a million answers that took longer than what was done with them.

    Args:
        connection: the wave's database.
        asset: name of the asset.
        columns: those to read; None takes all.
        only: of each column named, the values that a row must have one of; None takes every row.
        categories: columns of few different texts to have as pandas' categories, in alphabetical order: a
            tenth of the memory.

    Raises:
        AscoError: the table or a column is not there.
    """
    present = _require_columns(connection, asset, [*(columns or ()), *(only or ())])
    import duckdb
    import pandas as pd

    wanted = list(columns or present)
    table = _rows_of(connection, asset, only or {})
    text = [name for name in wanted if present[name] == "VARCHAR"]
    others = [name for name in wanted if present[name] != "VARCHAR"]
    parts = []
    if text:
        chosen = table.select(*map(duckdb.ColumnExpression, text)).to_arrow_table()
        parts.append(_with_categories(chosen, categories))
    if others:
        parts.append(table.select(*map(duckdb.ColumnExpression, others)).df())
    return pd.concat(parts, axis="columns")[wanted]


def read_parts(
    connection: "duckdb.DuckDBPyConnection",
    asset: str,
    columns: Sequence[str],
    by: str,
    *,
    only: Mapping[str, Collection[str]] | None = None,
) -> Iterator["pd.DataFrame"]:
    """Read an asset's table some values of a column at a time, so that few rows are in memory at once.

    Args:
        connection: the wave's database.
        asset: name of the asset.
        columns: those to read.
        by: a text column; all rows with one value of it come together, in the order in which they stand.
        only: as for :func:`read_table`.

    Yields:
        Rows of so many values as have ``PART`` rows together; of one value where it has more. Every row of
        a wave at true size comes at once.

    Raises:
        AscoError: the table or a column is not there.
    """
    _require_columns(connection, asset, [*columns, by, *(only or ())])
    import duckdb

    own = duckdb.ColumnExpression(by)
    counted = _rows_of(connection, asset, only or {}).aggregate(
        [own, duckdb.FunctionExpression("count_star")], by
    )
    together: list[str] = []
    rows = 0
    for value, count in sorted(row for row in counted.fetchall() if row[0] is not None):
        if together and rows + count > PART:
            yield read_table(connection, asset, columns, only={**(only or {}), by: together})
            together, rows = [], 0
        together, rows = [*together, value], rows + count
    if together:
        yield read_table(connection, asset, columns, only={**(only or {}), by: together})


def distinct_values(
    connection: "duckdb.DuckDBPyConnection",
    asset: str,
    column: str,
    *,
    only: Mapping[str, Collection[str]] | None = None,
) -> "pd.Series":
    """The different texts of a column, in no order; arguments and errors as those of :func:`read_table`."""
    _require_columns(connection, asset, [column, *(only or ())])
    import duckdb

    values = _rows_of(connection, asset, only or {}).select(duckdb.ColumnExpression(column)).distinct()
    return values.to_arrow_table().to_pandas()[column]


def _require_columns(
    connection: "duckdb.DuckDBPyConnection", asset: str, wanted: Sequence[str]
) -> dict[str, str]:
    """The columns of a table and their types, which must hold those wanted."""
    present = columns_of(connection, asset)
    absent = [column for column in wanted if column not in present]
    if not present or absent:
        what = f"column {', '.join(absent)} of table {asset}" if present else f"table {asset}"
        raise AscoError(
            f"{what} is not in the wave's database", remedy=f"Materialise {asset} for this wave first"
        )
    return present


def _rows_of(
    connection: "duckdb.DuckDBPyConnection", asset: str, only: Mapping[str, Collection[str]]
) -> "duckdb.DuckDBPyRelation":
    """The rows asked for, in the order of the table.

    Not by IN: DuckDB makes a join of a long one, and a join loses the order of the rows, in which the
    columns of text and those of numbers are put side by side again.
    """
    from duckdb import ColumnExpression, ConstantExpression, FunctionExpression

    table = connection.table(table_of(asset))
    for name, values in only.items():
        among = sorted(values)
        if not among:
            return table.limit(0)
        own = ColumnExpression(name)
        # the range lets DuckDB pass over whole blocks of rows
        within = own.between(ConstantExpression(among[0]), ConstantExpression(among[-1]))
        table = table.filter(within & FunctionExpression("list_contains", ConstantExpression(among), own))
    return table


def _with_categories(table: Any, categories: Collection[str]) -> "pd.DataFrame":
    """An Arrow table of texts as a data frame, some of its columns as categories."""
    for place, name in enumerate(table.column_names):
        if name in categories:
            table = table.set_column(place, name, table.column(place).dictionary_encode())
    frame = table.to_pandas()
    for name in categories:
        if name in frame:
            frame[name] = frame[name].cat.reorder_categories(sorted(frame[name].cat.categories))
    return frame


def count_rows(connection: "duckdb.DuckDBPyConnection", asset: str) -> int:
    """Number of rows of an asset's table."""
    return len(connection.table(table_of(asset)))


def _opened(path: Path, *, read_only: bool) -> "duckdb.DuckDBPyConnection":
    """A connection to a database that is whole and free; a new one appears whole, or not at all."""
    import duckdb

    require_database(path)
    if not path.exists() and not read_only:
        _create(path)
    end, waits = time.monotonic() + PATIENCE, False
    while True:
        try:
            return _connect(path, read_only=read_only)
        except duckdb.CatalogException:
            raise ConfigurationError(
                "the wave's database is encrypted and no key is given",
                file=path,
                remedy="Set ASCO_DATABASE_KEY to the key with which it was written",
            ) from None
        except (duckdb.IOException, duckdb.InternalException, duckdb.SerializationException) as error:
            holder = holder_of(error)
            if holder is None:
                raise opening_fault(error, path) from error
            if time.monotonic() > end:
                raise held_fault(holder, path, PATIENCE) from error
        if not waits:
            _LOG.warning("%s is open in %s; waiting up to %.0f s", path, holder, PATIENCE)
            waits = True
        time.sleep(_PAUSE)


def _create(path: Path) -> None:
    """Make an empty database; of two processes that come at once the first one's stays."""
    draft = draft_of(path)
    draft.unlink(missing_ok=True)
    _connect(draft, read_only=False).close()
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()


def _connect(path: Path, *, read_only: bool) -> "duckdb.DuckDBPyConnection":
    import duckdb

    settings = Settings.from_environment()
    key = settings.database_key
    limits: Any = {"memory_limit": settings.memory, "temp_directory": str(path.parent / SPILL)}
    if not key:
        return duckdb.connect(str(path), read_only=read_only, config=limits)
    connection = duckdb.connect(":memory:", config=limits)
    try:
        attach(connection, path, key, read_only=read_only)
    except BaseException:
        connection.close()
        raise
    return connection
