"""What was written stays written: the disk holds it before anyone counts on it."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Have the disk hold a file's content, or the entries of a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
