"""The readable copy of a wave's database after its last run, for readers while the next run writes.

DuckDB lets one process write a file or several read it, never both. The copy has the same bytes, encrypted or
not, and is replaced whole: readers of the former copy continue to read it.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asco_dagster.durable import private_files, replacing
from asco_dagster.errors import AscoError, ConfigurationError
from asco_dagster.storage.database_faults import first_line
from asco_dagster.storage.places import Places
from asco_dagster.storage.warehouse import open_database


def update_readable(places: Places, wave: str) -> None:
    """Replace the copy of a wave's database, if there is a database, after a run.

    Raises:
        AscoError: another process has the database open, or the disk is full.
    """
    if not places.database(wave).is_file():
        return
    with open_database(places.database(wave)) as database:  # no other process writes meanwhile
        database.execute("checkpoint")
        copy_readable(places, wave)


def copy_readable(places: Places, wave: str) -> None:
    """Replace the copy by the database file, which no other process may write meanwhile.

    Raises:
        AscoError: the copy could not be written.
    """
    target = places.readable(wave)
    with private_files(), replacing(target) as draft:
        # By a program: a process that opens and closes a file gives up DuckDB's lock on it.
        done = subprocess.run(
            ["cp", "--", str(places.database(wave)), str(draft)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise AscoError(
                f"the readable copy of wave {wave} was not written: {done.stderr.strip()}",
                remedy="Free some disk space; the former copy, if any, is unchanged",
            )
        Path(f"{target}.wal").unlink(missing_ok=True)  # of a reader who opened the former copy for writing


def query(places: Places, wave: str, sql: str) -> tuple[list[str], Sequence[tuple[Any, ...]]]:
    """Query the copy of a wave.

    Of several statements the result is the last one's.

    Returns:
        Names of the columns, and the rows.

    Raises:
        ConfigurationError: there is no copy, or the statement is wrong or does more than read.
    """
    import duckdb

    path = places.readable(wave)
    if not path.exists():
        update_readable(places, wave)  # a restored home, or one of an older version
    if not path.exists():
        raise ConfigurationError(f"wave {wave} has no tables yet", remedy=f"Run it first: asco run {wave}")
    with open_database(path, read_only=True) as database:
        database.execute("set enable_external_access = false")
        try:
            result = database.execute(sql)
            columns = [column[0] for column in result.description or ()]
            return columns, result.fetchall() if columns else []
        except (duckdb.IOException, duckdb.FatalException, duckdb.InternalException):
            raise  # a fault of the file, not of the query
        except duckdb.Error as error:
            raise ConfigurationError(
                f"the query failed: {first_line(error)}",
                remedy="Correct it; asco query is read-only, and “show all tables” lists the tables",
            ) from error
