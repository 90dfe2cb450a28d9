"""The *Aide sociale* survey of the DREES: every table of a workbook as one tidy frame.

Three workbooks (beneficiaries, spending, staff) with 45, 32 and 16 tables in the edition of 2020, read alike.
All rows are kept: ``20`` beside ``2A`` and ``2B``, ``69`` beside ``69D`` and ``69M``, the totals of both
blocks. What does not belong here: choosing among them, which is ``staging``'s.
"""

import re
from pathlib import Path
from typing import Any

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
    as_text,
    collapse,
    column_letter,
    is_number,
    open_workbook,
    sheet_rows,
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

_FIELDS = (
    "year",
    "row_kind",
    "area_code",
    "area_name",
    "table_id",
    "domain",
    "measure",
    "label",
    "value",
    "value_text",
    "is_provisional",
    "sheet",
    "row",
    "column",
)


def read_aid_tables(path: Path, *, measure: Measure) -> pd.DataFrame:
    """Read all tables of one workbook of the *Aide sociale* survey.

    Args:
        path: the workbook, as the DREES publishes it.
        measure: what it holds: ``beneficiaries`` (persons or measures), ``spending_keur`` (thousands of
            euros) or ``staff`` (persons and full-time equivalents).

    Returns:
        One row a cell of a year's column: ``year`` (int), ``row_kind`` (``departement``, ``total``,
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
        return has_header(sheet_rows(workbook, path, sheet))

    records: list[tuple[Any, ...]] = []
    for table in table_sheets(workbook.sheet_names, measure=measure, path=path, has_table=has_table):
        records += _table_records(sheet_rows(workbook, path, table.sheet), table, path)
    return _frame(records, path)


def _table_records(rows: list[list[Cell]], table: TableSheet, path: Path) -> list[tuple[Any, ...]]:
    """The values of one sheet, row by row, each as a tuple of ``_FIELDS``."""
    label = collapse(rows[0][0]) if rows and rows[0] else ""
    if not label:
        raise SourceError(
            "the table has no title",
            file=path,
            sheet=table.sheet,
            row=1,
            column="A",
            remedy="compare the sheet with an earlier edition",
        )
    records: list[tuple[Any, ...]] = []
    seen: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for position, block in enumerate(find_blocks(rows, path=path, sheet=table.sheet)):
        areas, unlabelled = _areas(rows, block, table, path)
        for index, area in areas.items():
            found = _row_records(rows[index], block, area, label, table, path, index + 1)
            key = (position, area.name.casefold()) if area.kind == "total" else (area.kind, area.code)
            if key in seen:
                _check_alike(seen[key], found, area, path)
                found = [_left_out("repeated", record) for record in found]
            records += found
            seen.setdefault(key, found)
        for index in unlabelled:
            records += _stray_records(rows[index], block, label, table, index + 1)
    if not seen:
        raise SourceError(
            "the table has a header but no row of values",
            file=path,
            sheet=table.sheet,
            expected="one row a département",
            remedy="fetch the file again and compare it with an earlier edition",
        )
    return records


def _areas(
    rows: list[list[Cell]], block: Block, table: TableSheet, path: Path
) -> tuple[dict[int, Area], list[int]]:
    """The area of each row of a block, and the rows below all of them that have numbers and no label.

    A row without a label among the others is refused: a département would be lost.
    """
    areas: dict[int, Area] = {}
    faults: dict[int, SourceError] = {}
    for index in range(block.start, block.stop):
        try:
            area = identify(rows[index], block, path=path, sheet=table.sheet, number=index + 1)
        except SourceError as refused:
            faults[index] = refused
            continue
        if area is not None:
            areas[index] = area
    last = max(areas, default=block.start)
    below = [index for index in faults if index > last and not any(map(collapse, rows[index][: block.first]))]
    for index, fault in faults.items():
        if index not in below:
            raise fault
    return areas, below


def _check_alike(first: list[tuple[Any, ...]], again: list[tuple[Any, ...]], area: Area, path: Path) -> None:
    """An area printed again has the same values, a total the same but for rounding."""
    value, text, row = _FIELDS.index("value"), _FIELDS.index("value_text"), _FIELDS.index("row")
    apart = ROUNDING if area.kind == "total" else 0.0
    for one, other in zip(first, again, strict=True):
        if one[value] is None or other[value] is None:
            same = one[value] is other[value] and one[text].strip() == other[text].strip()
        else:
            same = abs(one[value] - other[value]) <= apart
        if not same:
            raise SourceError(
                f"“{area.code or area.name}” stands twice in the table, first on row {one[row]}, "
                f"with {one[text] or 'nothing'} there and {other[text] or 'nothing'} here",
                file=path,
                sheet=one[_FIELDS.index("sheet")],
                row=other[row],
                expected="one row an area, or the same values",
                remedy="ask the publisher which of the two rows holds",
            )


def _left_out(kind: str, record: tuple[Any, ...]) -> tuple[Any, ...]:
    """The record of a cell that belongs to no figure; its area is the cell itself."""
    parts = dict(zip(_FIELDS, record, strict=True))
    parts |= {"row_kind": kind, "area_code": f"{parts['column']}{parts['row']}"}
    return tuple(parts.values())


def _stray_records(
    row: list[Cell], block: Block, label: str, table: TableSheet, number: int
) -> list[tuple[Any, ...]]:
    """Numbers without a label; one outside the columns of years goes with the last of them."""
    years = {column.index: column.year for column in block.years}
    records = []
    for index, cell in enumerate(row[block.first :], block.first):
        if not is_number(cell):
            continue
        column = YearColumn(index, column_letter(index), years.get(index, block.years[-1].year), False)
        record = _record(cell, float(cell), False, column, Area("stray", None, ""), label, table, number)  # type: ignore[arg-type]
        records.append(_left_out("stray", record))
    return records


def _row_records(
    row: list[Cell], block: Block, area: Area, label: str, table: TableSheet, path: Path, number: int
) -> list[tuple[Any, ...]]:
    years = {column.index for column in block.years}
    for index in range(block.first, len(row)):
        if index not in years and not is_empty(row[index]):
            raise SourceError(
                f"“{collapse(row[index])}” stands in a column without a year",
                file=path,
                sheet=table.sheet,
                row=number,
                column=column_letter(index),
                expected="an empty cell",
                remedy="look at the header above it",
            )
    records = []
    for column in block.years:
        cell = row[column.index]
        read = _value(cell)
        if read is None:
            raise _no_number(cell, path, table.sheet, number, column.index)
        value, provisional = read
        records.append(_record(cell, value, provisional, column, area, label, table, number))
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
) -> tuple[Any, ...]:
    """One cell as a tuple of ``_FIELDS``."""
    return (
        column.year,
        area.kind,
        area.code,
        area.name,
        table.table_id,
        table.domain,
        table.measure,
        label,
        value,
        as_text(cell),
        column.is_provisional or provisional,
        table.sheet,
        number,
        column.letter,
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


def _no_number(cell: Cell, path: Path, sheet: str, row: int, column: int) -> SourceError:
    return SourceError(
        f"“{collapse(cell)}” is neither a number nor a known mark for a missing one",
        file=path,
        sheet=sheet,
        row=row,
        column=column_letter(column),
        expected="a number, an empty cell, or a mark such as “-”, “/”, “ND”, “NR”, “NS”, “NC”",
        remedy="Correct the cell at its publisher's; a new mark is entered in drees_aid.py",
    )


def _frame(records: list[tuple[Any, ...]], path: Path) -> pd.DataFrame:
    columns = dict(zip(_FIELDS, zip(*records, strict=True), strict=True))
    frame = pd.DataFrame(
        {
            "year": pd.Series(columns["year"], dtype="int64"),
            **{name: text_column(columns[name]) for name in _FIELDS[1:8]},
            "value": pd.Series(columns["value"], dtype="float64"),
            "value_text": text_column(columns["value_text"]),
            "is_provisional": pd.Series(columns["is_provisional"], dtype="bool"),
        }
    )
    with_source(frame, path, sheet=columns["sheet"], rows=columns["row"])
    frame["source_column"] = text_column(columns["column"])
    return frame
