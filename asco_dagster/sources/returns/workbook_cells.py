"""The cells of one tab, from its XML.

Two ways to the same values. Tabs as spreadsheet programs write them are matched by one pattern, ten times as
fast as a parse. In any other tab each cell is what XML and ECMA-376 part 1 (18.3.1.4 ``c``, 18.4.8 ``si``,
22.9.2.19 ``ST_Xstring``) say, or the return is refused with the cell. No workbook library is asked: comments,
character references, sections, a second value or an unknown element inside a cell make those known lose or
change an answer without an error.
"""

import datetime as dt
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any
from xml.etree import ElementTree  # the inspection has refused DTDs

from asco_dagster.questionnaires.workbook_layout import ANSWER_COLUMN, Place
from asco_dagster.sources.returns.refusals import RefusedReturnError

MAX_CELLS = 200_000  # rows times columns up to the last cell with a value
MAX_WRITTEN = 50_000  # cells that are worth a parse; a questionnaire has a few hundred in a tab

_LAST_CELL = re.compile(rb'<c r="([A-Z]{1,3}[0-9]{1,7})"')
_PLACE = re.compile(r"([A-Za-z]{1,4})([0-9]{1,10})")
_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?|nan|inf)", re.IGNORECASE)
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_TRUTH = {"1": True, "true": True, "0": False, "false": False}
_A_DATE = dt.date.min  # which one does not matter: no answer is a date
_BLANK = " \t\r\n"
_KEPT = "{http://www.w3.org/XML/1998/namespace}space"
_INSIDE = {"v", "is", "extLst"}

Element = ElementTree.Element
Cells = dict[tuple[int, int], Any]
"""What each cell of a tab holds, by row and column from 1: text, number, truth value or date; an empty text
where there is nothing."""

_TAGS_BEFORE = (
    "sheetPr|tabColor|outlinePr|pageSetUpPr|dimension|sheetViews?|pane|selection|sheetFormatPr|cols?"
)
_DECLARATION = (
    r'(?:\xef\xbb\xbf)?(?:<\?xml version="1.0"(?: encoding="(?:UTF|utf)-8")?(?: standalone="(?:yes|no)")?'
    r"\s?\?>\s*)?"
)
_ATTRIBUTES = r'(?:\s+[A-Za-z][A-Za-z0-9:]*="[^"<>&\x00-\x1f\x7f-\xff]*")*+\s?'
_HEAD = re.compile(
    rf"{_DECLARATION}<worksheet{_ATTRIBUTES}>(?:</?(?:{_TAGS_BEFORE}){_ATTRIBUTES}/?>)*+<sheetData>".encode()
)
# No character that XML forbids or changes (carriage returns); references (&) are left to the parse.
_TEXT = r"[^<>&\x00-\x08\x0b-\x1f\ufffe\uffff]*"
_SHARED_HEAD = re.compile(rf"{_DECLARATION}<sst{_ATTRIBUTES}>".encode())
_SHARED_TEXT = re.compile(rf'<si><t( xml:space="preserve")?>({_TEXT})</t></si>|(.+)', re.DOTALL)
_USUAL = re.compile(
    rf"""<c\ r="([A-Z])([1-9][0-9]{{0,2}})"(?:\ s="([0-9]+)")?
            (?: (?:\ t="n")?(?:\ ?/>|></c>)
              | \ t="inlineStr"><is><t(\ xml:space="preserve")?>({_TEXT})</t></is></c>
              | (?:\ t="(n|s|str|b)")?><v>({_TEXT})</v></c> )
            (?=<c\ |</row>)
       | <row\ r="[1-9][0-9]{{0,11}}"
            (?: \ (?!r=)([A-Za-z]+(?::[A-Za-z]+)?)="[^"<>&\x00-\x1f]*"(?![^<>]*\ \8=) ){{0,20}}
            \ ?(?: /> (?=<row|\Z) | > (?=<c\ |</row>) )
       | </row>(?=<row|\Z)
       | (.+)""",
    re.VERBOSE | re.DOTALL,
)
"""A cell (column, row, style, whether blanks are kept, inline text, type, value), begin or end of a row (an
attribute), or anything else, to the end."""
_MERGED = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*?ref\s*=\s*[\"']([A-Za-z0-9$:]+)[\"']")
_REFERENCE = re.compile(r"\$?([A-Za-z]{0,3})\$?([0-9]{0,9})")
_BUILT_IN = frozenset((*range(14, 23), 45, 46, 47))
"""Built-in formats that are dates or times in every language."""

