"""Every layout of every publisher, read from a small golden file and compared cell by cell."""

import zipfile
from pathlib import Path

import pandas as pd
import pytest

from asco_dagster.sources.readers.dgcl import read_epci_members
from asco_dagster.sources.readers.drees_aid import read_aid_tables
from asco_dagster.sources.readers.insee_age_sex import read_population_by_age_and_sex
from asco_dagster.sources.readers.insee_populations import read_legal_populations
from asco_dagster.sources.readers.sample_list import read_sample
from asco_testing.sources.reader_fixtures import FIXTURES, cells_of, expected_frame, write_workbook


def assert_as_expected(found: pd.DataFrame, case: str) -> None:
    pd.testing.assert_frame_equal(found, expected_frame(f"{case}_expected.csv", found))


def test_dgcl_csv_keeps_codes_as_delivered() -> None:
    case = "dgcl_2014_lost_zero_and_quoted_name"
    found = read_epci_members(FIXTURES / f"{case}_input.csv", vintage=2014)
    assert_as_expected(found, case)
    assert str(found["commune_code"].dtype) == "string"
    assert str(found["commune_population_total"].dtype) == "Int64"


def test_dgcl_workbook_keeps_syndicats_and_their_members_without_a_code(tmp_path: Path) -> None:
    case = "dgcl_workbook_with_syndicat"
    sheets = {"À lire": [["Liste des groupements"]], "Liste": cells_of(f"{case}_input.csv")}
    assert_as_expected(read_epci_members(write_workbook(tmp_path / "dgcl.xlsx", sheets), vintage=2025), case)


@pytest.mark.parametrize(
    ("case", "vintage"),
    [
        ("populations_metropole_stray_returns", 2013),
        ("populations_dom_own_numbering", 2013),
        ("populations_donnees_communes", 2022),
        ("populations_donnees_communes_split_code", 2019),
    ],
)
def test_legal_populations(case: str, vintage: int) -> None:
    assert_as_expected(read_legal_populations(FIXTURES / f"{case}_input.csv", vintage=vintage), case)


def test_legal_populations_select_the_column_of_their_vintage() -> None:
    path = FIXTURES / "populations_metropole_stray_returns_input.csv"
    assert read_legal_populations(path, vintage=2008)["population"].tolist() == [791, 194]


def test_legal_populations_from_a_zip_name_the_member_as_their_sheet(tmp_path: Path) -> None:
    path = tmp_path / "ensemble.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(FIXTURES / "populations_donnees_communes_input.csv", "donnees/donnees_communes.csv")
        archive.writestr("metadonnees.csv", "x")
    found = read_legal_populations(path, vintage=2022)
    assert found["population"].tolist() == [771, 53491]
    assert set(found["source_file"]) == {"ensemble.zip"}
    assert set(found["source_sheet"]) == {"donnees/donnees_communes.csv"}


@pytest.mark.parametrize("ending", ["xlsx", "xls"])
def test_age_sex_reads_new_and_old_workbooks_with_a_second_header(tmp_path: Path, ending: str) -> None:
    sheets = {"À savoir": [["Notes"]], "1998": cells_of("age_sex_second_header_for_overseas_input.csv")}
    path = write_workbook(tmp_path / f"estim.{ending}", sheets)
    found = read_population_by_age_and_sex(path, year=1998)
    assert len(found) == 5 * 3 * 2
    guadeloupe = found[found["departement_code"] == "971"]
    assert guadeloupe["area_name"].unique().tolist() == ["Guadeloupe"]
    assert guadeloupe[["sex", "age_band", "population", "source_row"]].values.tolist() == [
        ["T", "0 à 19 ans", 8, 12],
        ["T", "Total", 40, 12],
        ["M", "0 à 19 ans", 4, 12],
        ["M", "Total", 20, 12],
        ["F", "0 à 19 ans", 4, 12],
        ["F", "Total", 20, 12],
    ]
    totals = found[found["row_kind"] == "total"]
    assert totals["departement_code"].isna().all()
    assert totals["area_name"].unique().tolist() == ["France métropolitaine", "DOM"]
    assert found["departement_code"].dropna().unique().tolist() == ["01", "2A", "971"]
    assert set(found["source_sheet"]) == {"1998"}


