"""Dagster's tables as CSV, and back into tables that Dagster created.

A dump of ``pg_dump`` is a script: its author decides what the server runs. Here the names of tables and
columns are Dagster's, and a file contains values only.
"""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2  # type: ignore[import-untyped]
from psycopg2.sql import SQL, Composed, Identifier  # type: ignore[import-untyped]

from asco_dagster.errors import AscoError

VERSION_TABLE = "alembic_version"
_ROLE = "asco_restore"


def tables() -> dict[str, list[str]]:
    """Columns of each of Dagster's tables, referenced tables first."""
    from dagster._core.storage.event_log.schema import SqlEventLogStorageMetadata
    from dagster._core.storage.runs.schema import RunStorageSqlMetadata
    from dagster._core.storage.schedules.schema import ScheduleStorageSqlMetadata

    found = {VERSION_TABLE: ["version_num"]}
    for metadata in (RunStorageSqlMetadata, SqlEventLogStorageMetadata, ScheduleStorageSqlMetadata):
        for table in metadata.sorted_tables:
            found[table.name] = [column.name for column in table.columns]
    return found


def write_history(url: str, folder: Path) -> list[Path]:
    """Write each table as CSV, in one transaction.

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
    """Replace the content of the tables, which Dagster has created, by that of the files.

    A superuser, as on the embedded server, does this in a temporary role that may only insert into these
    tables.

    Raises:
        AscoError: the files are of another version of Dagster, or the tables refuse their content.
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
    present = {row[0] for row in cursor.fetchall()}
    with path.open(encoding="utf-8", newline="") as file:
        found = {row["version_num"] for row in csv.DictReader(file)}
    if present != found:
        raise AscoError(
            "the run history of the backup is of another version of Dagster",
            expected=f"schema {', '.join(sorted(present))}",
            remedy="Restore it with the version of asco_dagster that wrote it, then upgrade",
        )


@contextmanager
def _restricted(cursor: Any, names: list[str]) -> Iterator[None]:
    """Work as a role that may only insert into these tables, if this user is a superuser."""
    cursor.execute("select rolsuper from pg_roles where rolname = current_user")
    if not cursor.fetchone()[0]:
        yield  # an external server, whose administrator restricts this user
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
    """Continue the ids of a table after the largest."""
    cursor.execute("select pg_get_serial_sequence(%s, 'id')", [table])
    sequence = cursor.fetchone()[0]
    if sequence is not None:
        _run(cursor, "select coalesce(max(id), 0) + 1 from {}", table)
        cursor.execute("select setval(%s, %s, false)", [sequence, cursor.fetchone()[0]])


@contextmanager
def _transaction(url: str, fault: str) -> Iterator[Any]:
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
        # messages on refused data quote the data
        kinds = (psycopg2.DataError, psycopg2.IntegrityError)
        lines = [] if isinstance(error, kinds) else str(error).strip().splitlines()
        raise AscoError(
            f"{fault}: {(lines or [type(error).__name__])[0]}",
            remedy="See the server's log; if the backup is damaged, use another copy",
        ) from None


def _copy(table: str, columns: list[str], way: str) -> Composed:
    listed = SQL(", ").join(map(Identifier, columns))
    return SQL("copy {} ({}) {} (format csv, header true)").format(Identifier(table), listed, SQL(way))


def _run(cursor: Any, text: str, *names: str) -> None:
    """Run a statement with quoted identifiers."""
    cursor.execute(SQL(text).format(*map(Identifier, names)))
