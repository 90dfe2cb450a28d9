"""The columns that say where a value comes from, and the one text type that all readers use."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

NOT_READ = "not_read"
"""Attribute of a frame: the columns of the file that its reader leaves out, so that none is lost unseen."""

TEXT = "string"
"""Nullable text of pandas: DuckDB reads it as VARCHAR even where every value is missing."""


def text_column(values: Sequence[str | None]) -> pd.Series:
    """Values as nullable text, as delivered.

    Args:
        values: n texts, None where the source has nothing.

    Returns:
        A series of n texts.
    """
    return pd.Series(list(values), dtype=TEXT)


def no_rows(*texts: str, **others: str) -> pd.DataFrame:
    """The table of a wave that names no file of a source: its columns (texts, others by type), no row."""
    frame = pd.DataFrame({name: text_column([]) for name in texts})
    for name, kind in others.items():
        frame[name] = pd.Series([], dtype=kind)
    return with_source(frame, Path(), sheet=None, rows=[])


def with_source(
    frame: pd.DataFrame, path: Path, *, sheet: str | Sequence[str] | None, rows: Sequence[int] | np.ndarray
) -> pd.DataFrame:
    """Add ``source_file``, ``source_sheet`` and ``source_row`` behind the other columns.

    Args:
        frame: n rows.
        path: the file read; only its name is kept.
        sheet: the sheet of all rows or of each one; None for a file that has none.
        rows: n row numbers, counted from 1 as a spreadsheet shows them.

    Returns:
        The same frame with three more columns.
    """
    sheets = [sheet] * len(frame) if sheet is None or isinstance(sheet, str) else list(sheet)
    frame["source_file"] = text_column([path.name] * len(frame))
    frame["source_sheet"] = text_column(sheets)
    frame["source_row"] = pd.Series(np.asarray(rows, dtype="int64"))
    return frame
