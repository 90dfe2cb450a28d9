"""The cells of one tab by its XML alone, for tabs that are written in an unusual manner.

A workbook library reads what the usual programs write; comments, character references, sections, a second
value or an unknown element inside a cell make it lose or change an answer without an error. Here each cell is
what XML and ECMA-376 part 1 (18.3.1.4 ``c``, 18.4.8 ``si``, 22.9.2.19 ``ST_Xstring``) say, or the return is
refused with the cell. Does not belong here: which tabs are unusual (``return_manner``), what an answer means
(``return_values``).
"""

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from xml.etree import ElementTree  # the inspection has refused DTDs

from asco_dagster.questionnaires.workbook_layout import ANSWER_COLUMN
from asco_dagster.sources.readers.refusals import RefusedReturnError
from asco_dagster.sources.readers.return_sheets import cell_name, column_number

MAX_CELLS = 200_000  # rows times columns up to the last cell with a value
MAX_WRITTEN = 50_000  # cells that are worth a parse; a questionnaire has a few hundred in a tab

_LAST_CELL = re.compile(rb'<c r="([A-Z]{1,3}[0-9]{1,7})"')
_PLACE = re.compile(r"([A-Za-z]{1,4})([0-9]{1,10})")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_TRUTH = {"1": True, "true": True, "0": False, "false": False}
_A_DATE = dt.date.min  # which one does not matter: no answer is a date
_BLANK = " \t\r\n"
_KEPT = "{http://www.w3.org/XML/1998/namespace}space"
_INSIDE = {"v", "is", "extLst"}

Element = ElementTree.Element


def shared_strings(part: bytes | None) -> list[str]:
    """The texts that cells name by their number.

    Args:
        part: XML of ``xl/sharedStrings.xml``; None when the workbook has none.

    Raises:
        RefusedReturnError: it is no XML.
    """
    if part is None:
        return []
    root = _parsed(part, None)
    return [_text_of(item, _space(root)) for item in root if item.tag == f"{_space(root)}si"]


def parsed_rows(part: bytes, tab: str, texts: Sequence[str], dates: Sequence[bool]) -> list[list[Any]]:
    """A tab from A1 on, up to the column of answers, in the types that the library gives.

    Args:
        part: XML of the tab.
        tab: its name.
        texts: see :func:`shared_strings`.
        dates: for each cell style, whether it shows a number as a date.

    Returns:
        Its rows, all of one width: text, number, truth value or date; an empty text where there is nothing.

    Raises:
        RefusedReturnError: a formula or an error in a column that is read, a cell that cannot be read or is
            there twice, or a tab that reaches too far; with the cell.
    """
    if part.count(b"<c ") > MAX_WRITTEN:
        last = _LAST_CELL.search(part, part.rfind(b"<c "))
        raise _too_large(tab, last.group(1).decode() if last else None)
    root = _parsed(part, tab)
    placed = list(_placed(root, tab))
    last_row, last_column = _extent(placed, tab)
    found: dict[tuple[int, int], Any] = {}
    for row, column, cell in placed:
        if column > ANSWER_COLUMN:
            continue
        try:
            if (row, column) in found:
                raise RefusedReturnError("unusual_cell")
            found[row, column] = _value(cell, _space(root), texts, dates)
        except RefusedReturnError as refused:
            reason, where = refused.refusal.reason, cell_name(row, column)
            raise RefusedReturnError(reason, tab=tab, cell=where) from None
    columns = range(1, min(last_column, ANSWER_COLUMN) + 1)
    return [[found.get((row, column), "") for column in columns] for row in range(1, last_row + 1)]


def _extent(placed: Iterable[tuple[int, int, Element]], tab: str) -> tuple[int, int]:
    """Last row and column with a value; a table up to one that is far away would fill the memory."""
    last_row = last_column = 0
    for row, column, cell in placed:
        if len(cell):
            last_row, last_column = max(last_row, row), max(last_column, column)
            if last_row * last_column > MAX_CELLS:
                raise _too_large(tab, cell_name(row, column))
    return last_row, last_column


def _too_large(tab: str, cell: str | None) -> RefusedReturnError:
    return RefusedReturnError("sheet_too_large", tab=tab, cell=cell, expected=f"≤ {MAX_CELLS} cells")


