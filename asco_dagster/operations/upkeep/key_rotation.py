"""Replaces keys: of the databases' encryption and of the units' pseudonyms; releases depend on neither."""

import secrets
from pathlib import Path

from asco_dagster.durable import write_whole
from asco_dagster.errors import ConfigurationError
from asco_dagster.operations.upkeep.records import keep_record
from asco_dagster.settings import SHORTEST_KEY, Settings
from asco_dagster.storage.database_faults import held_fault, holder_of, opening_fault
from asco_dagster.storage.encryption import attach
from asco_dagster.storage.places import Places
from asco_dagster.storage.readable import copy_readable
from asco_dagster.storage.warehouse import open_database, rewrite_database


def rotate_database_key(settings: Settings, places: Places, new: str) -> list[str]:
    """Encrypt every wave's database with a new key, also unencrypted ones.

    If it is interrupted, run it again: a database with the new key is skipped.

    ``settings.database_key`` is the former key; None for unencrypted databases.

    Returns:
        The waves whose database was rewritten.

    Raises:
        ConfigurationError: the new key is too short, or a database has neither key.
        AscoError: a run has a database open.
    """
    if len(new.encode()) < SHORTEST_KEY:
        raise ConfigurationError(
            f"the new key has {len(new.encode())} bytes", expected=f"at least {SHORTEST_KEY}"
        )
    done = []
    for path in sorted((places.home / "waves").glob("*/asco.duckdb")):
        if not _opens(path, new):
            rewrite_database(path, former=settings.database_key, new=new)
            done.append(path.parent.name)
        copy_readable(places, path.parent.name)
    keep_record(places, "rotate-database-key", {"waves": done})
    return done


def rotate_pseudonym_key(settings: Settings, places: Places) -> list[str]:
    """Replace the home's key of the pseudonyms; the former one, which could identify units, is deleted.

    Returns:
        The waves with pseudonyms of the former key, which must be run again.

    Raises:
        ConfigurationError: the key is set in the environment.
    """
    if settings.pseudonym_key is not None:
        raise ConfigurationError(
            "the key of the pseudonyms is set in ASCO_PSEUDONYM_KEY",
            remedy="Change it there, then run every wave again",
        )
    places.pseudonym_key(settings)  # create one if there is none
    databases = sorted((places.home / "waves").glob("*/asco.duckdb"))
    for database in databases:
        with open_database(database, read_only=True):
            pass  # no run is in progress
    path = places.keys / "pseudonym.key"
    write_whole(path, secrets.token_hex(32))
    waves = [found.parent.name for found in databases]
    keep_record(places, "rotate-pseudonym-key", {"waves to run again": waves})
    return waves


def _opens(path: Path, key: str) -> bool:
    import duckdb

    with duckdb.connect(":memory:") as connection:
        try:
            attach(connection, path, key, read_only=True)
        except ConfigurationError:
            return False
        except duckdb.IOException as error:
            holder = holder_of(error)
            raise (held_fault(holder, path) if holder else opening_fault(error, path)) from error
        # DuckDB opens an unencrypted database with any key
        row = connection.execute(
            "select encrypted from duckdb_databases() where database_name = current_database()"
        ).fetchone()
        return bool(row and row[0])
