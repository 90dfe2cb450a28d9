"""The places of a tab: names of cells, and answers that a merge covers.

Does not belong here: what the cells hold (``return_cells``, ``return_workbook``).
"""

import re
from collections.abc import Collection

from asco_dagster.sources.readers.refusals import RefusedReturnError

# Begins with a sign that is rare in a tab: most of it is passed over at the speed of the memory.
_MERGES = re.compile(rb"C(?<=mergeC)ell")
_MERGED = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*?ref\s*=\s*[\"']([A-Za-z0-9$:]+)[\"']")
_REFERENCE = re.compile(r"\$?([A-Za-z]{0,3})\$?([0-9]{0,9})")


def require_unmerged(part: bytes, tab: str, answers: Collection[tuple[int, int]]) -> None:
    """Refuse a merge that covers an answer; titles may be merged.

    Args:
        part: XML of the tab.
        tab: its name.
        answers: row and column, from 1, of every answer on it.

    Raises:
        RefusedReturnError: a merged answer, or a merge without a range; with the cell.
    """
    if not _MERGES.search(part):
        return
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