def _parsed(part: bytes, tab: str | None) -> Element:
    try:
        return ElementTree.fromstring(part)  # noqa: S314
    except (ElementTree.ParseError, ValueError):
        raise RefusedReturnError("corrupt", tab=tab) from None


def _space(root: Element) -> str:
    """The namespace of the part, in braces; empty when it has none."""
    space, brace, _ = root.tag.rpartition("}")
    return space + brace


def _placed(root: Element, tab: str) -> Iterator[tuple[int, int, Element]]:
    """Every cell with its row and column; one without a place of its own follows the one before it."""
    space = _space(root)
    row = passed = 0
    for line in root.iterfind(f"{space}sheetData/{space}row"):
        row = _row_number(line.get("r"), tab) or row + 1
        column = 0
        for cell in line.iterfind(f"{space}c"):
            place = _PLACE.fullmatch((cell.get("r") or "").strip())
            if place:
                column, row = column_number(place[1]), int(place[2])
            else:
                column += 1
            passed += 1
            yield row, column, cell
    if passed != sum(1 for _ in root.iter(f"{space}c")):
        raise RefusedReturnError("unusual_cell", tab=tab)  # behind an alternative, or outside the rows


def _row_number(text: str | None, tab: str) -> int | None:
    if text is None:
        return None
    if not text.strip().isdigit() or len(text) > 12:
        raise RefusedReturnError("corrupt", tab=tab)
    return int(text)


def _value(cell: Element, space: str, texts: Sequence[str], dates: Sequence[bool]) -> Any:
    """What a cell holds."""
    children = {child.tag.removeprefix(space): child for child in cell}
    if "f" in children:
        raise RefusedReturnError("formula")
    kind = (cell.get("t") or "n").strip()
    if kind == "e":
        raise RefusedReturnError("error_value")
    beside = [cell.text, *(child.tail for child in cell)]
    if (
        len(children) < len(cell)
        or not set(children) <= _INSIDE
        or "".join(filter(None, beside)).strip(_BLANK)
    ):
        raise RefusedReturnError("unusual_cell")
    if "is" in children:
        if kind not in ("inlineStr", "n") or "v" in children:
            raise RefusedReturnError("unusual_cell")
        return _text_of(children["is"], space)
    value = children.get("v")
    if value is None:
        return ""
    if len(value):
        raise RefusedReturnError("unusual_cell")
    return _typed(value.text or "", kind, cell.get("s"), texts, dates)


def _typed(written: str, kind: str, style: str | None, texts: Sequence[str], dates: Sequence[bool]) -> Any:
    """The value that a text means in a cell of a type."""
    if kind == "str":
        return _unescaped(written)
    plain = written.strip(_BLANK)
    if not plain:
        return ""
    if kind == "n":
        if not _NUMBER.fullmatch(plain):
            return plain  # where a number belongs it is refused as a text
        number = style.strip() if style else "0"
        is_date = number.isdecimal() and int(number) < len(dates) and dates[int(number)]
        return _A_DATE if is_date else float(plain)
    if kind == "d":
        return _A_DATE
    if kind == "b" and plain in _TRUTH:
        return _TRUTH[plain]
    if kind == "s" and plain.isdecimal():
        if int(plain) >= len(texts):
            raise RefusedReturnError("corrupt")
        return texts[int(plain)]
    raise RefusedReturnError("unusual_cell")


def _text_of(item: Element, space: str) -> str:
    """A text, or the runs of a formatted one, without its pronunciation."""
    runs: list[str] = []
    for child in item:
        name = child.tag.removeprefix(space)
        if name == "t" and not len(child):
            runs.append(_run(child))
        elif name == "r" and {run.tag for run in child} <= {f"{space}t", f"{space}rPr"}:
            runs += [_run(run) for run in child if run.tag == f"{space}t"]
        elif name not in ("rPh", "phoneticPr"):
            raise RefusedReturnError("unusual_cell")
    return "".join(runs)


def _run(run: Element) -> str:
    """The text of a run; blanks around it count only where it says so."""
    text = run.text or ""
    return _unescaped(text if run.get(_KEPT) == "preserve" else text.strip(_BLANK))


def _unescaped(text: str) -> str:
    """``_x000D_`` is the character of that number; ``_x005F_`` an underscore that begins no such escape."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text
