"""Key files: made once, owned by whoever runs the pipeline, readable by nobody else, never short.

What does not belong here: what a key is for.
"""

import contextlib
import os
import stat
from pathlib import Path

from asco_dagster.durable import sync
from asco_dagster.errors import ConfigurationError
from asco_dagster.settings import SHORTEST_KEY

_LONGEST = 65_536


def read_key(path: Path) -> bytes:
    """The content of a key file, white space at its ends removed.

    Args:
        path: the file.

    Returns:
        At least ``SHORTEST_KEY`` bytes.

    Raises:
        ConfigurationError: it is missing, empty, short or no regular file, it belongs to another user, other
            users may read it or replace it; never shows what it holds.
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
            remedy="Restore it from its copy, or give a longer one",
        )
    return content


def create_key(path: Path, content: bytes) -> None:
    """Put a new key in place whole; when two processes come at once, the first one's stays.

    Args:
        path: the file, in a folder that only its owner may enter.
        content: the key.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
    sync(path.parent)


def _unreadable(path: Path, error: OSError) -> ConfigurationError:
    if path.is_symlink():
        return ConfigurationError(
            f"the key {path} is a symbolic link",
            expected="the key file itself",
            remedy="Put the file in place of the link, mode 0600",
        )
    return ConfigurationError(
        f"the key {path} cannot be read ({error.strerror})",
        remedy="Check that it is there and belongs to the user who runs asco",
    )


def _require_private(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ConfigurationError(
            f"the key {path} is no regular file", remedy="Put the key into a file, mode 0600"
        )
    if found.st_uid != os.geteuid():
        raise ConfigurationError(
            f"the key {path} belongs to another user (uid {found.st_uid})",
            expected=f"the user who runs asco (uid {os.geteuid()})",
            remedy="Find out who put it there, and restore your own key",
        )
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigurationError(
            f"other users may read or change the key {path} (mode {stat.S_IMODE(found.st_mode):04o})",
            expected="mode 0600",
            remedy=f"Run chmod 600 '{path}'; if somebody may have read it, replace it with asco rotate-key",
        )


def _require_unwritable(folder: Path) -> None:
    """Whoever may write into the folder of a key may replace the key; a sticky bit forbids that."""
    try:
        found = folder.stat()
    except OSError:
        return  # that there is no such file is said when it is opened
    others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX
    if others or found.st_uid not in (os.geteuid(), 0):
        raise ConfigurationError(
            f"other users may replace the keys in {folder} (mode {stat.S_IMODE(found.st_mode):04o},"
            f" uid {found.st_uid})",
            expected="a folder that only the user who runs asco may write into",
            remedy=f"Run chmod go-w '{folder}' as its owner, then check that the keys are yours",
        )
