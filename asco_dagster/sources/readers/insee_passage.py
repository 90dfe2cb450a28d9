"""INSEE's table of passage between commune geographies: every code there ever was, and its commune of today.

Sheet ``COM`` or ``Table de passage``, the header below some lines of title. What does not belong here: which
of these codes were communes at a given date (``staging``), and municipal arrondissements (another sheet).
"""

from pathlib import Path

import pandas as pd

from asco_dagster.errors import SourceError
from asco_dagster.sources.readers.provenance import TEXT, text_column, with_source
from asco_dagster.sources.readers.workbook import Cell, code_of, collapse, is_blank, open_workbook, sheet_rows

SHEETS = ("COM", "Table de passage")
FORMER = "CODGEO_INI"
HEADER_WITHIN = 15
"""The header stands on row 6 in the editions known; further down than this it is another workbook."""

_COMMUNE = r"(?:\d\d|2[AB])\d{3}"
_EXPECTED = "a commune code of 5 characters such as 01001, 2A004 or 97101"


def read_commune_passage(path: Path, *, vintage: int) -> pd.DataFrame:
    """Read the table of passage.

    Args:
        path: INSEE's workbook.
        vintage: year of the geography that it leads to; its columns must be of that year.

    Returns:
        One row a former code and commune of today: ``former_code``, ``commune_code``, ``commune_name``,
        ``source_file``, ``source_sheet``, ``source_row``. A commune that was divided has several rows.

    Raises:
        SourceError: no such sheet or header, another year, a cell that is no code, a pair twice.
    """
    workbook = open_workbook(path)
    sheet = next((name for name in SHEETS if name in workbook.sheet_names), None)
    if sheet is None:
        raise SourceError(
            f"the workbook has the sheets {', '.join(f'“{name}”' for name in workbook.sheet_names)}",
            file=path,
            expected=f"one of {', '.join(f'“{name}”' for name in SHEETS)}",
            remedy="deliver INSEE's table of passage as published",
        )
    rows = sheet_rows(workbook, path, sheet)
    header, places = _header(rows, path, sheet, vintage)
    body = [(number, row) for number, row in enumerate(rows[header + 1 :], header + 2) if not _empty(row)]
    codes = [
        [
            code_of(
                row[place],
                pattern=_COMMUNE,
                width=5,
                path=path,
                sheet=sheet,
                row=number,
                column=place,
                expected=_EXPECTED,
            )
            for place in places[:2]
        ]
        for number, row in body
    ]
    frame = pd.DataFrame(codes, columns=["former_code", "commune_code"], dtype=TEXT)
    frame["commune_name"] = text_column([collapse(row[places[2]]) or None for _, row in body])
    numbers = [number for number, _ in body]
    _check(frame, path, sheet, numbers)
    return with_source(frame, path, sheet=sheet, rows=numbers)


def no_passage() -> pd.DataFrame:
    """The table of a wave that names no passage: its columns, no row."""
    frame = pd.DataFrame({name: text_column([]) for name in ("former_code", "commune_code", "commune_name")})
    return with_source(frame, Path("none"), sheet=None, rows=[])


def _header(rows: list[list[Cell]], path: Path, sheet: str, vintage: int) -> tuple[int, list[int]]:
    """Index of the header, and of the columns read."""
    wanted = [FORMER, f"CODGEO_{vintage}", f"LIBGEO_{vintage}"]
    for number, row in enumerate(rows[:HEADER_WITHIN]):
        names = [collapse(cell) for cell in row]
        if FORMER not in names:
            continue
        missing = [name for name in wanted if name not in names]
        if missing:
            raise SourceError(
                f"the header has {', '.join(f'“{name}”' for name in names if name)}",
                file=path,
                sheet=sheet,
                row=number + 1,
                expected=f"the columns {', '.join(wanted)}",
                remedy="check that the file is of the vintage named in the wave's file",
            )
        return number, [names.index(name) for name in wanted]
    raise SourceError(
        f"none of the first {HEADER_WITHIN} rows has a column “{FORMER}”",
        file=path,
        sheet=sheet,
        expected=f"a header with {', '.join(wanted)}",
        remedy="deliver INSEE's table of passage as published",
    )


def _empty(row: list[Cell]) -> bool:
    return all(is_blank(cell) for cell in row)


def _check(frame: pd.DataFrame, path: Path, sheet: str, numbers: list[int]) -> None:
    if frame.empty:
        raise SourceError(
            "there is a header but no row of data", file=path, sheet=sheet, remedy="fetch the file again"
        )
    twice = frame.index[frame.duplicated(["former_code", "commune_code"])]
    if len(twice):
        former, today = frame.loc[twice[0], ["former_code", "commune_code"]]
        raise SourceError(
            f"the passage from “{former}” to “{today}” is there twice",
            file=path,
            sheet=sheet,
            row=numbers[int(twice[0])],
            expected="one row a former code and commune",
            remedy="ask INSEE which of the two rows holds",
        )
