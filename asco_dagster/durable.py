"""What was written stays written: a file is replaced whole, the disk holds it before anyone counts on it."""

import contextlib
import os
import shutil
from pathlib import Path


def sync(path: Path) -> None:
    """Have the disk hold a file's content, or the entries of a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def draft_of(path: Path) -> Path:
    """Where this process writes what shall replace a path; what killed ones left of theirs goes."""
    for left in path.parent.glob(f"{path.name}.*.tmp"):
        writer = left.name.removeprefix(f"{path.name}.").removesuffix(".tmp")
        if writer.isdigit() and not _lives(int(writer)):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
    return path.with_name(f"{path.name}.{os.getpid()}.tmp")


def write_whole(path: Path, text: str) -> None:
    """Replace a text file whole, or leave it as it was; nothing stays beside it when the disk is full."""
    draft = draft_of(path)
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _lives(process: int) -> bool:
    with contextlib.suppress(PermissionError):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
    return True
