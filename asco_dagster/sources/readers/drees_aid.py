"""The *Aide sociale* survey of the DREES: every table of a workbook as one tidy frame.

Three workbooks (beneficiaries, spending, staff) with 45, 32 and 16 tables in the edition of 2020, read alike.
All rows are kept: ``20`` beside ``2A`` and ``2B``, ``69`` beside ``69D`` and ``69M``, the totals of both
blocks; ``staging`` chooses among them.
"""

import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from asco_dagster.errors import SourceError
from asco_dagster.sources.readers.drees_blocks import (
    MARKS,
    Area,
    Block,
    YearColumn,
    find_blocks,
    has_header,
    identify,
    is_empty,
    is_marked_provisional,
)
from asco_dagster.sources.readers.drees_sheets import Measure, TableSheet, table_sheets
from asco_dagster.sources.readers.provenance import text_column, with_source
from asco_dagster.sources.readers.workbook import (
    Cell,
    Sheet,
    as_text,
    collapse,
    column_letter,
    is_number,
    open_workbook,
    read_sheet,
)

MISSING_MARKS = frozenset({"", "-", "–", "—", "/", "nd", "nr", "ns", "nc", "na", "so", "s", "…", "..."})
"""What the DREES prints where it has no number, in either case, with or without full stops: nothing, a dash,
a stroke, *non disponible*, *non répondant*, *non significatif*, *non communiqué*, *non applicable*, *sans
objet*, *secret*."""

_NUMBER = re.compile(
    rf"([-−]?(?:\d{{1,3}}(?:[ \u00a0\u202f]\d{{3}})+|\d+)(?:[.,]\d+)?)({MARKS})", re.IGNORECASE
)
"""A number written as text, with the marks behind it."""

ROUNDING = 1.0
"""By how much two prints of one total may differ."""


class _Record(NamedTuple):
    """One cell of a year's column; the columns of the frame, then its place."""

    year: int
    row_kind: str
    area_code: str | None
    area_name: str
    table_id: str
    domain: str
    measure: str
    label: str
    value: float | None
    value_text: str
    is_provisional: bool
    row: int
    column: str
    sheet: str

    def left_out(self, kind: str) -> "_Record":
        """The record of a cell that belongs to no figure; its area is the cell itself."""
        return self._replace(row_kind=kind, area_code=f"{self.column}{self.row}")


def read_aid_tables(path: Path, *, measure: Measure) -> pd.DataFrame:
    """Read all tables of one workbook of the *Aide sociale* survey.

    Args:
        path: the workbook, as the DREES publishes it.
        measure: what it holds: ``beneficiaries`` (persons or measures), ``spending_keur`` (thousands of
            euros) or ``staff`` (persons and full-time equivalents).

    Returns:
        One row per cell of a year's column: ``year`` (int), ``row_kind`` (``departement``, ``total``,
        ``region``; ``stray`` for a number without any label below a table and ``repeated`` for an area
        printed again alike: both belong to no figure), ``area_code`` (null for totals; the cell, as ``D116``,
        for what is stray or repeated), ``area_name``, ``table_id``, ``domain``, ``measure``, ``label``,
        ``value`` (null where the cell has a mark for a missing number), ``value_text`` (the cell as text),
        ``is_provisional``, ``source_file``, ``source_sheet``, ``source_row``, ``source_column``. Totals
        appear once a block, hence mostly twice a table.

    Raises:
        SourceError: a table under an unknown name, changed header, a cell that is neither number nor missing
            mark, an area twice in a table with different values, or a file that is no workbook.
    """
    workbook = open_workbook(path)

    def has_table(sheet: str) -> bool:
        return has_header(read_sheet(workbook, path, sheet))

    records: list[_Record] = []
    for table in table_sheets(workbook.sheet_names, measure=measure, path=path, has_table=has_table):
        records += _table_records(read_sheet(workbook, path, table.sheet), table)
    return _frame(records, path)


def _table_records(sheet: Sheet, table: TableSheet) -> list[_Record]:
    """The values of one sheet, row by row, each cell by itself."""
    label = collapse(sheet.rows[0][0]) if sheet.rows and sheet.rows[0] else ""
    if not label:
        raise sheet.refuse(
            "the table has no title", row=1, column=0, remedy="compare the sheet with an earlier edition"
        )
    records: list[_Record] = []
    seen: dict[tuple[object, ...], list[_Record]] = {}
    for position, block in enumerate(find_blocks(sheet)):
        areas, unlabelled = _areas(sheet, block)
        for index, area in areas.items():
            found = _row_records(sheet, index, block, area, label, table)
            key = (position, area.name.casefold()) if area.kind == "total" else (area.kind, area.code)
            if key in seen:
                _check_alike(seen[key], found, area, sheet)
                found = [record.left_out("repeated") for record in found]
            records += found
            seen.setdefault(key, found)
        for index in unlabelled:
            records += _stray_records(sheet, index, block, label, table)
    if not seen:
        raise sheet.refuse(
            "the table has a header but no row of values",
            expected="one row per département",
            remedy="download the file again and compare it with an earlier edition",
        )
    return records


