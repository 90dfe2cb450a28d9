"""The cells of one tab as they stand in its XML: what a workbook library hides or cannot be trusted with.

Belongs here: formulas and calculation errors in the columns that are read (the library gives the cached value
of the first and nothing for the second), merged answers, and cells so far away that a table up to them
would fill the memory. Only a tab out of the ordinary manner (``return_manner``) is parsed. Does not belong
here: what the answers say (``return_workbook``).
"""

import re
from collections.abc import Collection, Iterator
from xml.etree import ElementTree  # the inspection has refused DTDs

from asco_dagster.questionnaires.workbook_layout import ANSWER_COLUMN
from asco_dagster.sources.readers.refusals import RefusedReturnError
from asco_dagster.sources.readers.return_manner import are_plain

MAX_CELLS = 200_000  # rows times columns up to the last cell with a value

# Begins with a sign that is rare in a tab: most of it is passed over at the speed of the memory.
_MERGES = re.compile(rb"C(?<=mergeC)ell")
_MERGED = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*?ref\s*=\s*[\"']([A-Za-z0-9$:]+)[\"']")
_REFERENCE = re.compile(r"\$?([A-Za-z]{0,3})\$?([0-9]{0,9})")
_CELL = re.compile(r"([A-Za-z]{1,4})([0-9]{1,10})")


def demand_plain_cells(
    part: bytes, cells: bytes, tab: str, answers: Collection[tuple[int, int]], *, cleared: bool
) -> None:
    """Refuse a tab whose cells cannot be taken as they are.

    Args:
        part: XML of the tab.
        cells: the same up to its last cell.
        tab: its name.
        answers: row and column, from 1, of every answer on it.
        cleared: whether ``return_manner.are_plain`` has cleared it already.

    Raises:
        RefusedReturnError: a formula or an error in a column that is read, a merged answer, or a tab that
            reaches too far; with the cell.
    """
    if not cleared and not are_plain((cells,)):
        _demand_each(part, tab)
    if _MERGES.search(part):
        _demand_unmerged(part, tab, answers)


def cell_name(row: int, column: int) -> str:
    """The name of a cell, both counted from 1: ``C12``."""
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return f"{letters}{row}"


def column_number(letters: str) -> int:
    """The number of a column, from 1: ``C`` is 3."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _demand_each(part: bytes, tab: str) -> None:
    """Parse the tab and look at every cell."""
    last_row = last_column = 0
    for row, column, cell in _cells(part, tab):
        read = column <= ANSWER_COLUMN
        children = {child.tag.rpartition("}")[2] for child in cell}
        if read and "f" in children:
            raise RefusedReturnError("formula", tab=tab, cell=cell_name(row, column))
        if read and (cell.get("t") or "").strip() == "e":
            raise RefusedReturnError("error_value", tab=tab, cell=cell_name(row, column))
        if children:
            last_row, last_column = max(last_row, row), max(last_column, column)
    if last_row * last_column > MAX_CELLS:
        raise RefusedReturnError(
            "sheet_too_large",
            tab=tab,
            cell=cell_name(last_row, last_column),
            expected=f"≤ {MAX_CELLS} cells",
        )


def _cells(part: bytes, tab: str) -> Iterator[tuple[int, int, ElementTree.Element]]:
    """Every cell with its row and column; one without a place of its own follows the one before it."""
    try:
        sheet = ElementTree.fromstring(part)  # noqa: S314
    except (ElementTree.ParseError, ValueError):
        raise RefusedReturnError("corrupt", tab=tab) from None
    row = 0
    for line in sheet.iter():
        if not line.tag.endswith("}row") and line.tag != "row":
            continue
        row = _number(line.get("r"), tab) or row + 1
        column = 0
        for cell in line:
            place = _CELL.fullmatch((cell.get("r") or "").strip())
            if place:
                column, row = column_number(place[1]), int(place[2])
            else:
                column += 1
            yield row, column, cell


def _number(text: str | None, tab: str) -> int | None:
    if text is None:
        return None
    if not text.strip().isdigit() or len(text) > 12:
        raise RefusedReturnError("corrupt", tab=tab)
    return int(text)


def _demand_unmerged(part: bytes, tab: str, answers: Collection[tuple[int, int]]) -> None:
    """Refuse a merge that covers an answer; titles may be merged."""
    for match in _MERGED.finditer(part):
        first, _, last = match.group(1).decode().partition(":")
        low, high = _REFERENCE.fullmatch(first), _REFERENCE.fullmatch(last or first)
        if low is None or high is None:
            raise RefusedReturnError("corrupt", tab=tab)
        top, bottom = int(low[2] or 1), int(high[2] or 1_048_576)
        left, right = column_number(low[1] or "A"), column_number(high[1] or "XFD")
        for row, column in answers:
            if top <= row <= bottom and left <= column <= right and (top, left) != (bottom, right):
                raise RefusedReturnError("merged_answer", tab=tab, cell=cell_name(row, column))
