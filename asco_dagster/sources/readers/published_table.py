"""A publisher's table: delimited text, a workbook's sheet, or a member of an archive.

The header is found by its words, below whatever title rows there are; each column is declared once with every
name that publishers have given it.
"""

import csv
import functools
import io
import re
import unicodedata
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path, PurePosixPath

from asco_dagster.errors import SourceError
from asco_dagster.sources.readers.delimited import ragged_row, records_of
from asco_dagster.sources.readers.delimited_table import DelimitedTable
from asco_dagster.sources.readers.encoding import AGAIN, decode, read_bytes
from asco_dagster.sources.readers.workbook import (
    WORKBOOK_STARTS,
    as_text,
    collapse,
    open_workbook,
    read_sheet,
)

HEADER_WITHIN = 30
"""Rows of title, source and notes above a header; further down it is another file."""

SEPARATORS = (";", ",", "\t", "|")

_NOT_A_WORD = re.compile(r"[^a-z0-9]+")
_LETTER = re.compile(r"[^\W\d_]")
_NO_TABLE = re.compile(r"meta|lisez ?moi|read ?me|a lire|documentation|dictionnaire")
_NOTE_FROM = 12
"""Characters of text from which the only cell of a row is a note; a code or a number is shorter."""

Spellings = Mapping[str, Sequence[str]]
"""What each column is called: its meaning, and the names that publishers give it, the usual one first."""


@dataclass(frozen=True)
class PublishedTable:
    """A table and which of its columns means what.

    Attributes:
        table: header and cells, as delivered.
        columns: the name in the header of each meaning that was found.
        left_out: names in the header that mean nothing here.
    """

    table: DelimitedTable
    columns: Mapping[str, str]
    left_out: tuple[str, ...]

    def __contains__(self, meaning: str) -> bool:
        return meaning in self.columns


@dataclass(frozen=True)
class _Sought:
    """What is looked for: columns, those that must be there, and where the table usually is."""

    spellings: Spellings
    required: Collection[str]
    path: Path
    usual: Collection[str]


Numbered = Iterable[tuple[int, Sequence[str]]]


def read_published(
    path: Path, spellings: Spellings, *, required: Collection[str], usual: Collection[str] = ()
) -> PublishedTable:
    """Find and read a publisher's table.

    Args:
        path: delimited text (UTF-8 or Windows-1252; ``;``, ``,``, tab or ``|``), a workbook, or a zip of one
            of them.
        spellings: the columns.
        required: meanings without which it is another table.
        usual: names of the sheet or member that holds it, for workbooks and archives with several.

    Returns:
        The table. Rows with a text in their first cell and nothing else are notes and are skipped.

    Raises:
        SourceError: no such header, a column given twice, a ragged row, or a file that cannot be read.
    """
    content = read_bytes(path)
    sought = _Sought(spellings, required, path, frozenset(plain_name(name) for name in usual))
    if content.startswith(b"PK\x03\x04") and (member := _member(content, sought)) is not None:
        name, content = member
        return _of(content, sought, name)
    return _of(content, sought, None)


@functools.lru_cache(maxsize=4096)
def plain_name(text: str) -> str:
    """A name as it is compared: no case, accents, punctuation or line breaks."""
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().casefold()
    return _NOT_A_WORD.sub(" ", letters).strip()


def _of(content: bytes, sought: _Sought, member: str | None) -> PublishedTable:
    if content.startswith(WORKBOOK_STARTS):
        return _from_workbook(content if member else None, sought)
    return _from_text(content, sought, member)


def _from_text(content: bytes, sought: _Sought, member: str | None) -> PublishedTable:
    text = decode(content, sought.path, sheet=member, legacy=True)
    separator = _separator(text, sought)
    records = records_of(text, sought.path, member, separator)
    top = list(islice(records, HEADER_WITHIN))
    header = _header(top, sought, member)
    following = enumerate(chain(top[header + 1 :], records), header + 2)
    return _table(
        top[header], header + 1, _even(following, len(top[header]), sought.path, member), sought, member
    )


def _separator(text: str, sought: _Sought) -> str:
    """The separator under which a header is found; else the one that cuts the first lines most often."""
    first = text[: 200 * HEADER_WITHIN].split("\n")[:HEADER_WITHIN]
    scores = {}
    for separator in SEPARATORS:
        try:
            rows = list(csv.reader(first, delimiter=separator))
        except csv.Error:
            continue
        scores[separator] = (max(len(_found(row, sought)) for row in rows), first[0].count(separator))
    return max(scores, key=lambda separator: scores[separator], default=";")


def _from_workbook(content: bytes | None, sought: _Sought) -> PublishedTable:
    workbook = open_workbook(sought.path, content=content)
    sheets = {
        name: read_sheet(workbook, sought.path, name).rows for name in _likely(workbook.sheet_names, sought)
    }
    tops = {
        name: [[collapse(cell) for cell in row] for row in rows[:HEADER_WITHIN]]
        for name, rows in sheets.items()
    }
    complete = [name for name, top in tops.items() if any(_is_header(row, sought) for row in top)]
    if len(complete) > 1:
        raise SourceError(
            f"{len(complete)} sheets have such a table: {_quoted(complete)}",
            file=sought.path,
            expected="one sheet with it",
            remedy="deliver the workbook as published, or a workbook with that sheet only",
        )
    if not complete and len(tops) > 1:
        raise SourceError(
            f"none of the sheets {_quoted(tops)} has the columns {_quoted(_usual_names(sought))}",
            file=sought.path,
            expected=f"one sheet with the list, its header within the first {HEADER_WITHIN} rows",
            remedy="deliver the publisher's workbook as published",
        )
    sheet = complete[0] if complete else next(iter(tops))
    header = _header(tops[sheet], sought, sheet)
    body = (
        (number, [as_text(cell) for cell in row])
        for number, row in enumerate(sheets[sheet][header + 1 :], header + 2)
        if any(collapse(cell) for cell in row)
    )
    return _table(tops[sheet][header], header + 1, body, sought, sheet)