def spending(tmp_path: Path, sheet: str = " RSA-RMI tab1") -> pd.DataFrame:
    sheets = {
        "Sommaire": [["x"]],
        sheet: cells_of("drees_two_blocks_input.csv"),
        "IPC": [["Année", "Valeur"]],
    }
    return read_aid_tables(write_workbook(tmp_path / "depenses.xlsx", sheets), measure="spending_keur")


def test_drees_two_blocks_with_their_totals(tmp_path: Path) -> None:
    found = spending(tmp_path)
    assert found.groupby("row_kind").size().to_dict() == {"departement": 18, "region": 6, "total": 6}
    departements = found[found["row_kind"] == "departement"]["area_code"].unique().tolist()
    assert departements == ["01", "20", "2A", "69", "69D", "971"]
    assert found[found["row_kind"] == "region"]["area_code"].unique().tolist() == ["84", "101"]
    assert found[found["row_kind"] == "total"]["source_row"].unique().tolist() == [11, 17]
    first = found.iloc[0].to_dict()
    assert first == {
        "year": 2018,
        "row_kind": "departement",
        "area_code": "01",
        "area_name": "Ain",
        "table_id": "RSA-RMI tab1",
        "domain": "inclusion",
        "measure": "spending_keur",
        "label": "Tableau 1 - Dépenses totales",
        "value": 75.5,
        "value_text": "75.5",
        "is_provisional": False,
        "source_file": "depenses.xlsx",
        "source_sheet": " RSA-RMI tab1",
        "source_row": 5,
        "source_column": "D",
    }


def test_drees_missing_marks_are_null_and_kept_as_text(tmp_path: Path) -> None:
    found = spending(tmp_path)
    corsica = found[found["area_code"].isin(["20", "2A"])]
    assert corsica["value_text"].tolist() == ["30", "-", "ND", "18", "", "NR"]
    assert corsica["value"].isna().tolist() == [False, True, True, False, True, True]


def test_drees_provisional_years(tmp_path: Path) -> None:
    found = spending(tmp_path)
    assert found.groupby("year")["is_provisional"].unique().map(list).to_dict() == {
        2018: [False],
        2019: [False],
        2020: [True],
    }


@pytest.mark.parametrize(
    ("sheet", "domain"),
    [
        ("Tot-tab1", "total"),
        ("autres-tab2", "total"),
        ("PA-tab3", "elderly"),
        ("PH-tab1", "disability"),
        ("ASE-tab8", "child"),
        ("RSA-RMI tab5", "inclusion"),
    ],
)
def test_drees_domain_follows_the_sheet(tmp_path: Path, sheet: str, domain: str) -> None:
    assert set(spending(tmp_path, sheet)["domain"]) == {domain}


def test_drees_table_with_a_national_row_only(tmp_path: Path) -> None:
    sheets = {"Tab11-ase": cells_of("drees_national_row_only_input.csv")}
    found = read_aid_tables(write_workbook(tmp_path / "b.xlsx", sheets), measure="beneficiaries")
    assert found[["year", "row_kind", "value", "domain"]].values.tolist() == [
        [2019, "total", 41700.0, "child"],
        [2020, "total", 41200.0, "child"],
    ]


@pytest.mark.parametrize(("sheet", "measure"), [("eff - x", "staff_headcount"), ("etp - x", "staff_fte")])
def test_drees_staff_layout(tmp_path: Path, sheet: str, measure: str) -> None:
    path = write_workbook(tmp_path / "p.xlsx", {sheet: cells_of("drees_staff_input.csv")})
    found = read_aid_tables(path, measure="staff")
    assert found["area_code"].fillna("total").tolist() == ["01", "01", "02", "02", "total", "total"]
    assert found["value_text"].tolist() == ["ND", "14", "12.5", "", "ND", "26.5"]
    assert set(found["measure"]) == {measure}


def test_sample_list_counts_blank_lines() -> None:
    case = "sample_list_blank_line"
    assert_as_expected(read_sample(FIXTURES / f"{case}_input.csv"), case)
