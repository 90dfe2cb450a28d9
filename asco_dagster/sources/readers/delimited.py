"""The ground that all delimited text files share: cells, header, ragged rows, codes, whole numbers.

Strict on purpose: a file that is not what it should be is refused with the row concerned, because a lenient
reader would shift columns in silence. What does not belong here: the columns of any particular file,
and bytes (``encoding``).
"""

import csv
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from asco_dagster.errors import SourceError
from asco_dagster.sources.readers.encoding import AGAIN, AS_CSV, decode, read_bytes

if TYPE_CHECKING:
    import pyarrow as pa

GROUP = 20_000
"""Rows whose cells are Python texts at once; 3.7 million communes would take 5 GB as such."""


@dataclass(frozen=True)
class DelimitedRows:
    """A delimited file, its rows one at a time.

    Attributes:
        path: the file.
        sheet: member of an archive, None for a plain file.
        header: column names, trimmed.
        rows: number (counted from 1 with the header, as a spreadsheet shows it) and cells of each row, as
            many as the header has; lines without any content are left out but counted. Going through them
            raises ``SourceError`` at a row that is ragged or cut inside quotes, or at the end when none came.
    """

    path: Path
    sheet: str | None
    header: list[str]
    rows: Iterator[tuple[int, list[str]]]


@dataclass(frozen=True)
class DelimitedTable:
    """A delimited file whose every row has as many cells as its header.

    Attributes:
        path: the file.
        sheet: member of an archive, None for a plain file.
        header: column names, trimmed.
        columns: n cells a column, as delivered; in pieces that keep each of their different texts once.
        rows: n row numbers, counted from 1 with the header, as a spreadsheet shows them.
    """

    path: Path
    sheet: str | None
    header: list[str]
    columns: Sequence["pa.ChunkedArray"]
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
            for own, cells in zip(pieces, zip(*(cells for _, cells in group), strict=True), strict=True):
                own.append(pa.array(cells, pa.string()).dictionary_encode())
        kind = pa.dictionary(pa.int32(), pa.string())
        columns = [pa.chunked_array(own, kind) for own in pieces]
        return cls(path, sheet, header, columns, np.concatenate(numbers))

    def cells(self, column: str) -> "pa.ChunkedArray":
        """The n cells of a column, as delivered."""
        return self.columns[self.header.index(column)]

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
        """A column of whole numbers from 0 upwards.

        Args:
            column: its name in the header.
            optional: whether an empty cell is a missing value rather than an error.

        Returns:
            n numbers, ``Int64`` when optional, ``int64`` otherwise.

        Raises:
            SourceError: a cell is something else, with its row.
        """
        import pyarrow as pa

        def is_number(cell: str) -> bool:
            return cell.isascii() and cell.isdigit()

        if (index := self._first_other(column, is_number, optional=optional)) is not None:
            cell = self.cells(column)[index].as_py()
            raise self.refuse(
                f"“{cell}” is not a whole number" if cell.strip() else "the number is missing",
                index=index,
                column=column,
                expected="digits only",
                remedy="correct the cell at its publisher's, or check that no column has shifted",
            )
        found = self._each(column, lambda cell: int(cell) if cell.strip() else None, pa.int64())
        return pd.Series(found.to_numpy()) if not optional else pd.Series(_nullable(found))

    def codes(self, column: str, pattern: str, *, expected: str, optional: bool = False) -> pd.Series:
        """A column of codes, left as delivered.

        Args:
            column: its name in the header.
            pattern: regular expression that a code matches from end to end.
            expected: the same in words, for the error.
            optional: whether an empty cell is a missing value rather than an error.

        Returns:
            n texts, null where the cell was empty.

        Raises:
            SourceError: a cell does not look like such a code, with its row.
        """
        matches = re.compile(pattern).fullmatch
        if (index := self._first_other(column, matches, optional=optional)) is not None:
            cell = self.cells(column)[index].as_py()
            raise self.refuse(
                f"“{cell}” is not a code" if cell.strip() else "the code is missing",
                index=index,
                column=column,
                expected=expected,
                remedy="check that no spreadsheet has rewritten the codes and no column has shifted",
            )
        return self.texts(column)

    def _first_other(self, column: str, fits: Callable[[str], object], *, optional: bool) -> int | None:
        """Index of the first cell that neither fits nor may be empty; each different text is asked once."""
        before = 0
        for piece in self.cells(column).chunks:
            others = [
                number
                for number, cell in enumerate(piece.dictionary.to_pylist())
                if not fits(cell) and not (optional and not cell.strip())
            ]
            if others:
                return before + int(np.flatnonzero(np.isin(piece.indices.to_numpy(), others))[0])
            before += len(piece)
        return None

    def _each(self, column: str, made: Callable[[str], object], kind: "pa.DataType") -> "pa.ChunkedArray":
        """What is made of each cell; each different text of a piece is asked once."""
        import pyarrow as pa

        return pa.chunked_array(
            [
                pa.array([made(cell) for cell in piece.dictionary.to_pylist()], kind).take(piece.indices)
                for piece in self.cells(column).chunks
            ],
            kind,
        )