# What is shown as it is written, or only places and colours: "text", \x, _x (a space), *x (a filling), [Red].
_LITERAL = re.compile(r'"[^"]*"?|[\\_*].?|\[(?!(?:h+|m+|s+)\])[^\]]*\]?', re.IGNORECASE)
_HALF_OF_DAY = re.compile(r"AM/PM|A/P", re.IGNORECASE)
_SECOND_FRACTION = re.compile(r"(s\]?)[.,]0+", re.IGNORECASE)
_DIGIT = re.compile(r"[0#?]")
_WORD = re.compile(r"[^\W\d_]+")
# Year, month, day, hour, minute, second; weekday and era of East Asia; and the letters of a French (jour,
# année) or German (Tag, Jahr) format that a program wrote untranslated.
_DATE_WORD = re.compile(r"[dmyhs]+|j*m*a{2,4}|j+m*|t{1,4}|m*j+|a{3,4}|g*e+|b{2,4}", re.IGNORECASE)


class SharedTexts:
    """The texts that cells name by their number, each read where a cell names it.

    Args:
        part: XML of ``xl/sharedStrings.xml``; None when the workbook has none.

    Raises:
        RefusedReturnError: it is no XML.
    """

    def __init__(self, part: bytes | None) -> None:
        self._space = ""
        self._items: Sequence[str | Element] = [] if part is None else _usual_texts(part)
        if part is not None and not self._items:
            root = _parsed(part, None)
            self._space = _space(root)
            self._items = [item for item in root if item.tag == f"{self._space}si"]

    def __getitem__(self, number: int) -> str:
        if number >= len(self._items):
            raise RefusedReturnError("corrupt")
        item = self._items[number]
        return item if isinstance(item, str) else _text_of(item, self._space)


def cells_of(part: bytes, tab: str, texts: SharedTexts, dates: Sequence[bool]) -> Cells:
    """The cells of a tab, up to the column of answers.

    Args:
        part: XML of the tab.
        tab: its name.
        texts: of the workbook.
        dates: for each cell style, whether it shows a number as a date.

    Raises:
        RefusedReturnError: a formula or an error in a column that is read, a cell that cannot be read or is
            there twice, or a tab that reaches too far; with the cell.
    """
    if part.count(b"<c ") > MAX_WRITTEN:
        last = _LAST_CELL.search(part, part.rfind(b"<c "))
        raise _too_large(tab, last.group(1).decode() if last else None)
    usual = _usual_cells(part, texts, dates)
    return _parsed_cells(part, tab, texts, dates) if usual is None else usual


def _usual_texts(part: bytes) -> list[str]:
    """The shared texts as spreadsheet programs write them; none of any other part."""
    head = _SHARED_HEAD.match(part)
    if head is None or not part.endswith(b"</sst>"):
        return []
    try:
        found = _SHARED_TEXT.findall(part[head.end() : -len(b"</sst>")].decode())
    except UnicodeDecodeError:
        return []
    if found and found[-1][2]:
        return []
    return [_unescaped(text if kept else text.strip(_BLANK)) for kept, text, _ in found]


