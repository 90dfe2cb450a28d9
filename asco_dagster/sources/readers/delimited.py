"""Delimited text files: cells, header, ragged rows.

Strict on purpose: a file that is not what it should be is refused with the row concerned, because a lenient
reader would shift columns in silence.
"""

import csv
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from asco_dagster.errors import SourceError
from asco_dagster.sources.readers.encoding import AGAIN, AS_CSV, decode, read_bytes


@dataclass(frozen=True)
class DelimitedRows:
    """A delimited file, its rows one at a time.

    Attributes:
        path: the file.
        header: column names, trimmed.
        rows: number (counted from 1 with the header, as a spreadsheet shows it) and cells of each row, as
            many as the header has; lines without any content are skipped but counted. Going through them
            raises ``SourceError`` at a row that is ragged or cut inside quotes, or at the end when none came.
    """

    path: Path
    header: list[str]
    rows: Iterator[tuple[int, list[str]]]


def read_rows(path: Path, *, content: bytes | None = None, separator: str = ";") -> DelimitedRows:
    """Open a delimited file, to be read row by row.

    Args:
        path: the file.
        content: its bytes when they are not in the file itself (an export from an API).
        separator: one character between two cells.

    Returns:
        Its header and its rows.

    Raises:
        SourceError: missing, empty, of another type or wrongly encoded; or, while its rows are read, ragged
            or cut inside quotes.
    """
    text = decode(read_bytes(path) if content is None else content, path)
    records = records_of(text, path, None, separator)
    header = [name.strip() for name in next(records, [])]
    if not any(header):
        raise SourceError("the first row has no column names", file=path, row=1, remedy=AS_CSV)
    return DelimitedRows(path, header, _rows(records, path, len(header)))


def records_of(text: str, path: Path, sheet: str | None, separator: str) -> Iterator[list[str]]:
    """The lines of a file, split into cells.

    Raises:
        SourceError: a row is cut inside quotes.
    """
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


def _rows(records: Iterator[list[str]], path: Path, width: int) -> Iterator[tuple[int, list[str]]]:
    """The rows below the header, numbered; each as wide as it, and at least one."""
    nothing = True
    for number, record in enumerate(records, 2):
        if not any(record):
            continue
        if len(record) != width:
            raise ragged_row(record, width, path=path, sheet=None, row=number)
        nothing = False
        yield number, record
    if nothing:
        raise SourceError("there is a header but no row of data", file=path, remedy=AGAIN)


def ragged_row(record: Sequence[str], width: int, *, path: Path, sheet: str | None, row: int) -> SourceError:
    """The error of a row that is not as wide as the header."""
    return SourceError(
        f"the row has {len(record)} cells",
        file=path,
        sheet=sheet,
        row=row,
        expected=f"{width} cells as in the header",
        remedy="check for a separator inside a name, or a file that was cut short",
    )


def check_header(
    header: Sequence[str],
    *,
    required: Collection[str],
    known: Callable[[str], bool],
    path: Path,
) -> None:
    """Refuse a header with a column missing, unknown or given twice.

    Args:
        header: the names found.
        required: names that must be there.
        known: says whether another name is expected.
        path: the file, for the error.

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
            row=1,
            expected=", ".join(sorted(required)) if len(required) <= 20 else f"{len(required)} known columns",
            remedy="check the vintage in the wave's file; a new layout needs a change of its reader",
        )
