"""Golden sheets as workbooks, and golden expectations as frames."""

import csv
from pathlib import Path

import pandas as pd

from asco_testing import CHECKOUT

FIXTURES = CHECKOUT / "tests" / "sources" / "fixtures"


def cells_of(name: str) -> list[list[object]]:
    """A golden sheet: numbers are numbers, ``'01`` is the text 01 as in a spreadsheet, empty is empty."""

    def typed(text: str) -> object:
        if text.startswith("'"):
            return text[1:]
        try:
            return float(text)
        except ValueError:
            return text or None

    with (FIXTURES / name).open(encoding="utf-8", newline="") as file:
        return [[typed(cell) for cell in row] for row in csv.reader(file)]


def write_workbook(path: Path, sheets: dict[str, list[list[object]]]) -> Path:
    """Sheets as an xlsx, or as an old xls when the path ends so."""
    if path.suffix == ".xls":
        import xlwt

        book = xlwt.Workbook()
        for name, rows in sheets.items():
            sheet = book.add_sheet(name)
            for row, cells in enumerate(rows):
                for column, cell in enumerate(cells):
                    if cell is not None:
                        sheet.write(row, column, cell)
        book.save(str(path))
        return path
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for cells in rows:
            sheet.append(cells)
    book.save(path)
    return path


def expected_frame(name: str, like: pd.DataFrame) -> pd.DataFrame:
    """A golden expectation with the types that the reader promises."""
    text = pd.read_csv(FIXTURES / name, dtype="string", keep_default_na=False, na_values=[""])
    return text.astype({column: like[column].dtype for column in text.columns})