def _usual_cells(part: bytes, texts: SharedTexts, dates: Sequence[bool]) -> Cells | None:
    """The cells of a tab that is written as usual; None for any other, and where a cell is refused."""
    head, end = _HEAD.match(part), part.rfind(b"</sheetData>")
    found: Cells = {}
    try:
        body = part[head.end() : end].decode() if head and end > 0 else "?"
        for match in _USUAL.finditer(body):
            letter, row, style, kept, text, kind, value, _, other = match.groups()
            if other is not None:
                return None
            column = ord(letter) - ord("A") + 1 if letter else 0
            if not 0 < column <= ANSWER_COLUMN:
                continue
            place = (int(row), column)
            if place in found:
                return None
            if text is not None:
                found[place] = _unescaped(text if kept else text.strip(_BLANK))
            else:
                found[place] = _typed(value or "", kind or "n", style, texts, dates)
    except (UnicodeDecodeError, RefusedReturnError):  # the parse names the cell
        return None
    return found


def _parsed_cells(part: bytes, tab: str, texts: SharedTexts, dates: Sequence[bool]) -> Cells:
    """The cells of any tab."""
    root = _parsed(part, tab)
    placed = list(_placed(root, tab))
    _require_near(placed, tab)
    found: Cells = {}
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
    return found


def _require_near(placed: Iterable[tuple[int, int, Element]], tab: str) -> None:
    """Refuse a tab with a value far away: whoever opens it would fill the memory."""
    last_row = last_column = 0
    for row, column, cell in placed:
        if len(cell):
            last_row, last_column = max(last_row, row), max(last_column, column)
            if last_row * last_column > MAX_CELLS:
                raise _too_large(tab, cell_name(row, column))


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
    """Every cell with its row and column; one that names no place follows the one before it."""
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


def _value(cell: Element, space: str, texts: SharedTexts, dates: Sequence[bool]) -> Any:
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


def _typed(written: str, kind: str, style: str | None, texts: SharedTexts, dates: Sequence[bool]) -> Any:
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


def is_date_format(code: str) -> bool:
    """Whether a number format shows a number as a date, a time or a duration.

    Args:
        code: as the workbook writes it; what is before the first ``;`` shows positive numbers, and dates are
            positive.
    """
    shown = _HALF_OF_DAY.sub("h", _LITERAL.sub(" ", code).partition(";")[0])
    words = _WORD.findall(shown)
    if not words or _DIGIT.search(_SECOND_FRACTION.sub(r"\1", shown)):
        return False
    return all(_DATE_WORD.fullmatch(word) for word in words)


def date_styles(styles: bytes) -> tuple[bool, ...]:
    """For each cell style, in the order in which cells count them, whether it shows a number as a date.

    Args:
        styles: XML of ``xl/styles.xml``.

    Raises:
        RefusedReturnError: it is no XML.
    """
    sheet = _parsed(styles, None)
    space = _space(sheet)
    written = {
        one.get("numFmtId", ""): is_date_format(one.get("formatCode", ""))
        for one in sheet.findall(f"{space}numFmts/{space}numFmt")
    }
    used = (style.get("numFmtId", "0").strip() for style in sheet.findall(f"{space}cellXfs/{space}xf"))
    return tuple(written.get(number, number.isdecimal() and int(number) in _BUILT_IN) for number in used)


def require_unmerged(part: bytes, tab: str, answers: Collection[Place]) -> None:
    """Refuse a merge that covers an answer; titles may be merged.

    Args:
        part: XML of the tab.
        tab: its name.
        answers: where its answers are.

    Raises:
        RefusedReturnError: a merged answer, or a merge without a range; with the cell.
    """
    for match in _MERGED.finditer(part) if b"mergeCell" in part else ():
        first, _, last = match.group(1).decode().partition(":")
        low, high = _REFERENCE.fullmatch(first), _REFERENCE.fullmatch(last or first)
        if low is None or high is None:
            raise RefusedReturnError("corrupt", tab=tab)
        top, bottom = int(low[2] or 1), int(high[2] or 1_048_576)
        left, right = column_number(low[1] or "A"), column_number(high[1] or "XFD")
        for place in answers if (top, left) != (bottom, right) else ():
            if top <= place.row <= bottom and left <= place.column <= right:
                raise RefusedReturnError("merged_answer", tab=tab, cell=cell_name(place.row, place.column))


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
