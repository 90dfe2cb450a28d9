"""What a released format is: which files it has, how they are written, and how ``asco verify`` reads them.

Each file of ``formats`` holds one, as ``FORMAT``.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from asco_dagster.releases.content import Content
from asco_dagster.releases.contract import ReleasedFile, Table, tables
from asco_dagster.releases.release import Description
from asco_dagster.waves import Wave

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ReleaseFolder:
    """A release folder as ``asco verify`` reads it: nothing but the folder.

    Attributes:
        path: the folder.
        manifest: its manifest.
    """

    path: Path
    manifest: Mapping[str, Any]
    _frames: dict[str, "pd.DataFrame"] = field(default_factory=dict)

    def holds(self, file: str) -> bool:
        """Whether the manifest lists a file."""
        return file in self.manifest["files"]

    def rows(self, table: Table) -> "pd.DataFrame":
        """The rows of a table, as its Parquet file has them."""
        import pandas as pd

        if table.name not in self._frames:
            self._frames[table.name] = pd.read_parquet(self.path / table.parquet)
        return self._frames[table.name]

    def table_of(self, file: str) -> Table | None:
        """The declared table that a file is named after, if its Parquet file is there too.

        Args:
            file: path of the file inside the release, such as ``tables/fr/labels.csv`` of ``tables/labels``.
        """
        stem = file.replace("/fr/", "/").partition(".")[0]
        found = next((table for table in tables().values() if table.file == stem), None)
        return found if found is not None and self.holds(found.parquet) else None


@dataclass(frozen=True)
class Media:
    """What kind of file a distribution of the data is, for catalogues.

    Attributes:
        type: its media type, as IANA registers it.
        file_type: its code in the European authority table of file types.
    """

    type: str
    file_type: str


CSV, JSON = Media("text/csv", "CSV"), Media("application/json", "JSON")


@dataclass(frozen=True)
class Format:
    """A released format.

    Attributes:
        files: patterns of the paths of its files inside a release, each with what it is as a distribution of
            the data; None where it only describes them.
        faults: what a file, by its path, says otherwise than the released tables do, as sentences.
    """

    files: Mapping[str, Media | None]
    faults: Callable[[str, ReleaseFolder], Iterator[str]]

    def reads(self, file: str) -> bool:
        """Whether a file is of this format."""
        return any(matches(file, pattern) for pattern in self.files)

    def media(self, file: str) -> Media | None:
        """What a file is as a distribution of the data; None where it is none."""
        return next((media for pattern, media in self.files.items() if matches(file, pattern)), None)


def matches(file: str, pattern: str) -> bool:
    """Whether the path of a released file fits a pattern; a star matches one part of it."""
    return PurePosixPath("/", file).match(f"/{pattern}")


@dataclass(frozen=True)
class ContentFormat(Format):
    """A format of the content: the same content gives the same bytes.

    Attributes:
        write: writes its files into a release folder, and lists them.
    """

    write: Callable[[Content, Path], list[ReleasedFile]]


@dataclass(frozen=True)
class VersionFormat(Format):
    """A format that describes a version: written once the version is known, it makes no new version.

    Attributes:
        write: writes its files into a release folder, and lists them.
    """

    write: Callable[[Wave, Path, Description], list[ReleasedFile]]


def same_values(texts: "pd.DataFrame", rows: "pd.DataFrame") -> bool:
    """Whether a file that was read as texts has the values of a table, whatever the order of the columns.

    Args:
        texts: one column per column of the table, empty where there is no value; numbers with a point.
        rows: the rows of the table.

    Raises:
        ValueError: a text is no number where the table has one.
    """
    import numpy as np
    import pandas as pd

    if len(texts) != len(rows) or set(texts.columns) != set(rows.columns):
        return False
    for name in rows.columns:
        if pd.api.types.is_numeric_dtype(rows[name]):
            read = pd.to_numeric(texts[name].replace("", None)).to_numpy(float)
            same = np.allclose(read, rows[name].to_numpy(float, na_value=np.nan), rtol=1e-9, equal_nan=True)
        else:
            same = (texts[name].to_numpy() == rows[name].fillna("").to_numpy(object)).all()
        if not same:
            return False
    return True
