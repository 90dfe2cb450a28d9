"""One returned workbook: whose it is, and its answers, or the reason why it is refused.

Belongs here: the hidden sheet, and the tabs against the layout. This runs in the reading processes. Contact
details are never read: only the hidden sheet and the tabs of the layout are. Does not belong here: safety
(``return_inspection``, ``return_sheets``), what a cell means (``return_values``), and which of a unit's
returns counts (``return_settling``).
"""

import io
from collections.abc import Callable, Mapping
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from asco_dagster.questionnaires.questions import Question
from asco_dagster.questionnaires.workbook_layout import (
    FRONT_TABS,
    META_NAMES,
    META_SHEET,
    QUESTION_COLUMN,
    Place,
)
from asco_dagster.sources.readers.refusals import RefusedReturnError
from asco_dagster.sources.readers.return_form import Expected, Return, completeness, demand_unit
from asco_dagster.sources.readers.return_inspection import Package, inspect
from asco_dagster.sources.readers.return_packing import bare_package
from asco_dagster.sources.readers.return_sheets import cell_name, demand_plain_cells
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
    package = inspect(content)
    if META_SHEET not in package.sheets:
        raise RefusedReturnError("meta_missing", tab=META_SHEET)
    demand_plain_cells(package.sheet(META_SHEET), META_SHEET, ())
    given = {path: package.sheet(tab) for tab, path in package.sheets.items() if tab not in FRONT_TABS}
    sheet_of = _opened(bare_package(package.parts, given))
    wanted, unit_code = _identity(sheet_of(META_SHEET), expected)
    try:
        places, values = _answers(package, wanted, sheet_of)
    except RefusedReturnError as refused:
        raise refused.of_unit(unit_code) from None
    return Return(
        wanted.unit_type,
        unit_code,
        wanted.version,
        moment_of(package.modified),
        places,
        values,
        completeness(places, values, wanted),
    )


def _answers(
    package: Package, wanted: Expected, sheet_of: Callable[[str], Sheet]
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Number of each question answered, and the answer."""
    _demand_tabs(package, wanted, sheet_of)
    places: list[int] = []
    values: list[str] = []
    for tab, numbers in wanted.by_tab.items():
        stand = [wanted.places[number] for number in numbers]
        demand_plain_cells(package.sheet(tab), tab, [(place.row, place.column) for place in stand])
        rows = sheet_of(tab)
        _demand_rows(rows, tab, stand)
        for number, place in zip(numbers, stand, strict=True):
            row = rows[place.row - 1]
            cell = row[place.column - 1] if len(row) >= place.column else ""
            if cell == "":
                continue
            known = wanted.meanings[number].get(cell) if isinstance(cell, str) else None
            value = known or _value(cell, place, wanted.questions[number], wanted.meanings[number])
            if value is not None:
                places.append(number)
                values.append(value)
    if not places:
        raise RefusedReturnError("nothing_answered")
    return tuple(places), tuple(values)


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
    demand_unit(found["unit_code"], wanted, tab=META_SHEET, cell="B3")
    return wanted, found["unit_code"]


def _demand_tabs(package: Package, wanted: Expected, sheet_of: Callable[[str], Sheet]) -> None:
    """Every tab of the layout and no other; the front tabs hold no answer and may be gone."""
    missing = [tab for tab in wanted.by_tab if tab not in package.sheets]
    extra = [tab for tab in package.sheets if tab not in (*wanted.by_tab, *FRONT_TABS, META_SHEET)]
    if missing:
        codes = {wanted.places[number].question for number in wanted.by_tab[missing[0]]}
        for tab in extra:
            demand_plain_cells(package.sheet(tab), tab, ())
            if codes & {row[0] for row in sheet_of(tab) if row and isinstance(row[0], str)}:
                raise RefusedReturnError("renamed_tab", tab=tab, expected=missing[0])
        raise RefusedReturnError("missing_tab", tab=missing[0])
    if extra:
        raise RefusedReturnError("extra_tab", tab=extra[0])


def _demand_rows(rows: Sheet, tab: str, places: list[Place]) -> None:
    """Each question's code must stand in its own row, in the column of codes."""
    column = QUESTION_COLUMN - 1
    for place in places:
        if len(rows) >= place.row and rows[place.row - 1][column] == place.question:
            continue
        present = {row[column] for row in rows if row and isinstance(row[column], str)}
        if not present & {other.question for other in places}:
            reason = "foreign_template"
        else:
            reason = "shifted_rows" if place.question in present else "deleted_rows"
        raise RefusedReturnError(
            reason, tab=tab, cell=cell_name(place.row, QUESTION_COLUMN), expected=place.question
        )


def _value(cell: Any, place: Place, question: Question, meanings: dict[str, str]) -> str | None:
    """A cell's answer as text; a refusal tells the cell."""
    try:
        return value_of(cell, question, meanings)
    except RefusedReturnError as refused:
        where = cell_name(place.row, place.column)
        raise RefusedReturnError(
            refused.refusal.reason, tab=place.tab, cell=where, expected=refused.refusal.expected
        ) from None
