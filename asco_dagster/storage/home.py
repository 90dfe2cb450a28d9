"""The layout version of a home (``home.json``): an older home is migrated, a newer one refused."""

import contextlib
import glob
import hashlib
import importlib.metadata
import json
import os
import stat
import tempfile
from pathlib import Path

from asco_dagster.durable import PUBLIC, make_folder, write_whole
from asco_dagster.errors import ConfigurationError
from asco_dagster.settings import HOME_FILE
from asco_dagster.storage.places import Places

VERSION = 1
"""Layout that this code writes; raised when a change needs a migration."""

CONFIDENTIAL = ("waves", "quarantine", "downloads", "keys", "records")


def require_home(places: Places) -> None:
    """Make sure that this code can use a home: mark a new one, migrate an older one.

    Raises:
        ConfigurationError: others may write into it, it was written by a newer version, or its version cannot
            be read.
    """
    make_folder(places.home, PUBLIC)
    _require_unwritable(places.home)
    found = version_of(places.home)
    if found > VERSION:
        raise ConfigurationError(
            f"the home {places.home} was written by a newer version (layout {found})",
            expected=f"layout {VERSION} or older",
            remedy="Use that newer asco_dagster, or another ASCO_HOME",
        )
    if found < VERSION:
        close_to_others(places.home)
        code = importlib.metadata.version("asco_dagster")
        write_whole(places.home / HOME_FILE, json.dumps({"layout": VERSION, "code": code}) + "\n")


def named_home(places: Places) -> Path:
    """DAGSTER_HOME under a name without glob characters: Dagster reads it as a pattern.

    Returns:
        The folder itself, or a link to it in the folder for temporary files.

    Raises:
        ConfigurationError: another user's file has the name of the link.
    """
    folder = places.dagster_home
    if not glob.has_magic(str(folder)):
        return folder
    link = (
        Path(tempfile.gettempdir()) / f"asco-dagster-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"
    )
    with contextlib.suppress(FileExistsError):
        link.symlink_to(folder)
    if not link.is_symlink() or link.lstat().st_uid != os.geteuid() or link.readlink() != folder:
        raise ConfigurationError(
            f"{link}, the link to {folder} for Dagster, belongs to another user",
            remedy="Remove it, or set ASCO_HOME to a path without *, ? and [",
        )
    return link


def _require_unwritable(home: Path) -> None:
    """Refuse a home that others may write into: they could replace its keys and releases."""
    mode = stat.S_IMODE(home.stat().st_mode)
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigurationError(
            f"other users may write into the home {home} (mode {mode:04o})",
            expected="write permission for its owner only",
            remedy=f"Run chmod go-w '{home}', then asco doctor",
        )


def version_of(home: Path) -> int:
    """Layout of a home; 0 for an empty folder, and before layouts were numbered."""
    path = home / HOME_FILE
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["layout"])
    except FileNotFoundError:
        return 0
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"the version of the home {home} cannot be read", file=path, remedy="Restore it from a backup"
        ) from error


def close_to_others(home: Path) -> None:
    """Layout 0 to 1: make confidential files private, which were open to other users."""
    for folder in CONFIDENTIAL:
        for path in sorted((home / folder).rglob("*")):
            if not path.is_symlink():
                path.chmod(0o700 if path.is_dir() else 0o600)
