"""Key files: created once, long enough, owned and readable by the user who runs the pipeline only."""

import os
import stat
from pathlib import Path

from asco_dagster.durable import create_once, draft_of, sync
from asco_dagster.errors import ConfigurationError
from asco_dagster.settings import SHORTEST_KEY

_LONGEST = 65_536


def read_key(path: Path) -> bytes:
    """The content of a key file, stripped of white space.

    Returns:
        At least ``SHORTEST_KEY`` bytes.

    Raises:
        ConfigurationError: it is missing, short or not a regular file, belongs to another user, or others may
            read or replace it; never shows its content.
    """
    _require_unwritable(path.parent)
    try:
        # a link could be changed between a look and the reading; a pipe would block
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        _require_private(path, os.fstat(descriptor))
        content = os.read(descriptor, _LONGEST).strip()
    finally:
        os.close(descriptor)
    if len(content) < SHORTEST_KEY:
        raise ConfigurationError(
            f"the key {path} holds {len(content)} bytes",
            expected=f"at least {SHORTEST_KEY}",
            remedy="Restore it from its copy, or write a longer one",
        )
    return content


def create_key(path: Path, content: bytes) -> None:
    """Write a new key whole; of two processes at once the first one wins."""
    draft = draft_of(path)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    sync(draft)
    create_once(path, draft)


def _unreadable(path: Path, error: OSError) -> ConfigurationError:
    if path.is_symlink():
        return ConfigurationError(
            f"the key {path} is a symbolic link",
            expected="the key file itself",
            remedy="Replace the link by the file, mode 0600",
        )
    return ConfigurationError(
        f"the key {path} cannot be read ({error.strerror})",
        remedy="Check that it exists and belongs to the user who runs asco",
    )


def _require_private(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ConfigurationError(
            f"the key {path} is not a regular file", remedy="Write the key to a file, mode 0600"
        )
    if found.st_uid != os.geteuid():
        raise ConfigurationError(
            f"the key {path} belongs to another user (uid {found.st_uid})",
            expected=f"the user who runs asco (uid {os.geteuid()})",
            remedy="Find out who wrote it, and restore your key",
        )
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigurationError(
            f"other users may read or change the key {path} (mode {stat.S_IMODE(found.st_mode):04o})",
            expected="mode 0600",
            remedy=f"Run chmod 600 '{path}'; if somebody may have read it, replace it with asco rotate-key",
        )


def _require_unwritable(folder: Path) -> None:
    """Refuse a folder that others may write into: they could replace a key (not with a sticky bit)."""
    try:
        found = folder.stat()
    except OSError:
        return  # a missing file is reported when it is opened
    others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX
    if others or found.st_uid not in (os.geteuid(), 0):
        raise ConfigurationError(
            f"other users may replace the keys in {folder} (mode {stat.S_IMODE(found.st_mode):04o},"
            f" uid {found.st_uid})",
            expected="write permission for the user who runs asco only",
            remedy=f"Run chmod go-w '{folder}' as its owner, then check that the keys are still yours",
        )
