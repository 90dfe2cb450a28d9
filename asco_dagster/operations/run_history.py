"""Dagster's tables as data: written as CSV, and read back into tables that Dagster itself made.

A dump of ``pg_dump`` is a script: whoever wrote it decides what the server runs. Here the names of tables and
columns are Dagster's, and a file can give values only. What does not belong here: where the files go
(``backup``).
"""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asco_dagster.errors import AscoError

if TYPE_CHECKING:
    from psycopg2.sql import Composed  # type: ignore[import-untyped]

VERSION_TABLE = "alembic_version"
_ROLE = "asco_restore"


def tables() -> dict[str, list[str]]:
    """Columns of each of Dagster's tables, a table after those that it refers to."""
    from dagster._core.storage.event_log.schema import SqlEventLogStorageMetadata
    from dagster._core.storage.runs.schema import RunStorageSqlMetadata
    from dagster._core.storage.schedules.schema import ScheduleStorageSqlMetadata

    found = {VERSION_TABLE: ["version_num"]}
    for metadata in (RunStorageSqlMetadata, SqlEventLogStorageMetadata, ScheduleStorageSqlMetadata):
        for table in metadata.sorted_tables:
            found[table.name] = [column.name for column in table.columns]
    return found


def write_history(url: str, folder: Path) -> list[Path]:
    """Write each table as CSV, all of one moment.

    Args:
        url: address of the database.
        folder: takes one file a table.

    Returns:
        The files.

    Raises:
        AscoError: a table cannot be read.
    """
    with _transaction(url, "the run history cannot be read") as cursor:
        cursor.execute("set transaction isolation level repeatable read, read only")
        files = []
        for table, columns in tables().items():
            path = folder / f"{table}.csv"
            with path.open("wb") as file:
                cursor.copy_expert(_copy(table, columns, "to stdout"), file)
            files.append(path)
    return files


def read_history(url: str, folder: Path) -> None:
    """Replace the content of the tables, which Dagster has made, by that of the files.

    On the embedded server, whose superuser this is, the files are read by a role that may only insert into
    these tables and is gone afterwards.

    Args:
        url: address of the database.
        folder: one file a table.

    Raises:
        AscoError: the files are of another version of Dagster, or hold what the tables do not take.
    """
    with _transaction(url, "the run history of the backup cannot be restored") as cursor:
        _require_version(cursor, folder / f"{VERSION_TABLE}.csv")
        known = {name: columns for name, columns in tables().items() if name != VERSION_TABLE}
        for table in reversed(known):
            _run(cursor, "delete from {}", table)
        with _restricted(cursor, list(known)):
            for table, columns in known.items():
                with (folder / f"{table}.csv").open("rb") as file:
                    cursor.copy_expert(_copy(table, columns, "from stdin"), file)
        for table, columns in known.items():
            if "id" in columns:
                _continue_numbers(cursor, table)


def _require_version(cursor: Any, path: Path) -> None:
    cursor.execute("select version_num from alembic_version")
    here = {row[0] for row in cursor.fetchall()}
    with path.open(encoding="utf-8", newline="") as file:
        there = {row["version_num"] for row in csv.DictReader(file)}
    if here != there:
        raise AscoError(
            "the run history of the backup is of another version of Dagster",
            expected=f"schema {', '.join(sorted(here))}",
            remedy="Restore it with the version of asco_dagster that wrote it, then install this one",
        )


@contextmanager
def _restricted(cursor: Any, names: list[str]) -> Iterator[None]:
    """Work as a role that may insert into these tables and do nothing else, where such a role can be made."""
    cursor.execute("select rolsuper from pg_roles where rolname = current_user")
    if not cursor.fetchone()[0]:
        yield  # the office's own server: its administrator gave this user what it may do
        return
    _run(cursor, "create role {} nologin nosuperuser nocreatedb nocreaterole", _ROLE)
    _run(cursor, "grant usage on schema public to {}", _ROLE)
    for name in names:
        _run(cursor, "grant insert on {} to {}", name, _ROLE)
    _run(cursor, "set local role {}", _ROLE)
    yield
    cursor.execute("reset role")
    _run(cursor, "drop owned by {}", _ROLE)
    _run(cursor, "drop role {}", _ROLE)


def _continue_numbers(cursor: Any, table: str) -> None:
    """Let the next row of a table take the number after the largest."""
    cursor.execute("select pg_get_serial_sequence(%s, 'id')", [table])
    sequence = cursor.fetchone()[0]
    if sequence is not None:
        _run(cursor, "select coalesce(max(id), 0) + 1 from {}", table)
        cursor.execute("select setval(%s, %s, false)", [sequence, cursor.fetchone()[0]])


@contextmanager
def _transaction(url: str, fault: str) -> Iterator[Any]:
    import psycopg2  # type: ignore[import-untyped]
    from sqlalchemy import make_url

    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        connection = psycopg2.connect(address)
        connection.set_client_encoding("UTF8")
        try:
            with connection, connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()
    except psycopg2.Error as error:
        # of what the data were refused for, a message quotes the data
        kinds = (psycopg2.DataError, psycopg2.IntegrityError)
        lines = [] if isinstance(error, kinds) else str(error).strip().splitlines()
        told = (lines or [type(error).__name__])[0]
        raise AscoError(
            f"{fault}: {told}",
            remedy="Look at the server's log; a damaged backup is replaced by another copy",
        ) from None


def _copy(table: str, columns: list[str], way: str) -> "Composed":
    from psycopg2.sql import SQL, Identifier

    listed = SQL(", ").join(map(Identifier, columns))
    return SQL("copy {} ({}) {} (format csv, header true)").format(Identifier(table), listed, SQL(way))


def _run(cursor: Any, text: str, *names: str) -> None:
    """Run a statement with identifiers, which psycopg2 quotes."""
    from psycopg2.sql import SQL, Identifier

    cursor.execute(SQL(text).format(*map(Identifier, names)))
