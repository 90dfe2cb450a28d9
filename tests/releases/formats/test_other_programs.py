"""The same numbers in every program that readers use; a program that is not here is named and skipped."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from asco_dagster.releases.formats import csv_french, csv_international, parquet, workbook
from asco_dagster.releases.formats.workbook import FIRST_ROW
from asco_testing.publication.other_programs import CSV, PROGRAMS, WORKBOOK, AbsentError, by_duckdb
from asco_testing.worlds.tiny_content import content

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("read_back")
    made = content()
    for kind in (parquet, csv_international, csv_french, workbook):
        kind.FORMAT.write(made, folder)
    return folder


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_reads_the_same_numbers(name, written, tmp_path) -> None:
    try:
        found = PROGRAMS[name](written, tmp_path)
    except AbsentError as absent:
        pytest.skip(str(absent))
    assert {one.file: one.differing for one in found if one.differing} == {}
    assert any((~np.isnan(one.said)).any() for one in found)


def test_another_number_is_seen(written, tmp_path) -> None:
    shutil.copytree(written, tmp_path / "release")
    table = pd.read_csv(tmp_path / "release" / CSV)
    table.loc[1, "estimate"] += 1e-6
    table.to_csv(tmp_path / "release" / CSV, index=False)
    assert [one.differing for one in by_duckdb(tmp_path / "release", tmp_path)] == [0, 1, 0]


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_libreoffice_shows_french_numbers_and_marks(written, tmp_path) -> None:
    """The third sheet (T1) as LibreOffice shows it, beside the workbook's own numbers."""
    command = ["soffice", f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to"]
    options = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,3"
    book = written / WORKBOOK
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
