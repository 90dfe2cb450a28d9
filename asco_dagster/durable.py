"""What was written stays written: a file is replaced whole, the disk holds it before anyone counts on it.

Everything written here is its owner's alone, whatever the umask; what is published gets its permissions when
it is published (``releases.draft``).
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

PRIVATE, PUBLIC = 0o700, 0o755
"""Permissions of a folder that only its owner may enter, and of one that everybody may read."""
DRAFT = ".draft-"
"""How the name of a draft begins: of what is renamed into its place once it is whole."""


def sync(path: Path) -> None:
    """Have the disk hold a file's content, or the entries of a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Have the disk hold everything below a folder, before the folder is renamed."""
    for path in folder.rglob("*"):
        if path.is_dir() or path.is_file():
            sync(path)
    sync(folder)


def draft_of(path: Path) -> Path:
    """Where this process writes what shall replace a path; what killed ones left of theirs goes."""
    for left in path.parent.glob(f"{path.name}.*.tmp"):
        writer = left.name.removeprefix(f"{path.name}.").removesuffix(".tmp")
        if writer.isdigit() and not _lives(int(writer)):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
    return path.with_name(f"{path.name}.{os.getpid()}.tmp")


def point(folder: Path, link: str, target: str) -> None:
    """Make a link in a folder point to one of its folders, by rename."""
    draft = folder / f"{DRAFT}{link}-{os.getpid()}"
    draft.unlink(missing_ok=True)
    draft.symlink_to(target, target_is_directory=True)
    draft.replace(folder / link)
    sync(folder)


def make_folder(folder: Path, mode: int = PRIVATE) -> Path:
    """Make a folder and those missing above it, each with these permissions whatever the umask.

    Args:
        folder: the folder; one that exists keeps its permissions.
        mode: ``PRIVATE`` or ``PUBLIC``.

    Returns:
        The folder.
    """
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        with contextlib.suppress(FileExistsError):
            missing.mkdir(mode=PRIVATE)
            missing.chmod(mode)
    return folder


@contextlib.contextmanager
def private_files() -> Iterator[None]:
    """Let every file made meanwhile be its owner's alone (0600, folders 0700).

    A release gets its public permissions explicitly (``releases.draft``).
    """
    former = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(former)


def write_whole(path: Path, content: str | bytes) -> None:
    """Replace a file whole, or leave it as it was; nothing stays beside it when the disk is full.

    Only its owner may read it, from its first byte on. The disk holds it before this returns: a file that was
    renamed and not synced is empty after a power cut.

    Args:
        path: the file.
        content: all that it shall hold; text is written as UTF-8.
    """
    draft = draft_of(path)
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(content.encode() if isinstance(content, str) else content)
            handle.flush()
            os.fsync(handle.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync(path.parent)


def _lives(process: int) -> bool:
    with contextlib.suppress(PermissionError):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
    return True