def _areas(sheet: Sheet, block: Block) -> tuple[dict[int, Area], list[int]]:
    """The area of each row of a block, and the rows below all of them that have numbers and no label.

    A row without a label among the others is refused: a département would be lost.
    """
    areas: dict[int, Area] = {}
    faults: dict[int, SourceError] = {}
    for index in range(block.start, block.stop):
        try:
            area = identify(sheet, index, block)
        except SourceError as refused:
            faults[index] = refused
            continue
        if area is not None:
            areas[index] = area
    last = max(areas, default=block.start)
    below = [
        index for index in faults if index > last and not any(map(collapse, sheet.rows[index][: block.first]))
    ]
    for index, fault in faults.items():
        if index not in below:
            raise fault
    return areas, below


def _check_alike(first: list[_Record], again: list[_Record], area: Area, sheet: Sheet) -> None:
    """An area printed again has the same values, a total the same but for rounding."""
    apart = ROUNDING if area.kind == "total" else 0.0
    for one, other in zip(first, again, strict=True):
        if one.value is None or other.value is None:
            same = one.value is other.value and one.value_text.strip() == other.value_text.strip()
        else:
            same = abs(one.value - other.value) <= apart
        if not same:
            raise sheet.refuse(
                f"“{area.code or area.name}” is twice in the table, first on row {one.row}, "
                f"with {one.value_text or 'nothing'} there and {other.value_text or 'nothing'} here",
                row=other.row,
                expected="one row per area, or the same values",
                remedy="ask the publisher which of the two rows is right",
            )


def _stray_records(sheet: Sheet, row: int, block: Block, label: str, table: TableSheet) -> list[_Record]:
    """Numbers without a label; one outside the columns of years goes with the last of them."""
    years = {column.index: column.year for column in block.years}
    records = []
    for index, cell in enumerate(sheet.rows[row][block.first :], block.first):
        if not is_number(cell):
            continue
        column = YearColumn(index, column_letter(index), years.get(index, block.years[-1].year), False)
        record = _record(cell, float(cell), False, column, Area("stray", None, ""), label, table, row + 1)  # type: ignore[arg-type]
        records.append(record.left_out("stray"))
    return records


def _row_records(
    sheet: Sheet, row: int, block: Block, area: Area, label: str, table: TableSheet
) -> list[_Record]:
    cells = sheet.rows[row]
    years = {column.index for column in block.years}
    for index in range(block.first, len(cells)):
        if index not in years and not is_empty(cells[index]):
            raise sheet.refuse(
                f"“{collapse(cells[index])}” is in a column without a year",
                row=row + 1,
                column=index,
                expected="an empty cell",
                remedy="check the header above it",
            )
    records = []
    for column in block.years:
        cell = cells[column.index]
        read = _value(cell)
        if read is None:
            raise sheet.refuse(
                f"“{collapse(cell)}” is neither a number nor a known mark for a missing one",
                row=row + 1,
                column=column.index,
                expected="a number, an empty cell, or a mark such as “-”, “/”, “ND”, “NR”, “NS”, “NC”",
                remedy="Have the publisher correct the cell; a new mark is added to drees_aid.py",
            )
        value, provisional = read
        records.append(_record(cell, value, provisional, column, area, label, table, row + 1))
    return records


def _record(
    cell: Cell,
    value: float | None,
    provisional: bool,
    column: YearColumn,
    area: Area,
    label: str,
    table: TableSheet,
    number: int,
) -> _Record:
    return _Record(
        *(column.year, area.kind, area.code, area.name),
        *(table.table_id, table.domain, table.measure, label),
        *(value, as_text(cell), column.is_provisional or provisional),
        *(number, column.letter, table.sheet),
    )


def _value(cell: Cell) -> tuple[float | None, bool] | None:
    """A cell's number, or None for a mark of a missing one, and whether it is marked provisional.

    Returns:
        None where the cell is neither.
    """
    if is_number(cell):
        return cell, False  # type: ignore[return-value]
    if not isinstance(cell, str):
        return None
    text = cell.strip()
    if text.casefold() in MISSING_MARKS or text.casefold().replace(".", "") in MISSING_MARKS:
        return None, False
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    digits = re.sub(r"\s", "", match[1]).replace("−", "-").replace(",", ".")
    return float(digits), is_marked_provisional(match[2])


def _frame(records: list[_Record], path: Path) -> pd.DataFrame:
    table = pd.DataFrame(records, columns=_Record._fields)
    rows, columns, sheets = (table.pop(name) for name in ("row", "column", "sheet"))
    for name in table.columns.difference(["year", "value", "is_provisional"]):
        table[name] = text_column(table[name].tolist())
    table["value"] = table["value"].astype("float64")
    with_source(table, path, sheet=sheets.tolist(), rows=rows.to_numpy())
    table["source_column"] = text_column(columns.tolist())
    return table
