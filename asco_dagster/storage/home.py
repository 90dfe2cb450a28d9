"""The version of a home: an older one is brought up to date, a newer one is refused with a sentence.

``home.json`` says by which layout a home was written. What does not belong here: what lies in it.
"""

import importlib.metadata
import json
import stat
from collections.abc import Callable
from pathlib import Path

from asco_dagster.durable import PUBLIC, make_folder, write_whole
from asco_dagster.errors import ConfigurationError
from asco_dagster.settings import HOME_FILE
from asco_dagster.storage.places import Places

VERSION = 1
"""Version of the layout that this code writes; raised when a change needs a migration."""

CONFIDENTIAL = ("waves", "quarantine", "downloads", "keys", "records")


def demand_home(places: Places) -> None:
    """Have a home that this code can work on: mark a new one, migrate an older one.

    Raises:
        ConfigurationError: others may write into it, it was written by a newer version, or its version cannot
            be read.
    """
    make_folder(places.home, PUBLIC)
    _demand_unwritable(places.home)
    found = version_of(places.home)
    if found > VERSION:
        raise ConfigurationError(
            f"the home {places.home} was written by a newer version (layout {found})",
            expected=f"layout {VERSION} or older",
            remedy="Use that newer asco_dagster, or another ASCO_HOME",
        )
    for version in range(found, VERSION):
        _MIGRATIONS[version](places.home)
        _mark(places.home, version + 1)


def _demand_unwritable(home: Path) -> None:
    """Whoever may write into the home may replace its keys and its releases."""
    mode = stat.S_IMODE(home.stat().st_mode)
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigurationError(
            f"other users may write into the home {home} (mode {mode:04o})",
            expected="a home that only its owner may write into",
            remedy=f"Run chmod go-w '{home}', then asco doctor",
        )


def version_of(home: Path) -> int:
    """Layout of a home; 0 for one from before layouts were numbered, and for an empty folder."""
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
    """Layout 0 to 1: files of confidential folders, once open to other users, are their owner's alone."""
    for folder in CONFIDENTIAL:
        for path in sorted((home / folder).rglob("*")):
            if not path.is_symlink():
                path.chmod(0o700 if path.is_dir() else 0o600)


_MIGRATIONS: dict[int, Callable[[Path], None]] = {0: close_to_others}


def _mark(home: Path, version: int) -> None:
    code = importlib.metadata.version("asco_dagster")
    write_whole(home / HOME_FILE, json.dumps({"layout": version, "code": code}) + "\n")