def _likely(names: Sequence[str], sought: _Sought) -> list[str]:
    """The sheets that usually hold the table, else all of them."""
    return [name for name in names if plain_name(name) in sought.usual] or list(names)


def _table(
    names: Sequence[str], number: int, rows: Numbered, sought: _Sought, sheet: str | None
) -> PublishedTable:
    header = [collapse(name) for name in names]
    columns = {meaning: header[index] for meaning, index in _found(header, sought).items()}
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise SourceError(
            f"the columns are not those of this file: given twice {_quoted(twice)}",
            file=sought.path,
            sheet=sheet,
            row=number,
            expected="each column once",
            remedy="compare the file with an earlier edition",
        )
    kept = ((row, cells) for row, cells in rows if not _is_note(cells))
    table = DelimitedTable.of(sought.path, sheet, header, kept)
    if not len(table.rows):
        raise SourceError("there is a header but no row of data", file=sought.path, sheet=sheet, remedy=AGAIN)
    read = set(columns.values())
    return PublishedTable(table, columns, tuple(name for name in header if name and name not in read))


def _even(rows: Numbered, width: int, path: Path, sheet: str | None) -> Iterator[tuple[int, list[str]]]:
    """Rows as wide as the header; blank cells behind it and notes below the table are skipped."""
    for number, record in rows:
        if not any(cell.strip() for cell in record) or _is_note(record):
            continue
        if len(record) < width or any(cell.strip() for cell in record[width:]):
            raise ragged_row(record, width, path=path, sheet=sheet, row=number)
        yield number, list(record[:width])


def _is_note(record: Sequence[str]) -> bool:
    """Whether a row has nothing but a text in its first cell, as notes below a table do."""
    text = record[0].strip()
    return (
        len(text) >= _NOTE_FROM
        and not any(cell.strip() for cell in record[1:])
        and _LETTER.search(text) is not None
    )


def _header(top: Sequence[Sequence[str]], sought: _Sought, sheet: str | None) -> int:
    """Index of the header among the first rows."""
    for index, row in enumerate(top):
        if _is_header(row, sought):
            return index
    # The row that comes nearest is named: it shows which name has changed.
    nearest = max(range(len(top)), key=lambda index: len(_found(top[index], sought)), default=0)
    names = [collapse(cell) for cell in (top[nearest] if top else [])]
    if not any(names):
        raise SourceError(
            "the first row has no column names", file=sought.path, sheet=sheet, row=1, remedy=AGAIN
        )
    found = _found(names, sought)
    missing = [sought.spellings[meaning][0] for meaning in sought.required if meaning not in found]
    unknown = [name for index, name in enumerate(names) if name and index not in found.values()]
    faults = [f"missing {_quoted(missing)}", f"unknown {_quoted(unknown[:20])}" if unknown else ""]
    raise SourceError(
        f"the columns are not those of this file: {'; '.join(filter(None, faults))}",
        file=sought.path,
        sheet=sheet,
        row=nearest + 1,
        expected=", ".join(_usual_names(sought)),
        remedy="check the vintage in the wave's file; a new name of a column is added to its reader",
    )


def _is_header(row: Sequence[str], sought: _Sought) -> bool:
    return set(sought.required) <= _found(row, sought).keys()


def _found(row: Sequence[str], sought: _Sought) -> dict[str, int]:
    """Index of the column of each meaning; of several names the one declared first."""
    names: dict[str, int] = {}
    for index, cell in enumerate(row):
        names.setdefault(plain_name(cell), index)
    found = {}
    for meaning, spellings in sought.spellings.items():
        known = [names[name] for name in map(plain_name, spellings) if name in names]
        if known:
            found[meaning] = known[0]
    return found


def _usual_names(sought: _Sought) -> list[str]:
    return [sought.spellings[meaning][0] for meaning in sought.required]


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"“{name}”" for name in names)


def _member(content: bytes, sought: _Sought) -> tuple[str, bytes] | None:
    """The member of an archive that holds the table; None for a workbook, which is an archive too."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            if "[Content_Types].xml" in names or "mimetype" in names:
                return None
            found = _likely_member(names, sought)
            member = archive.read(found) if found else b""
    # A damaged archive may raise any of these, depending on where it is damaged.
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        RuntimeError,
        OSError,
        EOFError,
        ValueError,
    ) as fault:
        raise SourceError(
            f"the archive is damaged or cut short ({type(fault).__name__})", file=sought.path, remedy=AGAIN
        ) from fault
    if not found or not member:
        raise SourceError(
            f"the archive holds {_quoted(names[:10]) or 'nothing'}",
            file=sought.path,
            expected=f"one file with the table, such as {_quoted(sorted(sought.usual)) or 'a CSV'}",
            remedy="deliver the publisher's archive as published",
        )
    return found, member


def _likely_member(names: Sequence[str], sought: _Sought) -> str | None:
    """The member of a usual name, else the only table of the archive."""
    tables = [name for name in names if name.casefold().endswith((".csv", ".txt", ".xls", ".xlsx", ".ods"))]
    usual = [name for name in tables if plain_name(PurePosixPath(name).stem) in sought.usual]
    chosen = usual or [name for name in tables if not _NO_TABLE.match(plain_name(PurePosixPath(name).stem))]
    return chosen[0] if len(chosen) == 1 else None
