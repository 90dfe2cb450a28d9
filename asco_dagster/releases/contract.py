"""Released files, released tables and what their columns mean, read from ``columns.yaml``.

Belongs here: the one description that every file format takes its names and labels from. What does not belong
here: writing a format (``publication``).
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from pydantic import BaseModel, ConfigDict

from asco_dagster.errors import ReleaseError
from asco_dagster.waves.form import Text

if TYPE_CHECKING:
    import pyarrow as pa

FILE = Path(__file__).with_name("columns.yaml")


class Column(BaseModel):
    """One column: its name in the French file, and what it holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name_fr: str
    fr: str
    en: str


class Description(BaseModel):
    """One table: its title, what tells its rows apart, its columns."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    label: Text
    key: tuple[str, ...]
    columns: Mapping[str, Column]


@dataclass(frozen=True)
class ReleasedTable:
    """A table as it is released.

    Attributes:
        stem: name of its files without their ending.
        rows: the rows in their final order; the numbers of suppressed cells are null.
        description: what its columns hold.
    """

    stem: str
    rows: "pa.Table"
    description: Description


@dataclass(frozen=True)
class ReleasedFile:
    """A file of a release: its path inside the release folder and its number of rows, if it has rows."""

    path: str
    rows: int | None = None


@functools.lru_cache
def descriptions(file: Path = FILE) -> Mapping[str, Description]:
    """The description of every released table, by the stem of its files."""
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    return {stem: Description.model_validate(table) for stem, table in content.items()}


def described(stem: str, rows: "pa.Table", file: Path = FILE) -> ReleasedTable:
    """A table with its description.

    Args:
        stem: name of its files without their ending.
        rows: the rows in their final order.
        file: where its columns are described.

    Raises:
        ReleaseError: a column, or the table itself, is not described.
    """
    known = descriptions(file).get(stem)
    missing = set(rows.column_names) - set(known.columns if known else ())
    if known is None or missing:
        raise ReleaseError(
            f"table {stem} is released without a description of {', '.join(sorted(missing))}",
            file=file,
            expected="one entry a released column",
            remedy="Describe it in both languages",
        )
    return ReleasedTable(stem, rows, known)
