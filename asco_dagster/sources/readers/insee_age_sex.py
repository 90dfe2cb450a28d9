"""INSEE's population estimates by département, sex and five-year age, one sheet per year.

Reads xlsx and the older xls alike. Sexes are side by side under two header rows; between 1990 and 1998 the
overseas départements have other headers further down.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from asco_dagster.sources.readers.provenance import text_column, with_source
from asco_dagster.sources.readers.workbook import (
    Cell,
    Sheet,
    collapse,
    is_blank,
    is_number,
    open_workbook,
    read_sheet,
)

SEXES = {"Ensemble": "T", "Hommes": "M", "Femmes": "F"}
"""The three blocks in the order of the file, and their codes."""

TOTAL_BAND = "Total"

_DEPARTEMENT = r"\d{2,3}|2[AB]"
_YEAR_ROW = re.compile(r"Année (\d{4})")
_FIRST = 2  # the first two columns hold code and name
_NEW_LAYOUT = "compare the sheet with another year; a new layout needs a change of this reader"

Record = tuple[str, str | None, str, str, str, int, int]


@dataclass(frozen=True)
class _Block:
    """Two header rows and the rows below: (index from 0, sex, age band) a column, first and last row."""

    columns: list[tuple[int, str, str]]
    start: int
    stop: int


def read_population_by_age_and_sex(path: Path, *, year: int) -> pd.DataFrame:
    """Read the estimates of one year.

    Args:
        path: INSEE's workbook.
        year: the year, which is the name of its sheet (population on 1 January).

    Returns:
        One row per area, sex and age band: ``year``, ``row_kind`` (``departement``, ``total``),
        ``departement_code`` (null for totals), ``area_name``, ``sex`` (``T``, ``M``, ``F``), ``age_band``
        (as printed, ``Total`` included), ``population`` (inhabitants), ``source_file``, ``source_sheet``,
        ``source_row``.

    Raises:
        SourceError: no sheet for the year, changed header, bands that differ between sexes, a département
            twice, a cell that is no number, or a file that is no workbook.
    """
    workbook = open_workbook(path)
    name = next((name for name in workbook.sheet_names if name.strip() == str(year)), str(year))
    sheet = read_sheet(workbook, path, name)
    _check_year(sheet, year)
    records = [record for block in _blocks(sheet) for record in _block_records(sheet, block)]
    _check_departements(records, sheet)
    kinds, codes, names, sexes, bands, populations, numbers = zip(*records, strict=True)
    frame = pd.DataFrame(
        {
            "year": pd.Series([year] * len(records), dtype="int64"),
            "row_kind": text_column(kinds),
            "departement_code": text_column(codes),
            "area_name": text_column(names),
            "sex": text_column(sexes),
            "age_band": text_column(bands),
            "population": pd.Series(populations, dtype="int64"),
        }
    )
    return with_source(frame, path, sheet=name, rows=numbers)


def _check_year(sheet: Sheet, year: int) -> None:
    for index, row in enumerate(sheet.rows[:5]):
        match = _YEAR_ROW.fullmatch(collapse(row[0])) if row else None
        if match and int(match[1]) != year:
            raise sheet.refuse(
                f"the title says {match[1]}",
                row=index + 1,
                column=0,
                expected=f"“Année {year}”",
                remedy="compare the sheet with the publisher's file",
            )


def _blocks(sheet: Sheet) -> list[_Block]:
    rows = sheet.rows
    heads = [index for index, row in enumerate(rows) if "Ensemble" in map(collapse, row)]
    if not heads or heads[-1] + 1 >= len(rows):
        raise sheet.refuse(
            "no row is a header with its age bands below",
            expected="“Départements | | Ensemble … Hommes … Femmes”",
            remedy=_NEW_LAYOUT,
        )
    stops = [*heads[1:], len(rows)]
    return [_Block(_columns(sheet, head), head + 2, stop) for head, stop in zip(heads, stops, strict=True)]


def _columns(sheet: Sheet, head: int) -> list[tuple[int, str, str]]:
    """Sex and age band of each column; the sexes must come in order and share their bands."""
    sexes, bands = sheet.rows[head], sheet.rows[head + 1]
    starts = [index for index in range(_FIRST, len(sexes)) if not is_blank(sexes[index])]
    labels = [collapse(sexes[index]) for index in starts]
    if labels != list(SEXES) or starts[0] != _FIRST:
        raise sheet.refuse(
            f"the blocks are “{' | '.join(labels)}”",
            row=head + 1,
            expected=f"“{' | '.join(SEXES)}” from column C on",
            remedy=_NEW_LAYOUT,
        )
    columns = []
    for start, stop, label in zip(starts, [*starts[1:], len(bands)], labels, strict=True):
        filled = [index for index in range(start, stop) if not is_blank(bands[index])]
        columns.append([(index, SEXES[label], collapse(bands[index])) for index in filled])
    names = [[band for _, _, band in block] for block in columns]
    if (
        not (names[0] == names[1] == names[2])
        or TOTAL_BAND not in names[0]
        or len(set(names[0])) < len(names[0])
    ):
        differing = sorted(set(names[0]) ^ set(names[1]) | set(names[0]) ^ set(names[2]))
        raise sheet.refuse(
            f"the age bands differ between sexes, lack a total or repeat ({', '.join(differing) or 'all'})",
            row=head + 2,
            expected=f"the same bands three times, each with “{TOTAL_BAND}”",
            remedy=_NEW_LAYOUT,
        )
    return [column for block in columns for column in block]


def _block_records(sheet: Sheet, block: _Block) -> Iterator[Record]:
    for index in range(block.start, block.stop):
        row, number = sheet.rows[index], index + 1
        area = _area(sheet, row, number)
        if area is None:
            continue
        for column, sex, band in block.columns:
            cell = row[column]
            if not is_number(cell) or not float(cell).is_integer():  # type: ignore[arg-type]
                raise sheet.refuse(
                    f"“{collapse(cell)}” is not a number of inhabitants",
                    row=number,
                    column=column,
                    expected="a whole number",
                    remedy="Have the publisher correct the cell, or check that no column has shifted",
                )
            yield (*area, sex, band, int(cell), number)  # type: ignore[arg-type]


def _area(sheet: Sheet, row: list[Cell], number: int) -> tuple[str, str | None, str] | None:
    """Kind, code and name of a row, None for a blank one or a note."""
    if all(is_blank(cell) for cell in row[_FIRST:]) and is_blank(row[1]):
        return None
    if is_blank(row[1]) and not is_blank(row[0]) and not is_number(row[0]):
        return "total", None, collapse(row[0])
    code = sheet.code(
        row[0],
        pattern=_DEPARTEMENT,
        width=2,
        row=number,
        column=0,
        expected="a département code such as 01, 2A or 971",
    )
    return "departement", code, collapse(row[1])


def _check_departements(records: list[Record], sheet: Sheet) -> None:
    rows: dict[str, int] = {}
    for _, code, _, _, _, _, number in records:
        first = rows.setdefault(code, number) if code is not None else number
        if first != number:
            raise sheet.refuse(
                f"département “{code}” is already on row {first}",
                row=number,
                expected="one row per département",
                remedy="ask INSEE which of the two rows is right",
            )
    if not rows:
        raise sheet.refuse("no row is a département", remedy=_NEW_LAYOUT)
