"""New keys for old: the databases' encryption, and the units' pseudonyms.

Releases do not depend on either. What does not belong here: where a key comes from
(``settings``, ``storage.places``).
"""

import secrets
from pathlib import Path

from asco_dagster.durable import write_whole
from asco_dagster.errors import ConfigurationError
from asco_dagster.operations.records import keep_record
from asco_dagster.operations.rewriting import rewrite_database
from asco_dagster.settings import SHORTEST_KEY, Settings
from asco_dagster.storage.database_faults import held_fault, holder_of, opening_fault
from asco_dagster.storage.places import Places
from asco_dagster.storage.readable import copy_readable
from asco_dagster.storage.warehouse import open_database


def rotate_database_key(settings: Settings, places: Places, new: str) -> list[str]:
    """Encrypt every wave's database with a new key; those that are not encrypted yet become so.

    Killed half-way, it is run again: a database that has the new key already is left alone.

    Args:
        settings: its ``database_key`` is the former key; None for databases that are not encrypted.
        places: the home.
        new: the new key.

    Returns:
        The waves whose database was written anew.

    Raises:
        ConfigurationError: the new key is too short, or a database has neither key.
        AscoError: a run holds a database.
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
    """Replace the home's key of the pseudonyms; the former one is gone, and with it the way back to a unit.

    Returns:
        The waves that hold pseudonyms of the former key and must be run again, whole.

    Raises:
        ConfigurationError: the key comes from the environment, so it is changed there.
    """
    if settings.pseudonym_key is not None:
        raise ConfigurationError(
            "the key of the pseudonyms comes from ASCO_PSEUDONYM_KEY",
            remedy="Change it there, then run every wave again",
        )
    places.pseudonym_key(settings)  # so that there is one to replace
    databases = sorted((places.home / "waves").glob("*/asco.duckdb"))
    for database in databases:
        with open_database(database, read_only=True):
            pass  # no run is half-way between two keys
    path = places.keys / "pseudonym.key"
    write_whole(path, secrets.token_hex(32))
    waves = [found.parent.name for found in databases]
    keep_record(places, "rotate-pseudonym-key", {"waves to run again": waves})
    return waves


def _opens(path: Path, key: str) -> bool:
    import duckdb

    from asco_dagster.storage.encryption import attach

    with duckdb.connect(":memory:") as connection:
        try:
            attach(connection, path, key, read_only=True)
        except ConfigurationError:
            return False
        except duckdb.IOException as error:
            holder = holder_of(error)
            raise (held_fault(holder, path) if holder else opening_fault(error, path)) from error
        # DuckDB opens a database that is not encrypted with whatever key, and says so here
        told = connection.execute(
            "select encrypted from duckdb_databases() where database_name = current_database()"
        ).fetchone()
        return bool(told and told[0])
