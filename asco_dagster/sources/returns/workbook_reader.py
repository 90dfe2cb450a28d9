"""One returned workbook: whose it is, and its answers, or the reason why it is refused.

The hidden sheet, and the tabs against the layout. This runs in the reading processes. Contact details are
never read: only the hidden sheet and the tabs of the layout are.
"""

from collections.abc import Collection, Mapping
from typing import Any

from asco_dagster.questionnaires.workbook_layout import (
    ANSWER_COLUMN,
    FRONT_TABS,
    META_NAMES,
    META_SHEET,
    QUESTION_COLUMN,
    Place,
)
from asco_dagster.sources.returns.answer_values import moment_of, value_of
from asco_dagster.sources.returns.questionnaire_form import Expected, Return, require_unit
from asco_dagster.sources.returns.refusals import RefusedReturnError
from asco_dagster.sources.returns.workbook_cells import (
    Cells,
    SharedTexts,
    cell_name,
    cells_of,
    date_styles,
    require_unmerged,
)
from asco_dagster.sources.returns.workbook_inspection import Package, inspect


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
    wanted, unit_code = _identity(book, expected)
    try:
        places, values = _answers(book, wanted)
    except RefusedReturnError as refused:
        raise refused.of_unit(unit_code) from None
    return Return.of(
        wanted, unit_code, moment_of(book.package.modified), places, values, version=wanted.version
    )


_STYLES, _TEXTS = "xl/styles.xml", "xl/sharedstrings.xml"


class _Book:
    """The tabs of a workbook that may hold answers.

    Args:
        package: the workbook, inspected.

    Raises:
        RefusedReturnError: its styles or its shared texts are no XML.
    """

    def __init__(self, package: Package) -> None:
        self.package = package
        parts = package.parts
        self._dates = date_styles(parts[_STYLES]) if _STYLES in parts else ()
        self._texts = SharedTexts(parts.get(_TEXTS))

    def cells(self, tab: str, answers: Collection[Place]) -> Cells:
        """The cells of a tab.

        Args:
            tab: its name.
            answers: where its answers are.

        Raises:
            RefusedReturnError: an answer is merged, or the tab cannot be read.
        """
        part = self.package.sheet(tab)
        require_unmerged(part, tab, answers)
        return cells_of(part, tab, self._texts, self._dates)


def _answers(book: _Book, wanted: Expected) -> tuple[list[int], list[str]]:
    """Number of each question answered, and the answer."""
    _require_tabs(book, wanted)
    places: list[int] = []
    values: list[str] = []
    for name, tab in wanted.by_tab.items():
        cells = book.cells(name, tab.values())
        if any(cells.get((place.row, QUESTION_COLUMN)) != place.question for place in tab.values()):
            raise _misplaced(cells, name, tab.values())
        for number, place in tab.items():
            value = _value(cells.get((place.row, ANSWER_COLUMN), ""), place, wanted, number)
            if value is not None:
                places.append(number)
                values.append(value)
    if not places:
        raise RefusedReturnError("nothing_answered")
    return places, values


def _identity(book: _Book, expected: Mapping[str, Expected]) -> tuple[Expected, str]:
    """Whose questionnaire it is, from the hidden sheet."""
    if META_SHEET not in book.package.sheets:
        raise RefusedReturnError("meta_missing", tab=META_SHEET)
    cells = book.cells(META_SHEET, ())
    found: dict[str, str] = {}
    for row, name in enumerate(META_NAMES, 1):
        cell = cells.get((row, 2))
        if cells.get((row, 1)) != name or not isinstance(cell, str) or not cell.strip():
            raise RefusedReturnError("meta_altered", tab=META_SHEET, cell=f"B{row}", expected=name)
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
        codes = {place.question for place in wanted.by_tab[missing[0]].values()}
        for tab in extra:
            if codes & _codes(book.cells(tab, ())):
                raise RefusedReturnError("renamed_tab", tab=tab, expected=missing[0])
        raise RefusedReturnError("missing_tab", tab=missing[0])
    if extra:
        raise RefusedReturnError("extra_tab", tab=extra[0])


def _misplaced(cells: Cells, tab: str, places: Collection[Place]) -> RefusedReturnError:
    """Why the codes of a tab are not where they should be, and the first that is not."""
    present = _codes(cells)
    gone = next(place for place in places if cells.get((place.row, QUESTION_COLUMN)) != place.question)
    if not present & {place.question for place in places}:
        reason = "foreign_template"
    else:
        reason = "shifted_rows" if gone.question in present else "deleted_rows"
    return RefusedReturnError(
        reason, tab=tab, cell=cell_name(gone.row, QUESTION_COLUMN), expected=gone.question
    )


def _codes(cells: Cells) -> set[str]:
    """The texts in the column of codes."""
    return {cell for (_, column), cell in cells.items() if column == QUESTION_COLUMN and type(cell) is str}


def _value(cell: Any, place: Place, wanted: Expected, number: int) -> str | None:
    """A cell's answer as text; a refusal says which cell."""
    try:
        return value_of(cell, wanted.questions[number], wanted.meanings[number])
    except RefusedReturnError as refused:
        where = cell_name(place.row, place.column)
        raise RefusedReturnError(
            refused.refusal.reason, tab=place.tab, cell=where, expected=refused.refusal.expected
        ) from None
