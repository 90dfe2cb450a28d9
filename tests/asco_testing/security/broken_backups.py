"""The table of backups that are none: what lies in the place of the archive, and what its sentence must say.

A case writes an archive. What does not belong here: trying them (``test_broken_inputs``); whole backups that
were altered are in ``tests/operations/test_keeping``.
"""

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

from asco_testing.security.broken_input import Broken


def _case(name: str, write: Callable[[Path], object], *told: str) -> Broken:
    return Broken(f"backup: {name}", write, told)


def _tar(**members: bytes) -> Callable[[Path], object]:
    """An archive of these files; ``__`` in a name stands for a slash."""

    def write(path: Path) -> None:
        with tarfile.open(path, "w") as archive:
            for name, content in members.items():
                entry = tarfile.TarInfo(name.replace("__", "/"))
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))

    return write


_UNREADABLE = ("file backup.tar: the backup cannot be read", "Use another copy of the backup")
_OTHER = (
    "this version cannot read the backup backup.tar",
    "expected format 2",
    "Use the version of asco_dagster that wrote it",
)

# fmt: off
BACKUPS = [
    _case("empty", lambda path: path.write_bytes(b""), *_UNREADABLE),
    _case("a text", lambda path: path.write_text("no archive"), *_UNREADABLE),
    _case("packed text", lambda path: path.write_bytes(gzip.compress(b"no archive")), *_UNREADABLE),
    _case("a list that is none", _tar(**{"backup.json": b"{"}), *_UNREADABLE),
    _case("null bytes", lambda path: path.write_bytes(bytes(20480)), *_OTHER),
    _case("without its list", _tar(waves__2014__asco=b"x"), *_OTHER),
    _case("a key among its files", _tar(keys__pseudonym=b"k" * 64), *_OTHER),
    _case("a file from above", _tar(**{"..__evil": b"x"}), *_OTHER),
]
# fmt: on