def _nullable(numbers: "pa.ChunkedArray") -> "pd.arrays.IntegerArray":
    """Whole numbers of which some are missing."""
    missing = numbers.is_null().to_numpy()
    return pd.arrays.IntegerArray(numbers.fill_null(0).to_numpy().copy(), missing.copy())


def read_delimited(
    path: Path, *, content: bytes | None = None, sheet: str | None = None, separator: str = ";"
) -> DelimitedTable:
    """Read a delimited file whole, or refuse it; arguments and errors as in :func:`read_rows`."""
    found = read_rows(path, content=content, sheet=sheet, separator=separator)
    return DelimitedTable.of(path, sheet, found.header, found.rows)


def read_rows(
    path: Path, *, content: bytes | None = None, sheet: str | None = None, separator: str = ";"
) -> DelimitedRows:
    """Open a delimited file, to be read row by row.

    Args:
        path: the file.
        content: its bytes when they do not lie in the file itself (member of an archive).
        sheet: name of that member.
        separator: one character between two cells.

    Returns:
        Its header and its rows.

    Raises:
        SourceError: missing, empty, of another type or wrongly encoded; or, while its rows are read, ragged
            or cut inside quotes.
    """
    text = decode(read_bytes(path) if content is None else content, path, sheet=sheet)
    records = _records(text, path, sheet, separator)
    header = [name.strip() for name in next(records, [])]
    if not any(header):
        raise SourceError("the first row has no column names", file=path, sheet=sheet, row=1, remedy=AS_CSV)
    return DelimitedRows(path, sheet, header, _rows(records, path, sheet, len(header)))


def _records(text: str, path: Path, sheet: str | None, separator: str) -> Iterator[list[str]]:
    """The lines of a file, split into cells."""
    reader = csv.reader(_lines(text), delimiter=separator, strict=True)
    number = 1
    try:
        for record in reader:
            yield record
            number += 1
    except csv.Error as fault:
        raise SourceError(
            f"the row cannot be split into cells ({fault})",
            file=path,
            sheet=sheet,
            row=number,
            expected="quotes that close and no line break outside them",
            remedy=AGAIN,
        ) from None


def _lines(text: str) -> Iterator[str]:
    """The lines of a text; ``io.StringIO`` would hold it once more, at four bytes a character."""
    start = 0
    while (end := text.find("\n", start) + 1) > 0:
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]


def _rows(
    records: Iterator[list[str]], path: Path, sheet: str | None, width: int
) -> Iterator[tuple[int, list[str]]]:
    """The rows below the header, numbered; each as wide as it, and at least one."""
    nothing = True
    for number, record in enumerate(records, 2):
        if not any(record):
            continue
        if len(record) != width:
            raise SourceError(
                f"the row has {len(record)} cells",
                file=path,
                sheet=sheet,
                row=number,
                expected=f"{width} cells as in the header",
                remedy="look for a separator inside a name, or a file that was cut short",
            )
        nothing = False
        yield number, record
    if nothing:
        raise SourceError("there is a header but no row of data", file=path, sheet=sheet, remedy=AGAIN)


def check_header(
    header: Sequence[str],
    *,
    required: Collection[str],
    known: Callable[[str], bool],
    path: Path,
    sheet: str | None = None,
    row: int = 1,
) -> None:
    """Refuse a header with a column missing, unknown or given twice.

    Args:
        header: the names found.
        required: names that must be there.
        known: tells whether another name is expected.
        path: the file, for the error.
        sheet: its sheet, for the error.
        row: the row of the header.

    Raises:
        SourceError: naming the columns concerned.
    """
    missing = [name for name in required if name not in header]
    unknown = [name for name in header if name not in required and not known(name)]
    twice = sorted({name for name in header if header.count(name) > 1})
    faults = [
        f"{label} {', '.join(f'“{name}”' for name in names)}"
        for label, names in (("missing", missing), ("unknown", unknown), ("given twice", twice))
        if names
    ]
    if faults:
        raise SourceError(
            f"the columns are not those of this file: {'; '.join(faults)}",
            file=path,
            sheet=sheet,
            row=row,
            expected=", ".join(sorted(required)) if len(required) <= 20 else f"{len(required)} known columns",
            remedy="check the vintage in the wave's file; a new layout needs a change of its reader",
        )
