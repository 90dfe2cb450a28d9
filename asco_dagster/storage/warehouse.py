"""The working database of a wave: one DuckDB file, confidential, one writer.

Table names come from ``layers`` only, so that no SQL is built from a name that someone typed.
"""

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asco_dagster.durable import create_once, draft_of, private_files, sync
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
"""Seconds to wait for another process that has the database open."""
_PAUSE = 0.5
_LOG = logging.getLogger(__name__)


@contextmanager
def open_database(path: Path, *, read_only: bool = False) -> Iterator["duckdb.DuckDBPyConnection"]:
    """Open a wave's database; it is created with mode 0600 and the five schemas if missing.

    With ``ASCO_DATABASE_KEY`` it is encrypted. Where another process has it open, this waits ``PATIENCE``.

    Raises:
        AscoError: another process still has it open, it is damaged or not a database, or reading or writing
            within failed (a full disk, a damaged file).
        ConfigurationError: it is encrypted and the key is missing or wrong.
    """
    import duckdb

    with private_files():
        connection = _opened(path, read_only=read_only)
    try:
        if not read_only:
            # this process has the database alone: what was spilled is of killed processes
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
    """Replace an asset's table in one statement; on failure the former table remains.

    ``rows`` is a data frame, an Arrow table, or another source of an Arrow stream.
    """
    # from an object that gives a stream DuckDB has pyarrow read many pieces ahead, from a bare stream none
    connection.register("incoming", rows if hasattr(rows, "columns") else rows.__arrow_c_stream__())
    try:
        # the name was checked by table_of
        connection.execute(f"create or replace table {table_of(asset)} as select * from incoming")  # noqa: S608
    finally:
        connection.unregister("incoming")


def columns_of(connection: "duckdb.DuckDBPyConnection", asset: str) -> dict[str, str]:
    """Columns of an asset's table and their DuckDB types; empty if there is no such table."""
    rows = connection.execute(
        "select column_name, data_type from information_schema.columns"
        " where table_schema || '.' || table_name = ? order by ordinal_position",
        [table_of(asset)],
    ).fetchall()
    return dict(rows)


def content_digest(connection: "duckdb.DuckDBPyConnection", asset: str) -> str | None:
    """Digest of an asset's table: its columns and their types, its rows and their order.

    It detects accidents, not forgery: DuckDB's 64-bit hash, a million rows of five columns in some hundredths
    of a second.

    Not in a transaction: uncommitted rows have other numbers.

    Returns:
        64 hexadecimal digits; None if there is no table of this name (a view does not count).
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
    content = json.dumps([columns_of(connection, asset), rows])
    return hashlib.sha256(content.encode()).hexdigest()


def read_table(
    connection: "duckdb.DuckDBPyConnection",
    asset: str,
    columns: Sequence[str] | None = None,
    *,
    only: Mapping[str, Collection[str]] | None = None,
    categories: Collection[str] = (),
) -> "pd.DataFrame":
    """Read an asset's table, or some of its columns and rows, in the order of writing.

    Text comes through Arrow: otherwise DuckDB makes a Python object of each text, which pandas then puts into
    an Arrow array; on a million answers that took longer than the calculation.

    Args:
        connection: the wave's database.
        asset: name of the asset.
        columns: those to read; None for all.
        only: accepted values by column; None for every row.
        categories: columns to read as pandas categories, in alphabetical order: a tenth of the memory for
            columns of few different texts.

    Raises:
        AscoError: the table or a column does not exist.
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


def distinct_values(
    connection: "duckdb.DuckDBPyConnection",
    asset: str,
    column: str,
    *,
    only: Mapping[str, Collection[str]] | None = None,
) -> "pd.Series":
    """The distinct texts of a column, unordered; arguments and errors as of :func:`read_table`."""
    _require_columns(connection, asset, [column, *(only or ())])
    import duckdb

    values = _rows_of(connection, asset, only or {}).select(duckdb.ColumnExpression(column)).distinct()
    return values.to_arrow_table().to_pandas()[column]


def _require_columns(
    connection: "duckdb.DuckDBPyConnection", asset: str, wanted: Sequence[str]
) -> dict[str, str]:
    """Columns of a table and their types; an error unless those wanted are among them."""
    present = columns_of(connection, asset)
    absent = [column for column in wanted if column not in present]
    if not present or absent:
        what = f"column {', '.join(absent)} of table {asset}" if present else f"table {asset}"
        raise AscoError(
            f"{what} is not in the wave's database", remedy=f"Materialize {asset} for this wave first"
        )
    return present


def _rows_of(
    connection: "duckdb.DuckDBPyConnection", asset: str, only: Mapping[str, Collection[str]]
) -> "duckdb.DuckDBPyRelation":
    """The rows asked for, in the order of the table.

    Not by IN: DuckDB turns a long one into a join, which loses the order that ``read_table`` needs.
    """
    from duckdb import ColumnExpression, ConstantExpression, FunctionExpression

    table = connection.table(table_of(asset))
    for name, values in only.items():
        among = sorted(values)
        if not among:
            return table.limit(0)
        column = ColumnExpression(name)
        # the range lets DuckDB skip whole blocks of rows
        within = column.between(ConstantExpression(among[0]), ConstantExpression(among[-1]))
        table = table.filter(within & FunctionExpression("list_contains", ConstantExpression(among), column))
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


def rewrite_database(path: Path, *, former: str | None = None, new: str | None = None) -> None:
    """Replace a wave's database by a copy without the bytes of dropped tables.

    By default the key is that of the settings, and the copy keeps it.

    Raises:
        AscoError: another process has it open, the disk is full, or it is damaged.
        ConfigurationError: the key is not the file's.
    """
    import duckdb

    key = former or Settings.from_environment().database_key
    draft = draft_of(path)
    try:
        draft.unlink(missing_ok=True)
        with private_files(), duckdb.connect(":memory:") as connection:
            attach(connection, path, key, name="former", read_only=True)
            attach(connection, draft, new or key, name="rewritten")
            connection.execute("copy from database former to rewritten")
            connection.execute("use memory; detach rewritten; detach former")
        sync(draft)
        draft.replace(path)
        path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
    except duckdb.IOException as error:
        holder = holder_of(error)
        raise (held_fault(holder, path) if holder else working_fault(error, path)) from error
    finally:
        draft.unlink(missing_ok=True)


def _opened(path: Path, *, read_only: bool) -> "duckdb.DuckDBPyConnection":
    """A connection to a valid database that no other process has open; a new one is created whole."""
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
                "the wave's database is encrypted and ASCO_DATABASE_KEY is not set",
                file=path,
                remedy="Set it to the key with which the database was written",
            ) from None
        except (duckdb.IOException, duckdb.InternalException, duckdb.SerializationException) as error:
            holder = holder_of(error)
            if holder is None:
                raise opening_fault(error, path) from error
            if time.monotonic() > end:
                raise held_fault(holder, path, PATIENCE) from error
        if not waits:
            _LOG.warning("%s has %s open; waiting up to %.0f s", holder, path, PATIENCE)
            waits = True
        time.sleep(_PAUSE)


def _create(path: Path) -> None:
    """Create an empty database; of two processes at once the first one wins."""
    draft = draft_of(path)
    draft.unlink(missing_ok=True)
    _connect(draft, read_only=False).close()
    create_once(path, draft)


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
