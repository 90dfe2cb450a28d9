"""The *Aide sociale* survey of the DREES: every table of a workbook as one tidy frame.

Three workbooks (beneficiaries, spending, staff) with 45, 32 and 16 tables in the edition of 2020, read alike.
All rows are kept: ``20`` beside ``2A`` and ``2B``, ``69`` beside ``69D`` and ``69M``, the totals of both
blocks. What does not belong here: choosing among them, which is ``staging``'s.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from asco_dagster.errors import SourceError
from asco_dagster.sources.readers.drees_blocks import Area, Block, find_blocks, identify, is_empty
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

MISSING_MARKS = frozenset({"", "-", "ND", "NR"})
"""What the DREES prints where it has no number: nothing, a dash, *non disponible*, *non répondant*."""

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
        ``region``), ``area_code`` (null for totals), ``area_name``, ``table_id``, ``domain``, ``measure``,
        ``label``, ``value`` (null where the cell is blank, ``-``, ``ND`` or ``NR``), ``value_text`` (the cell
        as text), ``is_provisional``, ``source_file``, ``source_sheet``, ``source_row``, ``source_column``.
        Totals appear once a block, hence mostly twice a table.

    Raises:
        SourceError: unknown sheet, changed header, a cell that is neither number nor missing mark, an area
            twice in a table, or a file that is no workbook.
    """
    workbook = open_workbook(path)
    records: list[tuple[Any, ...]] = []
    for table in table_sheets(workbook.sheet_names, measure=measure, path=path):
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
    seen: dict[tuple[Any, ...], int] = {}
    for position, block in enumerate(find_blocks(rows, path=path, sheet=table.sheet)):
        for index in range(block.start, block.stop):
            area = identify(rows[index], block, path=path, sheet=table.sheet, number=index + 1)
            if area is None:
                continue
            _check_once(seen, area, position, path=path, sheet=table.sheet, row=index + 1)
            records += _row_records(rows[index], block, area, label, table, path, index + 1)
    if not seen:
        raise SourceError(
            "the table has a header but no row of values",
            file=path,
            sheet=table.sheet,
            expected="one row a département",
            remedy="fetch the file again and compare it with an earlier edition",
        )
    return records


def _check_once(
    seen: dict[tuple[Any, ...], int], area: Area, position: int, *, path: Path, sheet: str, row: int
) -> None:
    """An area stands once in a table; a total once in each block, since the second block repeats it."""
    key = (position, area.name.casefold()) if area.kind == "total" else (area.kind, area.code)
    first = seen.setdefault(key, row)
    if first != row:
        raise SourceError(
            f"“{area.code or area.name}” stands twice in the table, first on row {first}",
            file=path,
            sheet=sheet,
            row=row,
            expected="one row an area",
            remedy="ask the publisher which of the two rows holds",
        )


def _row_records(
    row: list[Cell], block: Block, area: Area, label: str, table: TableSheet, path: Path, number: int
) -> list[tuple[Any, ...]]:
    years = {column.index for column in block.years}
    for index in range(block.first, len(row)):
        cell = row[index]
        if index in years:
            if not is_number(cell) and not (isinstance(cell, str) and cell.strip() in MISSING_MARKS):
                raise _no_number(cell, path, table.sheet, number, index)
        elif not is_empty(cell):
            raise SourceError(
                f"“{collapse(cell)}” stands in a column without a year",
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
        records.append(
            (
                column.year,
                area.kind,
                area.code,
                area.name,
                table.table_id,
                table.domain,
                table.measure,
                label,
                None if isinstance(cell, str) else cell,
                as_text(cell),
                column.is_provisional,
                table.sheet,
                number,
                column.letter,
            )
        )
    return records


def _no_number(cell: Cell, path: Path, sheet: str, row: int, column: int) -> SourceError:
    return SourceError(
        f"“{collapse(cell)}” is neither a number nor a known mark for a missing one",
        file=path,
        sheet=sheet,
        row=row,
        column=column_letter(column),
        expected="a number, an empty cell, “-”, “ND” or “NR”",
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
