"""The same numbers in every program that readers use; a program that is not here is told and skipped."""

import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from asco_dagster.publication.assets import KINDS
from asco_dagster.publication.workbook import FIRST_ROW

sys.path.insert(0, str(Path(__file__).parent))
from made_up_content import cells, content

FRENCH = "tables/fr/asco_cells.csv"


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("read_back")
    made = content()
    for kind in KINDS[:2]:
        kind(made, folder)
    return folder


def _same(read) -> None:
    np.testing.assert_allclose(np.asarray(read, dtype=float), cells()["estimate"].to_numpy(), rtol=1e-12)


def test_duckdb(written) -> None:
    for source in (
        f"read_parquet('{written}/tables/asco_cells.parquet')",
        f"read_csv('{written}/tables/asco_cells.csv')",
    ):
        _same(duckdb.sql(f"select estimate from {source}").df()["estimate"])
    french = f"read_csv('{written}/{FRENCH}', delim=';', decimal_separator=',')"
    _same(duckdb.sql(f"select estimation from {french}").df()["estimation"])


def test_pandas(written) -> None:
    _same(pd.read_parquet(written / "tables" / "asco_cells.parquet")["estimate"])
    _same(pd.read_csv(written / "tables" / "asco_cells.csv")["estimate"])
    _same(pd.read_csv(written / FRENCH, sep=";", decimal=",")["estimation"])


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
def test_r(written, tmp_path) -> None:
    has = subprocess.run(["Rscript", "-e", "library(readr)"], capture_output=True, check=False)
    if has.returncode:
        pytest.skip("R's readr is not installed (Debian: r-cran-readr)")
    script = """
    library(readr); a <- commandArgs(TRUE)
    x <- read_csv(a[1], show_col_types = FALSE)$estimate
    y <- read_csv2(a[2], show_col_types = FALSE)$estimation
    write_csv(data.frame(x, y), a[3])
    """
    out = tmp_path / "r.csv"
    (tmp_path / "read.R").write_text(script)
    files = [str(written / "tables" / "asco_cells.csv"), str(written / FRENCH), str(out)]
    subprocess.run(["Rscript", str(tmp_path / "read.R"), *files], check=True, capture_output=True)
    read = pd.read_csv(out)
    _same(read["x"])
    _same(read["y"])


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
def test_r_arrow(written, tmp_path) -> None:
    if subprocess.run(["Rscript", "-e", "library(arrow)"], capture_output=True, check=False).returncode:
        pytest.skip("R's arrow is not installed; Debian has no package of it")
    out = tmp_path / "arrow.csv"
    script = "a <- commandArgs(TRUE); write.csv(data.frame(x = arrow::read_parquet(a[1])$estimate), a[2])"
    source = str(written / "tables" / "asco_cells.parquet")
    subprocess.run(["Rscript", "-e", script, source, str(out)], check=True, capture_output=True)
    _same(pd.read_csv(out)["x"])


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_libreoffice(written, tmp_path) -> None:
    """The third sheet (T1) as LibreOffice shows it, beside the workbook's own numbers."""
    command = ["soffice", f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to"]
    options = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,3"
    book = written / "tables" / "asco_tables.xlsx"
    subprocess.run(
        [*command, options, "--outdir", str(tmp_path), str(book)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    (converted,) = tmp_path.glob("*.csv")
    read = pd.read_csv(converted, header=None, skiprows=FIRST_ROW, dtype=str)
    own = pd.read_excel(book, sheet_name="T1", header=None, skiprows=FIRST_ROW, dtype=str, engine="openpyxl")
    shown = [(a, b) for a, b in zip(read[1].dropna(), own[1].dropna(), strict=False) if b != "s"]
    assert len(shown) > 5
    for text, number in shown:
        digits = (
            text.replace("¹", "").replace("²", "").replace(",", ".").replace("\u202f", "").replace("\xa0", "")
        )
        assert float(digits.strip()) == pytest.approx(float(number), abs=0.06)
