"""One returned workbook: whose it is, and its answers, or the reason why it is refused.

Belongs here: the hidden sheet, and the tabs against the layout. This runs in the reading processes. Contact
details are never read: only the hidden sheet and the tabs of the layout are. Does not belong here: safety
(``return_inspection``), tabs in an unusual manner (``return_cells``), what a cell means (``return_values``),
and which of a unit's returns counts (``return_settling``).
"""

import io
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from asco_dagster.questionnaires.questions import Question
from asco_dagster.questionnaires.workbook_layout import (
    ANSWER_COLUMN,
    FRONT_TABS,
    META_NAMES,
    META_SHEET,
    QUESTION_COLUMN,
    Place,
)
from asco_dagster.sources.readers.refusals import RefusedReturnError
from asco_dagster.sources.readers.return_cells import parsed_rows, shared_strings
from asco_dagster.sources.readers.return_form import Expected, Return, Tab, require_unit
from asco_dagster.sources.readers.return_formats import bare_styles, date_styles
from asco_dagster.sources.readers.return_inspection import Package, inspect
from asco_dagster.sources.readers.return_manner import are_plain, are_plain_texts
from asco_dagster.sources.readers.return_packing import bare_package, cells_of
from asco_dagster.sources.readers.return_sheets import cell_name, require_unmerged
from asco_dagster.sources.readers.return_values import moment_of, value_of

Sheet = list[list[Any]]


def read_workbook(content: bytes, expected: Mapping[str, Expected]) -> Return:
    """Read one returned workbook.

    Args:
        content: its bytes.
        expected: what returns must look like, by type of unit.

    Returns:
        The answers; an empty cell has none.

    Raises:
        RefusedReturnError: with reason, tab and cell.
    """
    book = _Book(inspect(content))
    wanted, unit_code = _identity(book.rows(META_SHEET, ()), expected)
    try:
        places, values = _answers(book, wanted)
    except RefusedReturnError as refused:
        raise refused.of_unit(unit_code) from None
    return Return.of(
        wanted, unit_code, moment_of(book.package.modified), places, values, version=wanted.version
    )


_STYLES, _TEXTS = "xl/styles.xml", "xl/sharedstrings.xml"


class _Book:
    """The tabs of a workbook that may hold answers, read by the library where it can be trusted with them.

    Args:
        package: the workbook, inspected.

    Raises:
        RefusedReturnError: the hidden sheet is missing, or the workbook cannot be opened.
    """

    def __init__(self, package: Package) -> None:
        self.package = package
        if META_SHEET not in package.sheets:
            raise RefusedReturnError("meta_missing", tab=META_SHEET)
        parts = package.parts
        self._dates = date_styles(parts[_STYLES]) if _STYLES in parts else ()
        self._texts: list[str] | None = None
        self._library: Callable[[str], Sheet] | None = None
        cells = {tab: cells_of(package.sheet(tab)) for tab in package.sheets if tab not in FRONT_TABS}
        if are_plain(cells.values()) and are_plain_texts(parts.get(_TEXTS, b"")):
            given = {package.sheets[tab]: part for tab, part in cells.items()}
            # Which numbers are dates is judged here: the library takes “Standard” for a format of dates.
            self._library = _opened(bare_package({**parts, _STYLES: bare_styles(self._dates)}, given))

    def rows(self, tab: str, answers: Collection[tuple[int, int]]) -> Sheet:
        """A tab from A1 on.

        Args:
            tab: its name.
            answers: row and column, from 1, of every answer on it.

        Raises:
            RefusedReturnError: an answer is merged, or the tab cannot be read.
        """
        require_unmerged(self.package.sheet(tab), tab, answers)
        if self._library is not None:
            try:
                return self._library(tab)
            except RefusedReturnError:
                pass  # the XML says which cell it is, if it is one
        if self._texts is None:
            self._texts = shared_strings(self.package.parts.get(_TEXTS))
        return parsed_rows(self.package.sheet(tab), tab, self._texts, self._dates)


