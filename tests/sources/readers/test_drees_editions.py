"""Workbooks of the Aide sociale survey of other editions: strays, marks, repeated rows, split workbooks."""

import re
from pathlib import Path

import pandas as pd
import pytest

from asco_dagster.errors import SourceError
from asco_dagster.sources.readers.drees_aid import read_aid_tables
from asco_testing.sources.reader_fixtures import cells_of, write_workbook

Rows = list[list[object]]


def table() -> Rows:
    return cells_of("drees_two_blocks_input.csv")


def read(tmp_path: Path, rows: Rows, sheet: str = "ASE-tab2") -> pd.DataFrame:
    return read_aid_tables(write_workbook(tmp_path / "aid.xlsx", {sheet: rows}), measure="spending_keur")


def test_a_stray_number_below_a_table_is_reported_with_its_cell_and_the_table_is_read(tmp_path: Path) -> None:
    """The DREES's spending of 1999 to 2018 has such a 0.0 under the totals of ASE-tab2."""
    whole = read(tmp_path, table())
    rows = [*table()[:11], [None, None, None, 0.0], *table()[11:]]
    found = read(tmp_path, rows)
    stray = found[found["row_kind"] == "stray"]
    assert stray[["area_code", "value", "source_sheet", "source_row", "source_column"]].values.tolist() == [
        ["D12", 0.0, "ASE-tab2", 12, "D"]
    ]
    kept = ["year", "row_kind", "area_code", "value"]
    rest = found[found["row_kind"] != "stray"].reset_index(drop=True)
    pd.testing.assert_frame_equal(rest[kept], whole[kept])


def test_a_stray_number_outside_the_years_is_reported_too(tmp_path: Path) -> None:
    found = read(tmp_path, [*table(), [None] * 6 + [7.0]])
    assert found.loc[found["row_kind"] == "stray", ["area_code", "value"]].values.tolist() == [["G18", 7.0]]


def test_a_row_without_its_label_inside_a_table_is_still_refused(tmp_path: Path) -> None:
    rows = table()
    rows[6][:3] = [None, None, None]
    with pytest.raises(SourceError, match="row 7, column C: the row has values but no name of a departement"):
        read(tmp_path, rows)


@pytest.mark.parametrize(
    "mark", ["nd", "ND", "N.D.", "ns", "NS", "nc", "n.c.", "NR", "/", "-", "–", "NA", "so", "…"]
)
def test_marks_of_missing_numbers(tmp_path: Path, mark: str) -> None:
    rows = table()
    rows[4][3] = mark
    first = read(tmp_path, rows).iloc[0]
    assert pd.isna(first["value"])
    assert first["value_text"] == mark


@pytest.mark.parametrize(
    ("text", "value", "provisional"),
    [
        ("75,5", 75.5, False),
        ("1 234", 1234.0, False),
        ("12\u202f345,25", 12345.25, False),
        ("1\u00a0234 (p)", 1234.0, True),
        ("75*", 75.0, False),
        ("75 (1)", 75.0, False),
        ("-12,5", -12.5, False),
        ("75.25", 75.25, False),
    ],
)
def test_numbers_written_as_text(tmp_path: Path, text: str, value: float, provisional: bool) -> None:
    rows = table()
    rows[4][3] = text
    first = read(tmp_path, rows).iloc[0]
    assert (first["value"], first["value_text"], first["is_provisional"]) == (value, text, provisional)


@pytest.mark.parametrize(
    ("year", "provisional"),
    [
        ("2020 (p)", True),
        ("2020(p)", True),
        ("2020 (P)", True),
        ("2020 (p) (1)", True),
        ("2020*", False),
        ("2020 (d)", False),
        ("2020 (sd)", False),
        ("2020 (1)", False),
        ("2020¹", False),
        ("2020", False),
        (2020.0, False),
    ],
)
def test_marks_behind_a_year(tmp_path: Path, year: object, provisional: bool) -> None:
    rows = table()
    rows[3][5] = rows[13][5] = year
    found = read(tmp_path, rows)
    assert sorted(found["year"].unique()) == [2018, 2019, 2020]
    assert found.loc[found["year"] == 2020, "is_provisional"].unique().tolist() == [provisional]


def test_a_footnote_behind_a_code_is_no_part_of_it(tmp_path: Path) -> None:
    rows = table()
    rows[8][1] = "69D (1)"
    found = read(tmp_path, rows)
    assert "69D" in set(found["area_code"].dropna())


def test_a_repeated_row_counts_once_and_is_reported(tmp_path: Path) -> None:
    rows = table()
    rows.insert(7, list(rows[6]))
    found = read(tmp_path, rows)
    assert (found["area_code"] == "2A").sum() == 3
    assert found.loc[found["row_kind"] == "repeated", "area_code"].tolist() == ["D8", "E8", "F8"]


def test_a_repeated_row_with_other_values_is_refused(tmp_path: Path) -> None:
    rows = table()
    rows.insert(7, [*rows[6][:3], 19.0, *rows[6][4:]])
    expected = "row 8: “2A” is twice in the table, first on row 7, with 18 there and 19 here"
    with pytest.raises(SourceError, match=re.escape(expected)):
        read(tmp_path, rows)


@pytest.mark.parametrize("apart", [0.4, -1.0])
def test_france_twice_with_a_rounding_apart_counts_once(tmp_path: Path, apart: float) -> None:
    rows = table()
    rows.insert(11, [rows[10][0], None, None, 305.5 + apart, 320.0, 330.0])
    found = read(tmp_path, rows)
    first = found[(found["row_kind"] == "total") & (found["year"] == 2018)]
    assert first["value"].tolist() == [305.5, 305.5]  # one a block
    assert found.loc[found["row_kind"] == "repeated", "area_code"].tolist() == ["D12", "E12", "F12"]


def test_france_twice_further_apart_is_refused(tmp_path: Path) -> None:
    rows = table()
    rows.insert(11, [rows[10][0], None, None, 300.0, 320.0, 330.0])
    with pytest.raises(SourceError, match="“TOTAL estimé France métropolitaine” is twice in the table"):
        read(tmp_path, rows)


def test_the_workbooks_split_since_2022_are_read_apart(tmp_path: Path) -> None:
    pages: dict[str, Rows] = {
        "Lisez-moi": [["À lire"]],
        "Sommaire": [["x"]],
        "Méthodologie": [["Année", 2022]],
    }
    elderly = write_workbook(tmp_path / "pa-ph.xlsx", {**pages, "Tab1-pa": table(), "Tab 1-PH ": table()})
    children = write_workbook(tmp_path / "ase.xlsx", {**pages, "Tab1-ase": table()})
    found = [read_aid_tables(path, measure="beneficiaries") for path in (elderly, children)]
    assert [sorted(frame["domain"].unique()) for frame in found] == [["disability", "elderly"], ["child"]]
    assert found[0]["table_id"].unique().tolist() == ["Tab1-pa", "Tab 1-PH"]


def test_a_table_under_an_unknown_name_is_never_left_out(tmp_path: Path) -> None:
    sheets = {"Tab1-pa": table(), "Tableau nouveau": table()}
    path = write_workbook(tmp_path / "pa.xlsx", sheets)
    with pytest.raises(SourceError, match="sheet “Tableau nouveau”: the sheet is neither a known table"):
        read_aid_tables(path, measure="beneficiaries")
