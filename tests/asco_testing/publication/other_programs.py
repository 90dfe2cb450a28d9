"""Every number of a release as other programs read it: DuckDB, pandas, R and LibreOffice.

Each reader gives what it read and what the release says, in the same order. Run as a program with a release
folder, it prints how many numbers each program read and whether they are the same. What does not belong here:
Parquet as pyarrow writes and reads it, which is what the others are compared with.
"""

import csv
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet
from python_calamine import CalamineWorkbook

from asco_dagster.releases.contract import CELLS, contract_of

NUMBERS = contract_of(CELLS).named("measure")
FRENCH = [contract_of(CELLS).column(name).name_fr for name in NUMBERS]
PARQUET, CSV, CSV_FR = "tables/asco_cells.parquet", "tables/asco_cells.csv", "tables/fr/asco_cells.csv"
WORKBOOK = "tables/asco_tables.xlsx"
# Rscript: the readers' columns in the order of NUMBERS, written with all their digits.
READR = """
a <- commandArgs(TRUE); suppressPackageStartupMessages(library(readr))
names <- strsplit(a[3], ",")[[1]]
own <- if (a[1] == "csv2") read_csv2 else read_csv
write_csv(as.data.frame(own(a[2], show_col_types = FALSE, guess_max = Inf)[names]), a[4])
"""
ARROW = """
a <- commandArgs(TRUE)
write.csv(as.data.frame(arrow::read_parquet(a[1]))[strsplit(a[2], ",")[[1]]], a[3], row.names = FALSE)
"""


class AbsentError(Exception):
    """The program, or its package, is not on this machine."""


@dataclass(frozen=True)
class Read:
    """Numbers of one file as a program read them, NaN where it read none, beside those of the release."""

    file: str
    got: np.ndarray
    said: np.ndarray

    @property
    def differing(self) -> int:
        """How many are not the same, to the last digits that text can lose."""
        return int((~np.isclose(self.got, self.said, rtol=1e-12, atol=0, equal_nan=True)).sum())


def _said(release: Path) -> np.ndarray:
    table = pyarrow.parquet.read_table(release / PARQUET, columns=NUMBERS)
    return np.column_stack([table[name].to_numpy().astype(float) for name in NUMBERS])


def _read(release: Path, file: str, frame: pd.DataFrame) -> Read:
    return Read(file, frame.astype(float).to_numpy(), _said(release))


def by_duckdb(release: Path, _: Path) -> list[Read]:
    """DuckDB reads Parquet and both CSV files."""
    own, french = ", ".join(NUMBERS), ", ".join(FRENCH)
    asked = {
        PARQUET: f"select {own} from read_parquet('{release / PARQUET}')",
        CSV: f"select {own} from read_csv('{release / CSV}')",
        CSV_FR: f"select {french} from read_csv('{release / CSV_FR}', delim=';', decimal_separator=',')",
    }
    return [_read(release, file, duckdb.sql(query).df()) for file, query in asked.items()]


def by_pandas(release: Path, _: Path) -> list[Read]:
    """pandas reads Parquet and both CSV files."""
    return [
        _read(release, PARQUET, pd.read_parquet(release / PARQUET)[NUMBERS]),
        _read(release, CSV, pd.read_csv(release / CSV)[NUMBERS]),
        _read(release, CSV_FR, pd.read_csv(release / CSV_FR, sep=";", decimal=",")[FRENCH]),
    ]


def by_readr(release: Path, work: Path) -> list[Read]:
    """R's readr reads both CSV files."""
    _require_r("readr", "r-cran-readr")
    found = []
    for kind, file, names in (("csv", CSV, NUMBERS), ("csv2", CSV_FR, FRENCH)):
        out = work / f"{kind}.csv"
        _rscript(READR, kind, str(release / file), ",".join(names), str(out))
        found.append(_read(release, file, pd.read_csv(out)))
    return found


def by_arrow(release: Path, work: Path) -> list[Read]:
    """R's arrow reads Parquet; Debian has no package of it."""
    _require_r("arrow", "none; from CRAN")
    out = work / "arrow.csv"
    _rscript(ARROW, str(release / PARQUET), ",".join(NUMBERS), str(out))
    return [_read(release, PARQUET, pd.read_csv(out))]


def by_libreoffice(release: Path, work: Path) -> list[Read]:
    """LibreOffice reads every sheet of the workbook; the numbers stand where calamine reads them."""
    if shutil.which("soffice") is None:
        raise AbsentError("LibreOffice is not installed (Debian: libreoffice-calc-nogui)")
    # as stored and not as shown, without formulas, every sheet (-1)
    options = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false,false,false,-1"
    book = release / WORKBOOK
    subprocess.run(
        ["soffice", f"-env:UserInstallation=file://{work}/profile", "--headless", "--convert-to", options,
         "--outdir", str(work), str(book)],
        check=True, capture_output=True, timeout=600,
    )  # fmt: skip
    told = CalamineWorkbook.from_path(str(book))
    return [_sheet(work / f"{book.stem}-{name}.csv", told, name) for name in told.sheet_names]


def _sheet(converted: Path, book: CalamineWorkbook, name: str) -> Read:
    with converted.open(encoding="utf-8", newline="") as handle:
        shown = list(csv.reader(handle))
    stored = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
    width = max(map(len, [*shown, *stored]))
    got, said = np.full((2, max(len(shown), len(stored)), width), np.nan)
    for numbers, rows in ((got, shown), (said, stored)):
        for row, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                numbers[row, column] = _number(cell)
    return Read(f"{WORKBOOK} {name}", got, said)


def _number(cell: object) -> float:
    try:
        # LibreOffice writes a number of a French cell with its comma
        return float(cell.replace(",", ".") if isinstance(cell, str) else cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return np.nan


def _require_r(package: str, debian: str) -> None:
    if shutil.which("Rscript") is None:
        raise AbsentError("R is not installed (Debian: r-base-core)")
    try:
        _rscript(f"library({package})")
    except subprocess.CalledProcessError:
        raise AbsentError(f"R's {package} is not installed (Debian: {debian})") from None


def _rscript(script: str, *arguments: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".R") as file:
        file.write(script)
        file.flush()
        subprocess.run(["Rscript", file.name, *arguments], check=True, capture_output=True, timeout=600)


PROGRAMS: Mapping[str, Callable[[Path, Path], list[Read]]] = {
    "duckdb": by_duckdb,
    "pandas": by_pandas,
    "readr": by_readr,
    "arrow": by_arrow,
    "libreoffice": by_libreoffice,
}


def main(release: Path) -> int:
    """Print what each program reads of a release."""
    differing = 0
    for name, read in PROGRAMS.items():
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as work:
            try:
                found = read(release, Path(work))
            except AbsentError as absent:
                print(f"{name:12} {absent}")
                continue
        numbers = sum(int((~np.isnan(one.said)).sum()) for one in found)
        wrong = sum(one.differing for one in found)
        differing += wrong
        print(
            f"{name:12} {len(found)} files or sheets, {numbers} numbers, {wrong} differ,"
            f" {time.monotonic() - began:.1f} s"
        )
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