def _answers(book: _Book, wanted: Expected) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Number of each question answered, and the answer."""
    _require_tabs(book, wanted)
    places: list[int] = []
    values: list[str] = []
    for name, tab in wanted.by_tab.items():
        cells = _cells(book.rows(name, tab.answers), name, tab)
        for number, cell, place, meanings in zip(tab.numbers, cells, tab.places, tab.meanings, strict=True):
            if cell == "":
                continue
            value = meanings.get(cell) if type(cell) is str else None
            if value is None:
                value = _value(cell, place, wanted.questions[number], meanings)
            if value is not None:
                places.append(number)
                values.append(value)
    if not places:
        raise RefusedReturnError("nothing_answered")
    return tuple(places), tuple(values)


def _cells(rows: Sheet, name: str, tab: Tab) -> list[Any]:
    """The cell of each question, whose code must stand in its own row, in the column of codes."""
    try:
        own = [rows[row] for row in tab.rows]
        found = [row[QUESTION_COLUMN - 1] for row in own]
    except IndexError:
        found = []
    if found != tab.codes:
        raise _misplaced(rows, name, tab.places)
    if len(own[0]) < ANSWER_COLUMN:  # a table is as wide as its widest row: nothing is answered
        return [""] * len(own)
    return [row[ANSWER_COLUMN - 1] for row in own]


def _opened(content: bytes) -> Callable[[str], Sheet]:
    """A function that reads a tab from A1 on; whatever the library raises on a broken file is a refusal."""

    def guarded(read: Callable[[], Any], tab: str | None) -> Any:
        try:
            return read()
        except PasswordError:
            raise RefusedReturnError("password") from None
        except (KeyboardInterrupt, SystemExit, MemoryError):
            raise
        # A damaged file may make the Rust library panic, and its PanicException is no Exception.
        except BaseException as fault:
            if isinstance(fault, (CalamineError, Exception)) or type(fault).__name__ == "PanicException":
                raise RefusedReturnError("corrupt", tab=tab) from None
            raise

    book = guarded(lambda: CalamineWorkbook.from_filelike(io.BytesIO(content)), None)
    return lambda tab: guarded(lambda: book.get_sheet_by_name(tab).to_python(skip_empty_area=False), tab)


def _identity(rows: Sheet, expected: Mapping[str, Expected]) -> tuple[Expected, str]:
    """Whose questionnaire it is, from the hidden sheet."""
    if len(rows) < len(META_NAMES) or any(len(row) < 2 for row in rows[: len(META_NAMES)]):
        raise RefusedReturnError("meta_altered", tab=META_SHEET)
    found: dict[str, str] = {}
    for number, name in enumerate(META_NAMES):
        cell = rows[number][1]
        if rows[number][0] != name or not isinstance(cell, str) or not cell.strip():
            raise RefusedReturnError("meta_altered", tab=META_SHEET, cell=f"B{number + 1}", expected=name)
        found[name] = cell.strip()
    wanted = expected.get(found["unit_type"])
    if wanted is None:
        raise RefusedReturnError(
            "wrong_unit_type", tab=META_SHEET, cell="B2", expected=", ".join(sorted(expected))
        )
    if found["wave"] != wanted.wave:
        raise RefusedReturnError("other_wave", tab=META_SHEET, cell="B4", expected=wanted.wave)
    if found["version"] != wanted.version:
        raise RefusedReturnError("foreign_version", tab=META_SHEET, cell="B1", expected=wanted.version)
    require_unit(found["unit_code"], wanted, tab=META_SHEET, cell="B3")
    return wanted, found["unit_code"]


def _require_tabs(book: _Book, wanted: Expected) -> None:
    """Every tab of the layout and no other; the front tabs hold no answer and may be gone."""
    sheets = book.package.sheets
    missing = [tab for tab in wanted.by_tab if tab not in sheets]
    extra = [tab for tab in sheets if tab not in wanted.by_tab and tab not in (*FRONT_TABS, META_SHEET)]
    if missing:
        codes = set(wanted.by_tab[missing[0]].codes)
        for tab in extra:
            if codes & {row[0] for row in book.rows(tab, ()) if row and isinstance(row[0], str)}:
                raise RefusedReturnError("renamed_tab", tab=tab, expected=missing[0])
        raise RefusedReturnError("missing_tab", tab=missing[0])
    if extra:
        raise RefusedReturnError("extra_tab", tab=extra[0])


def _misplaced(rows: Sheet, tab: str, places: Sequence[Place]) -> RefusedReturnError:
    """Why the codes of a tab do not stand where they should, and the first that does not."""
    column = QUESTION_COLUMN - 1
    present = {row[column] for row in rows if row and isinstance(row[column], str)}
    gone = [p for p in places if len(rows) < p.row or rows[p.row - 1][column] != p.question]
    if not present & {place.question for place in places}:
        reason = "foreign_template"
    else:
        reason = "shifted_rows" if gone[0].question in present else "deleted_rows"
    cell = cell_name(gone[0].row, QUESTION_COLUMN)
    return RefusedReturnError(reason, tab=tab, cell=cell, expected=gone[0].question)


def _value(cell: Any, place: Place, question: Question, meanings: dict[str, str]) -> str | None:
    """A cell's answer as text; a refusal tells the cell."""
    try:
        return value_of(cell, question, meanings)
    except RefusedReturnError as refused:
        where = cell_name(place.row, place.column)
        raise RefusedReturnError(
            refused.refusal.reason, tab=place.tab, cell=where, expected=refused.refusal.expected
        ) from None
