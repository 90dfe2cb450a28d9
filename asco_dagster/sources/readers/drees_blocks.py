"""Where the blocks of a DREES *Aide sociale* table begin, which columns are years, and what a row is.

A sheet has a block by département and mostly a second one by région, each below a header on row 4 to 10 that
is recognised by its words.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from asco_dagster.sources.readers.workbook import Cell, Sheet, collapse, column_letter, is_blank

MARKS = r"(?:\s*(?:\((?:p|d|sd|r|e|\d{1,2})\)|\*+|[¹²³⁴⁵]))*"
"""Marks behind a year, a code or a number: provisional, final, semi-final, revised, estimated; footnotes."""

_YEAR = re.compile(rf"((?:19|20)\d\d)(?:\.0)?({MARKS})", re.IGNORECASE)
_BEHIND = re.compile(rf"(?<=\w){MARKS}$", re.IGNORECASE)
_DEPARTEMENT = r"\d{2,3}|\d{1,2}[A-Z]{1,2}"
_REGION = r"\d{2,3}"
_NEW_LAYOUT = "compare the sheet with an earlier edition; a new layout needs a change in drees_blocks.py"
_NAMES = r"(noms? d(e|u) )?départements?( ou collectivités?.*| et collectivités?.*)?|collectivités?"
_LAYOUTS = (
    # kind, words of the first cells, column of the code, column of the name, first column of values
    ("departement", (r"codes?( de la)? région", r"codes?( du)? département", _NAMES), 1, 2, 3),
    ("departement", (r"(numéro|n°)( de| du)? département|codes?( du)? département", _NAMES), 0, 1, 2),
    ("region", (r"codes?( de la)? région", r"régions?", r"|espace"), 0, 1, 3),
)


@dataclass(frozen=True)
class YearColumn:
    """A column of values: its index from 0, its year, and whether the header marks it ``(p)``."""

    index: int
    letter: str
    year: int
    is_provisional: bool


@dataclass(frozen=True)
class Block:
    """A header and the rows below it.

    Attributes:
        kind: ``departement``, ``region`` or ``total`` (a table of national rows only).
        code: column of the code from 0, -1 where there is none.
        name: column of the name.
        first: first column that may hold a value.
        years: the columns of values.
        start: index from 0 of the first row below the header.
        stop: index of the next header, or the number of rows.
    """

    kind: str
    code: int
    name: int
    first: int
    years: list[YearColumn]
    start: int
    stop: int


@dataclass(frozen=True)
class Area:
    """What a row is about: ``kind`` as in the output, ``code`` null for totals."""

    kind: str
    code: str | None
    name: str


def is_marked_provisional(marks: str) -> bool:
    """Whether the marks behind a year or a number say that it is provisional."""
    return "(p)" in marks.casefold()


def is_empty(cell: Cell) -> bool:
    """Whether a cell has no content; links back to the contents page have none."""
    return is_blank(cell) or (isinstance(cell, str) and "retour" in cell.casefold())


def find_blocks(sheet: Sheet) -> list[Block]:
    """The blocks of a sheet, in order.

    Returns:
        At least one block.

    Raises:
        SourceError: no header, a changed header, or a column of values without its year.
    """
    heads = [(index, layout) for index in range(len(sheet.rows)) if (layout := _layout(sheet, index))]
    if not heads:
        raise sheet.refuse(
            "no row is a header",
            expected="“Code région | Code département | Département | 2000 …” or “Numéro de département | …”",
            remedy=_NEW_LAYOUT,
        )
    stops = [index for index, _ in heads[1:]] + [len(sheet.rows)]
    blocks = []
    for (index, (kind, code, name, first)), stop in zip(heads, stops, strict=True):
        blocks.append(Block(kind, code, name, first, _years(sheet, index, first), index + 1, stop))
    return blocks


def has_header(sheet: Sheet) -> bool:
    """Whether any row is the header of a block by département or région."""
    words = ([collapse(cell).casefold() for cell in row[:3]] for row in sheet.rows)
    return any(_kind_of(row) is not None for row in words)


def _kind_of(words: Sequence[str]) -> tuple[str, int, int, int] | None:
    """Kind and columns of the block that the first words of a row begin."""
    for kind, patterns, code, name, first in _LAYOUTS:
        if len(words) >= len(patterns) and all(map(re.fullmatch, patterns, words)):
            return kind, code, name, first
    return None


def _layout(sheet: Sheet, index: int) -> tuple[str, int, int, int] | None:
    row = sheet.rows[index]
    words = [collapse(cell).casefold() for cell in row[:3]]
    if (found := _kind_of(words)) is not None:
        return found
    if words[0] in ("code région", "numéro de département"):
        raise sheet.refuse(
            f"the header has changed: “{' | '.join(words)}”",
            row=index + 1,
            expected="“Code région | Code département | Département”, “Code région | Région” or "
            "“Numéro de département | Département”",
            remedy=_NEW_LAYOUT,
        )
    rest = [collapse(cell) for cell in row[3:] if not is_empty(cell)]
    if not any(words) and len(rest) > 1 and all(_YEAR.fullmatch(cell) for cell in rest):
        return "total", -1, 0, 3
    return None


def _years(sheet: Sheet, header: int, first: int) -> list[YearColumn]:
    years: list[YearColumn] = []
    for index, cell in enumerate(sheet.rows[header][first:], first):
        if is_empty(cell):
            continue
        match = _YEAR.fullmatch(collapse(cell))
        fault = "" if match else f"“{collapse(cell)}” is not a year"
        if match and int(match[1]) in {column.year for column in years}:
            fault = f"the year {match[1]} is twice in the header"
        if fault or not match:
            raise sheet.refuse(
                fault,
                row=header + 1,
                column=index,
                expected="a year such as 2014 or “2020 (p)”, once",
                remedy="compare the header with an earlier edition",
            )
        years.append(YearColumn(index, column_letter(index), int(match[1]), is_marked_provisional(match[2])))
    if not years:
        raise sheet.refuse(
            "the header has no year", row=header + 1, expected="years", remedy="download the file again"
        )
    return years


_TOTALS = ("total", "france")


def _is_number_code(row: Sequence[Cell], block: Block) -> bool:
    """Whether the row is an area's, whose first column holds a code."""
    return block.code >= 0 and bool(re.match(r"\d", collapse(row[block.code])))


