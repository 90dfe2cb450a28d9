"""A wave's database written anew: what was dropped is gone from the disk, or the key is another.

What does not belong here: when that is due (``purge``, ``key_rotation``).
"""

import os
from pathlib import Path

from asco_dagster.durable import sync
from asco_dagster.settings import Settings
from asco_dagster.storage.database_faults import held_fault, holder_of, working_fault
from asco_dagster.storage.encryption import attach


def rewrite_database(path: Path, *, former: str | None = None, new: str | None = None) -> None:
    """Copy a wave's database into a new file that takes its place: nothing of what was dropped is left.

    Args:
        path: the file.
        former: its key; None takes that of the settings.
        new: the key of the new file; None keeps the former.

    Raises:
        AscoError: another process has it open, the disk is full, or it is damaged.
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
        holder = holder_of(error)
        raise (held_fault(holder, path) if holder else working_fault(error, path)) from error
    finally:
        os.umask(umask)
        draft.unlink(missing_ok=True)
