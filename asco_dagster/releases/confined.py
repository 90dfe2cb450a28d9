"""Whether a release folder may be read at all: it comes from anywhere, and so does its manifest.

Nothing outside the folder is opened, no link is followed, no pipe is waited for, and nothing is read that is
larger than a release can be.
"""

import json
import math
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from asco_dagster.errors import ReleaseError
from asco_dagster.releases.store import MANIFEST, read_manifest

LARGEST_MANIFEST = 16 * 1024**2
LARGEST_FILE = 1024**3
MOST_FILES = 10_000
MOST_ROWS = 5_000_000
"""Bytes, files and rows of a table: some hundred times those of a wave at true size."""


def require_manifest(release: Path) -> dict[str, Any]:
    """The manifest of a release folder that nobody vouches for.

    Raises:
        ReleaseError: there is none, it is no regular file, too large, or not of a manifest's form.
    """
    path = release / MANIFEST
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise ReleaseError("the manifest is no regular file", file=path, remedy=_REMEDY)
    if path.is_file() and path.stat().st_size > LARGEST_MANIFEST:
        raise ReleaseError(
            f"the manifest has {path.stat().st_size} bytes",
            file=path,
            expected=f"at most {LARGEST_MANIFEST}",
            remedy=_REMEDY,
        )
    manifest = read_manifest(release)
    for key, wanted in (("files", dict), ("rules", dict), ("rounding", dict)):
        if not isinstance(manifest.get(key), wanted):
            raise ReleaseError(
                f"the manifest says nothing of {key}", file=path, expected="an object", remedy=_REMEDY
            )
    return manifest


def unconfined(release: Path, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Why the files of a release folder must not be read, as sentences; none when they may.

    Args:
        release: the folder.
        manifest: its manifest, of a manifest's form.
    """
    for name, entry in manifest["files"].items():
        if not _is_inside(name):
            yield f"the manifest names “{_short(name)}”, which is no file of the release."
        elif not _is_entry(entry):
            yield f"the manifest says no sha256 and size of {name}."
        elif entry["bytes"] > LARGEST_FILE:
            yield f"{name} has {entry['bytes']} bytes; at most {LARGEST_FILE} are read."
    for number, path in enumerate(_walk(release)):
        if number >= MOST_FILES:
            yield f"the folder holds more than {MOST_FILES} files."
            return
        kind = path.lstat().st_mode
        inside = path.relative_to(release).as_posix()
        if stat.S_ISLNK(kind):
            yield f"{inside} is a symbolic link; a release holds files only."
        elif not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
            yield f"{inside} is neither a file nor a folder."


def oversized(release: Path, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Files that unpack to more than they may, as sentences; called once the files are known to be whole."""
    for name, entry in manifest["files"].items():
        if name.endswith(".parquet"):
            yield from _parquet(release / name, name, entry)
        elif name.endswith(".xlsx"):
            yield from _workbook(release / name, name)


def _parquet(path: Path, name: str, entry: Mapping[str, Any]) -> Iterator[str]:
    import pyarrow
    import pyarrow.parquet

    try:
        found = pyarrow.parquet.read_metadata(path)
    except (OSError, pyarrow.ArrowException) as error:
        yield f"{name} is no Parquet file ({type(error).__name__})."
        return
    size = sum(found.row_group(number).total_byte_size for number in range(found.num_row_groups))
    if found.num_rows > MOST_ROWS or size > LARGEST_FILE:
        yield f"{name} unpacks to {found.num_rows} rows and {size} bytes, more than a release holds."
    elif found.num_rows != entry.get("rows"):
        yield f"{name} has {found.num_rows} rows; the manifest says {entry.get('rows')}."


def _workbook(path: Path, name: str) -> Iterator[str]:
    try:
        with zipfile.ZipFile(path) as book:
            size = sum(part.file_size for part in book.infolist())
    except (OSError, zipfile.BadZipFile) as error:
        yield f"{name} is no workbook ({type(error).__name__})."
        return
    if size > LARGEST_FILE:
        yield f"{name} unpacks to {size} bytes, more than a release holds."


def _is_inside(name: str) -> bool:
    """Whether a name of the manifest is that of a file below the folder, written in one way only."""
    parts = name.split("/")
    plain = name.isprintable() and "\\" not in name and len(name.encode()) < os.pathconf("/", "PC_PATH_MAX")
    return plain and not any(part in ("", ".", "..") for part in parts) and name != MANIFEST


def _is_entry(entry: object) -> bool:
    if not isinstance(entry, dict):
        return False
    sha256, size = entry.get("sha256"), entry.get("bytes")
    return isinstance(sha256, str) and type(size) is int and size >= 0


def _walk(folder: Path) -> Iterator[Path]:
    """Everything below a folder; what is behind a link is not entered."""
    with os.scandir(folder) as entries:
        for entry in entries:
            yield Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path))


def _short(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)[1:-1][:100]


def is_number(value: object) -> bool:
    """Whether a value of a manifest is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_REMEDY = "Take the release from its source"