def identify(sheet: Sheet, index: int, block: Block) -> Area | None:
    """What a row below a header is about.

    Args:
        sheet: its sheet.
        index: the row, from 0.
        block: the block that it is in.

    Returns:
        The area, or None for a blank row, a note, or the title of the next block.

    Raises:
        SourceError: the row has values but no département, région or total that they belong to.
    """
    row = sheet.rows[index]
    head = collapse(row[0])
    filled = any(not is_empty(cell) for cell in row[block.first :])
    if head.casefold().startswith(_TOTALS) and filled and not _is_number_code(row, block):
        return Area("total", None, head)
    coded = block.code >= 0 and not is_blank(row[block.code])
    named = block.kind != "total" and not is_blank(row[block.name])
    if not filled and not named:
        return None
    if not (coded and named):
        missing = "code" if named else "name"
        raise sheet.refuse(
            f"the row has {'a name' if named else 'values'} but no {missing} of a {block.kind}",
            row=index + 1,
            column=block.code if named else block.name,
            expected="a code and a name, or “TOTAL …” in the first column",
            remedy="have the publisher correct the row, or check that no column has shifted",
        )
    pattern = _REGION if block.kind == "region" else _DEPARTEMENT
    cell = row[block.code]
    code = sheet.code(
        _BEHIND.sub("", cell.strip()) if isinstance(cell, str) else cell,
        pattern=pattern,
        width=2,
        row=index + 1,
        column=block.code,
        expected=f"the code of a {block.kind}",
    )
    return Area(block.kind, code, collapse(row[block.name]))
