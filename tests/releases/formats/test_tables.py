"""The tables of a release say the same in every format, describe themselves, and are the same bytes again."""

import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow.parquet
import pytest

from asco_dagster.errors import ReleaseError
from asco_dagster.releases.contract import contract_of, released
from asco_dagster.releases.formats import write_content
from asco_dagster.releases.formats.workbook import FIRST_ROW, PATH
from asco_dagster.releases.formats.workbook.layout import SHARES, thematic_tables
from asco_testing.worlds.tiny_content import NUMBERS, cells, content


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    write_content(content(), folder)
    return folder


def test_the_same_content_gives_the_same_bytes(written, tmp_path) -> None:
    listed = write_content(content(), tmp_path)
    again = {p.relative_to(tmp_path).as_posix(): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    first = {p.relative_to(written).as_posix(): p.read_bytes() for p in written.rglob("*") if p.is_file()}
    assert again == first
    assert sorted(file.path for file in listed) == sorted(again)


def test_the_international_csv_is_rfc_4180(written) -> None:
    raw = (written / "tables" / "asco_cells.csv").read_bytes()
    assert raw.count(b"\r\n") == raw.count(b"\n") == len(cells()) + 1
    read = pd.read_csv(written / "tables" / "asco_cells.csv", dtype={"area_code": str})
    np.testing.assert_allclose(read["estimate"], cells()["estimate"])


def test_the_french_csv_says_the_same_with_semicolons_commas_and_labels(written) -> None:
    path = written / "tables" / "fr" / "asco_cells.csv"
    read = pd.read_csv(path, sep=";", decimal=",", dtype={"code_territoire": str})
    np.testing.assert_allclose(read["estimation"], cells()["estimate"])
    assert not [name for name in read.columns if name.startswith("libelle_") and name != "libelle_qualite"
                and read[name].isna().any()]  # fmt: skip
    aude = read[(read["geographie"] == "departement") & (read["code_territoire"] == "11")]
    ile_de_france = read[(read["geographie"] == "region") & (read["code_territoire"] == "11")]
    assert set(aude["libelle_territoire"]) == {"Aude"}
    assert set(ile_de_france["libelle_territoire"]) == {"Île-de-France"}
    assert "1_lt500;Moins de 500 habitants" in path.read_text()
    assert read["ic_bas"].min() == pytest.approx(8e-06)
    assert ";0,000008;" in path.read_text()


def test_parquet_fields_carry_their_descriptions(written) -> None:
    for stem in ("asco_cells", "departement_profiles", "indicators", "labels"):
        schema = pyarrow.parquet.read_schema(written / "tables" / f"{stem}.parquet")
        for field in schema:
            assert field.metadata[b"description"].decode() == contract_of(stem).column(field.name).label.en
            assert field.metadata[b"description_fr"]


def test_a_column_without_description_is_refused() -> None:
    with pytest.raises(ReleaseError, match="surprise"):
        released("indicators", content().tables["indicators"].rows.append_column("surprise", [[1] * 82]))


def test_every_cell_of_the_workbook_is_the_cell_of_the_table(written) -> None:
    book = openpyxl.load_workbook(written / PATH)
    tables = thematic_tables(content())
    assert book.sheetnames == ["Sommaire", "Notes", *(drawn.name for drawn in tables)]
    seen = {"numbers": 0, "s": 0}
    for drawn in tables:
        sheet = book[drawn.name]
        share = drawn.unit[0] not in ("", "Total estimé")
        for row, (heading, values) in enumerate(drawn.rows, FIRST_ROW + 1):
            assert sheet.cell(row, 1).value == heading
            share = share if values else "%" in heading or (share and heading in ("Régions", "Départements"))
            for column, (number, status, flag) in enumerate(values, 2):
                shown = sheet.cell(row, column)
                if status == "c":
                    assert shown.value == "s"
                    seen["s"] += 1
                elif number is not None:
                    assert shown.value == pytest.approx(100 * number if share else number, rel=1e-5)
                    mark = {"low_precision": "¹", "unreliable": "²"}.get(flag, "")
                    assert (mark in shown.number_format) if mark else ("¹" not in shown.number_format)
                    seen["numbers"] += 1
    shown = cells()
    shown = shown[(shown["geography"] == "france") | (shown["size_class"] == "total")]
    both = shown[(shown["geography"] == "france") & (shown["size_class"] == "total")]
    both = both[both["statistic"] != "population_share"]  # in two sheets, but for those of France only
    assert not [
        table.title for table in tables if "territoire" in table.title[0] and "population" in table.unit[0]
    ]
    assert seen["numbers"] == (shown["status"] == "V").sum() + (both["status"] == "V").sum()
    assert seen["s"] == (shown["status"] != "V").sum() + (both["status"] != "V").sum()
    assert set(SHARES) == {"share", "population_share"}


def test_the_workbook_has_no_formula_no_clock_and_a_legend(written) -> None:
    with zipfile.ZipFile(written / PATH) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        inside = {name: archive.read(name).decode() for name in archive.namelist()}
    assert not [name for name, text in inside.items() if name.startswith("xl/worksheets/") and "<f>" in text]
    assert "2000-01-01T00:00:00Z" in inside["docProps/core.xml"]
    first = openpyxl.load_workbook(written / PATH)["T1"]
    said = [cell.value for cell in first["A"] if isinstance(cell.value, str)]
    assert any(text.startswith("s : ") for text in said)
    assert any(text.startswith("Source : DREES") for text in said)


def test_no_suppressed_cell_has_a_number_anywhere(written) -> None:
    frame = pd.read_csv(written / "tables" / "fr" / "asco_cells.csv", sep=";", decimal=",")
    hidden = frame["statut"] != "V"
    french = [contract_of("asco_cells").column(name).name_fr for name in NUMBERS]
    assert hidden.sum() > 100
    assert frame.loc[hidden, french].isna().all().all()
