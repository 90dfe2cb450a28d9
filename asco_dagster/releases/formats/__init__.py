"""The formats of a release, one file each: how it is written and how ``asco verify`` reads it back.

A new format is a new file here with a ``FORMAT``; no list names it. The fingerprint of the release does not
see these files and need not: it is written in every run, and its content decides whether it is a new
version.
"""

import functools
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

from asco_dagster.errors import ReleaseError
from asco_dagster.releases.content import Content
from asco_dagster.releases.contract import ReleasedFile
from asco_dagster.releases.format import ContentFormat, Format, ReleaseFolder, VersionFormat
from asco_dagster.releases.release import Description
from asco_dagster.waves import Wave


@functools.cache
def formats() -> tuple[Format, ...]:
    """Every format of this folder, in alphabetical order.

    Raises:
        ReleaseError: a file of the folder declares no format with its reader.
    """
    found = []
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda one: one.name):
        declared = getattr(importlib.import_module(f"{__name__}.{module.name}"), "FORMAT", None)
        if not isinstance(declared, Format):
            raise ReleaseError(
                f"releases/formats/{module.name} declares no format",
                expected="FORMAT, a Format of releases/format.py: its files, its writer and its reader",
                remedy="Declare it, or move the file out of the folder",
            )
        found.append(declared)
    return tuple(found)


def write_content(content: Content, folder: Path) -> list[ReleasedFile]:
    """Write every format of the content into a release folder; lists the files."""
    return [
        file for one in formats() if isinstance(one, ContentFormat) for file in one.write(content, folder)
    ]


def write_version(wave: Wave, folder: Path, version: Description) -> list[ReleasedFile]:
    """Write every format that describes a version into its release folder; lists the files."""
    return [
        file
        for one in formats()
        if isinstance(one, VersionFormat)
        for file in one.write(wave, folder, version)
    ]


def faults_of_files(release: ReleaseFolder) -> Iterator[str]:
    """What the files of a release say otherwise than its tables do, or that they cannot be read.

    Args:
        release: the folder; its tables are the Parquet files.
    """
    from python_calamine import CalamineError

    # What the readers raise of content that is not what the name of the file says.
    unreadable = (ValueError, LookupError, TypeError, AttributeError, OSError, SyntaxError, CalamineError)
    for file in release.manifest["files"]:
        readers = [one for one in formats() if one.reads(file)]
        if not readers:
            yield f"{file} is of no format of a release: what it holds cannot be compared with the tables."
        for one in readers:
            try:
                yield from one.faults(file, release)
            except unreadable as error:
                yield f"{file} cannot be read ({type(error).__name__}). Take the release from its source."
