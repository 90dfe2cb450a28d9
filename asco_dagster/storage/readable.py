"""The readable copy of a wave's database: what its last run left, open to readers while the next run writes.

DuckDB lets one process write a file or several read it, never both: a notebook on the working database would
stop a run, and a run would refuse the notebook. The copy has the same bytes, so that it is encrypted as the
database is, and takes its place whole: whoever reads the former copy goes on reading it. What does not belong
here: the working database (``warehouse.py``).
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asco_dagster.durable import draft_of, sync
from asco_dagster.errors import AscoError, ConfigurationError
from asco_dagster.storage.database_faults import first_line
from asco_dagster.storage.places import Places
from asco_dagster.storage.warehouse import open_database


def keep_readable(places: Places, wave: str) -> None:
    """Replace the copy of a wave's database, where there is a database; to be called when a run is over.

    Raises:
        AscoError: another process has the database open, or the disk is full.
    """
    if not places.database(wave).is_file():
        return
    with open_database(places.database(wave)) as database:  # nobody else writes meanwhile
        database.execute("checkpoint")
        copy_readable(places, wave)


def copy_readable(places: Places, wave: str) -> None:
    """Replace the copy by the database as it lies on the disk, which nobody else may write meanwhile.

    Raises:
        AscoError: the copy could not be written.
    """
    target = places.readable(wave)
    draft = draft_of(target)
    former = os.umask(0o077)
    try:
        # By a program: a process that opens and closes a file again gives up DuckDB's lock on it.
        done = subprocess.run(
            ["cp", "--", str(places.database(wave)), str(draft)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise AscoError(
                f"the readable copy of wave {wave} was not made: {done.stderr.strip()}",
                remedy="Free some disk space; the copy of the run before, if any, stays",
            )
        draft.chmod(0o600)
        sync(draft)
        Path(f"{target}.wal").unlink(missing_ok=True)  # of a reader who opened the former copy for writing
        draft.replace(target)
    finally:
        os.umask(former)
        draft.unlink(missing_ok=True)


def query(places: Places, wave: str, sql: str) -> tuple[list[str], Sequence[tuple[Any, ...]]]:
    """Read from the copy of a wave.

    Args:
        places: the home.
        wave: the wave.
        sql: one or more statements, of which the last one's result is given.

    Returns:
        Names of the columns, and the rows.

    Raises:
        ConfigurationError: there is nothing to read, or the statement is wrong or does more than reading.
    """
    import duckdb

    path = places.readable(wave)
    if not path.exists():
        keep_readable(places, wave)  # of a home that was restored, or of an older version
    if not path.exists():
        raise ConfigurationError(f"wave {wave} has no tables yet", remedy=f"Run it first: asco run {wave}")
    with open_database(path, read_only=True) as database:
        database.execute("set enable_external_access = false")
        try:
            result = database.execute(sql)
            columns = [told[0] for told in result.description or ()]
            return columns, result.fetchall() if columns else []
        except (duckdb.IOException, duckdb.FatalException, duckdb.InternalException):
            raise  # the file's, not the query's
        except duckdb.Error as error:
            raise ConfigurationError(
                f"the query cannot be answered: {first_line(error)}",
                remedy="Correct it; asco query only reads, and “show all tables” lists what there is",
            ) from error
