"""A table of texts whole: its columns as codes, whole numbers and texts, refused at the first wrong cell."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from asco_dagster.errors import SourceError

if TYPE_CHECKING:
    import pyarrow as pa

GROUP = 20_000
"""Rows whose cells are Python texts at once; 3.7 million communes would take 5 GB as such."""


_DIGITS = re.compile(r"\d+(?:\.0+)?|\d{1,3}(?:[ \u00a0\u202f]\d{3})+", re.ASCII)
"""A whole number as publishers write it: plain, as a spreadsheet exports it, or in groups of three digits."""
_ZEROS = re.compile(r"(?<=\d)\.0+$", re.ASCII)


def is_missing(cell: str) -> bool:
    """Whether a cell of a code or a number has none: it is blank or says ``NA``, as R writes it."""
    return cell.strip() in ("", "NA")


def _tidy(cell: str) -> str:
    """A code without what writing it as a number has added."""
    return _ZEROS.sub("", cell.strip())


def _whole_number(cell: str) -> bool:
    return _DIGITS.fullmatch(cell.strip()) is not None


def _integer(cell: str) -> int | None:
    return None if is_missing(cell) else int("".join(_tidy(cell).split()))


@dataclass(frozen=True)
class DelimitedTable:
    """A delimited file whose every row has as many cells as its header.

    Attributes:
        path: the file.
        sheet: member of an archive, None for a plain file.
        header: column names, trimmed.
        columns: n cells a column, as delivered; each different text is kept once.
        rows: n row numbers, counted from 1 with the header, as a spreadsheet shows them.
    """

    path: Path
    sheet: str | None
    header: list[str]
    columns: Sequence["pa.DictionaryArray"]
    rows: np.ndarray

    @classmethod
    def of(
        cls, path: Path, sheet: str | None, header: list[str], rows: Iterable[tuple[int, Sequence[str]]]
    ) -> "DelimitedTable":
        """A table of numbered rows, each with as many cells as the header."""
        import pyarrow as pa

        numbers = [np.empty(0, dtype="int64")]
        pieces: list[list[pa.Array]] = [[] for _ in header]
        following = iter(rows)
        while group := list(islice(following, GROUP)):
            numbers.append(np.fromiter((number for number, _ in group), "int64", len(group)))
            for column, cells in zip(pieces, zip(*(cells for _, cells in group), strict=True), strict=True):
                column.append(pa.array(cells, pa.string()).dictionary_encode())
        kind = pa.dictionary(pa.int32(), pa.string())
        columns = [pa.chunked_array(column, kind).unify_dictionaries().combine_chunks() for column in pieces]
        return cls(path, sheet, header, columns, np.concatenate(numbers))

    def cell(self, column: str, index: int) -> str:
        """A cell as delivered."""
        return self.columns[self.header.index(column)][index].as_py()

    def refuse(self, what: str, *, index: int, column: str, expected: str, remedy: str) -> SourceError:
        """An error about the cell at this index of this column."""
        return SourceError(
            what,
            file=self.path,
            sheet=self.sheet,
            row=int(self.rows[index]),
            column=column,
            expected=expected,
            remedy=remedy,
        )

    def texts(self, column: str) -> pd.Series:
        """A column as n texts, null where the cell has none."""
        import pyarrow as pa

        found = self._each(column, lambda cell: cell if cell.strip() else None, pa.large_string())
        return pd.Series(pd.arrays.ArrowStringArray(found))

    def integers(self, column: str, *, optional: bool = False) -> pd.Series:
        """A column of whole numbers from 0 upwards; ``1 124`` and ``1124.0`` are 1124.

        Args:
            column: its name in the header.
            optional: whether an empty cell is a missing value rather than an error.

        Returns:
            n numbers, ``Int64`` when optional, ``int64`` otherwise.

        Raises:
            SourceError: a cell is something else, with its row.
        """
        import pyarrow as pa

        self._check(
            column,
            _whole_number,
            optional=optional,
            kind="whole number",
            expected="digits only",
            remedy="Have the publisher correct the cell, or check that no column has shifted",
        )
        found = self._each(column, _integer, pa.int64())
        if not optional:
            return pd.Series(found.to_numpy())
        missing = found.is_null().to_numpy(zero_copy_only=False)
        return pd.Series(pd.arrays.IntegerArray(found.fill_null(0).to_numpy().copy(), missing.copy()))

    def codes(self, column: str, pattern: str, *, expected: str, optional: bool = False) -> pd.Series:
        """A column of codes, as delivered but for blanks at their ends and a spreadsheet's ``.0``.

        Args:
            column: its name in the header.
            pattern: regular expression that a code matches from end to end.
            expected: the same in words, for the error.
            optional: whether an empty cell is a missing value rather than an error.

        Returns:
            n texts, null where the cell was empty or says ``NA``.

        Raises:
            SourceError: a cell does not look like such a code, with its row.
        """
        import pyarrow as pa

        matches = re.compile(pattern).fullmatch
        self._check(
            column,
            lambda cell: matches(_tidy(cell)),
            optional=optional,
            kind="code",
            expected=expected,
            remedy="check that no spreadsheet has rewritten the codes and no column has shifted",
        )
        found = self._each(
            column,
            lambda cell: None if optional and is_missing(cell) else _tidy(cell),
            pa.large_string(),
        )
        return pd.Series(pd.arrays.ArrowStringArray(found))

    def _check(
        self,
        column: str,
        fits: Callable[[str], object],
        *,
        optional: bool,
        kind: str,
        expected: str,
        remedy: str,
    ) -> None:
        """Refuse the first cell that neither fits nor may be empty; each different text is tested once."""
        cells = self.columns[self.header.index(column)]
        others = [
            number
            for number, cell in enumerate(cells.dictionary.to_pylist())
            if not fits(cell) and not (optional and is_missing(cell))
        ]
        if others:
            index = int(np.flatnonzero(np.isin(cells.indices.to_numpy(), others))[0])
            cell = cells[index].as_py()
            what = f"the {kind.split()[-1]} is missing" if is_missing(cell) else f"“{cell}” is not a {kind}"
            raise self.refuse(what, index=index, column=column, expected=expected, remedy=remedy)

    def _each(self, column: str, made: Callable[[str], object], kind: "pa.DataType") -> "pa.Array":
        """What is made of each cell; each different text is asked once."""
        import pyarrow as pa

        cells = self.columns[self.header.index(column)]
        return pa.array([made(cell) for cell in cells.dictionary.to_pylist()], kind).take(cells.indices)
