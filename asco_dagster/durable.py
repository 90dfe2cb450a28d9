"""Files that survive a crash: replaced whole, flushed to the disk, private to their owner.

What is published gets its permissions when it is published (``releases.draft``).
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

PRIVATE, PUBLIC = 0o700, 0o755
"""Permissions of a folder that only its owner may enter, and of one that everybody may read."""
DRAFT = ".draft-"
"""Prefix of the name of a draft, which is renamed once it is complete."""


def sync(path: Path) -> None:
    """Flush a file's content, or the entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Flush everything below a folder to the disk, before the folder is renamed."""
    for path in folder.rglob("*"):
        if path.is_dir() or path.is_file():
            sync(path)
    sync(folder)


def is_alive(process: int) -> bool:
    """Whether a process of this id runs, of this user or another."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def draft_of(path: Path) -> Path:
    """Where this process writes the replacement of a path; drafts of killed processes are deleted."""
    prefix = f".{path.name}."
    for draft in path.parent.glob(f"{prefix}*.tmp"):
        writer = draft.name.removeprefix(prefix).removesuffix(".tmp")
        if writer.isdigit() and not is_alive(int(writer)):
            shutil.rmtree(draft) if draft.is_dir() else draft.unlink(missing_ok=True)
    return path.with_name(f"{prefix}{os.getpid()}.tmp")


@contextlib.contextmanager
def replacing(path: Path, mode: int = 0o600) -> Iterator[Path]:
    """Replace a file whole, or leave it as it was; no draft remains, even when the disk is full.

    The disk holds the new content before this returns: a file that is renamed without is empty after a power
    cut.

    Args:
        path: the file.
        mode: its permissions; the draft is 0600 from its first byte.

    Yields:
        The empty draft to write to.
    """
    draft = draft_of(path)
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        yield draft
        draft.chmod(mode)
        sync(draft)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_whole(path: Path, content: str | bytes) -> None:
    """Replace a file by this content (text as UTF-8), as :func:`replacing` does."""
    with replacing(path) as draft:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)


def create_once(path: Path, draft: Path) -> None:
    """Rename a complete draft unless the path exists: of two processes at once the first one wins."""
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
    sync(path.parent)


def point(folder: Path, link: str, target: str) -> None:
    """Make a link in a folder point to one of its folders, by rename."""
    draft = folder / f"{DRAFT}{link}-{os.getpid()}"
    draft.unlink(missing_ok=True)
    draft.symlink_to(target, target_is_directory=True)
    draft.replace(folder / link)
    sync(folder)


def make_folder(folder: Path, mode: int = PRIVATE) -> Path:
    """Create a folder and its missing parents with these permissions whatever the umask; existing ones stay.

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
    """Create files 0600 and folders 0700 meanwhile."""
    former = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(former)


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = True, shared: bool = False) -> Iterator[int]:
    """Hold a lock file against other processes; the kernel releases the lock of a killed process.

    Yields:
        Descriptor of the file.

    Raises:
        BlockingIOError: another process holds it and ``wait`` is false.
    """
    descriptor = open_lock(path)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        yield descriptor
    finally:
        os.close(descriptor)


def open_lock(path: Path) -> int:
    """Open a lock file; closing the descriptor releases its lock."""
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
