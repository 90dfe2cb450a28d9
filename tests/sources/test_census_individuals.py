"""INSEE's census file of individuals: what is tabulated, to the last decimal, and what is refused."""

from pathlib import Path

import duckdb
import pandas as pd
import pytest

from asco_dagster.errors import SourceError
from asco_dagster.sources.census_individuals import no_individuals, tabulate_individuals
from asco_dagster.storage.warehouse import open_database, write_table

ROWS = [
    ("01", "004", "1", "11", 1.000000000000001),
    ("01", "000", "1", "12", 2.5),
    ("01", "077", "2", "32", 3.25),
    ("01", "079", "2", "32", 1.75),
    ("2A", "095", "2", "40", 1.0),
    ("971", "120", "2", "31", 4.0),
]


def parquet(path: Path, rows: list[tuple], names: str = "DEPT, AGED, SEXE, MOCO, IPONDI") -> Path:
    target = path / "indcvi.parquet"
    frame = pd.DataFrame(rows, columns=names.split(", "))  # read by DuckDB under its name
    with duckdb.connect() as connection:
        connection.register("frame", frame)
        connection.execute(f"copy (select * from frame) to '{target}' (format parquet)")
    return target


def test_the_weights_of_each_group_are_added(tmp_path: Path) -> None:
    found = tabulate_individuals(parquet(tmp_path, ROWS), vintage=2014)
    keys = ["departement_code", "sex", "age_band", "living"]
    assert dict(zip(found[keys].itertuples(index=False, name=None), found["population"], strict=True)) == {
        ("01", "M", "00_04", "child_of_couple"): 1.000000000000001,
        ("01", "M", "00_04", "child_of_single_parent"): 2.5,
        ("01", "F", "75_79", "alone"): 5.0,
        ("2A", "F", "95_plus", "outside_household"): 1.0,
        ("971", "F", "95_plus", "outside_family"): 4.0,
    }
    assert found["records"].sum() == len(ROWS)
    assert set(found["source_file"]) == {"indcvi.parquet"}
    assert set(found["year"]) == {2014}


def test_more_columns_and_numbers_in_place_of_text_do_no_harm(tmp_path: Path) -> None:
    names = "NUMMI, DEPT, AGED, SEXE, MOCO, IPONDI"
    found = tabulate_individuals(parquet(tmp_path, [("1", 75, 77, 2, 32, 1.5)], names), vintage=2014)
    assert found[["departement_code", "sex", "age_band", "living"]].values.tolist() == [
        ["75", "F", "75_79", "alone"]
    ]


def test_weights_with_a_decimal_comma_and_codes_that_became_numbers_are_read(tmp_path: Path) -> None:
    rows = [(1.0, 77.0, 2.0, 32.0, "1,25"), (1.0, 5.0, 1.0, 11.0, "0,000000000000001")]
    found = tabulate_individuals(parquet(tmp_path, rows), vintage=2014)
    keys = ["departement_code", "sex", "age_band", "living"]
    assert dict(zip(found[keys].itertuples(index=False, name=None), found["population"], strict=True)) == {
        ("01", "F", "75_79", "alone"): 1.25,
        ("01", "M", "05_09", "child_of_couple"): 1e-15,
    }


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), "", "NaN", "1,2,3", "-1,5"])
def test_a_weight_that_is_none_refuses_the_file_and_counts_the_rows(tmp_path: Path, weight: object) -> None:
    rows = [(*row[:4], str(row[4])) if isinstance(weight, str) else row for row in ROWS]
    spoilt = [*rows, ("01", "077", "2", "32", weight), ("01", "078", "2", "32", weight)]
    with pytest.raises(SourceError) as caught:
        tabulate_individuals(parquet(tmp_path, spoilt), vintage=2014)
    assert str(caught.value) == (
        "file indcvi.parquet, column IPONDI: 2 rows have no usable weight; expected a number above 0 and"
        " below 1000. Ask INSEE, or check that no decimal sign was lost."
    )


@pytest.mark.parametrize("column", ["DEPT", "AGED", "SEXE", "MOCO", "IPONDI"])
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    names = ["DEPT", "AGED", "SEXE", "MOCO", "IPONDI"]
    at = names.index(column)
    kept = ", ".join(name for name in names if name != column)
    with pytest.raises(SourceError, match=f"it has no column {column}; expected the columns DEPT, AGED"):
        tabulate_individuals(
            parquet(tmp_path, [row[:at] + row[at + 1 :] for row in ROWS], kept), vintage=2014
        )


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (("99", "077", "2", "32", 1.0), "column DEPT: 1 rows have the code “99”"),
        (("01", "ZZZ", "2", "32", 1.0), "column AGED: 1 rows have the code “ZZZ”"),
        (("01", "121", "2", "32", 1.0), "column AGED"),
        (("01", "77.", "2", "32", 1.0), "column AGED: 1 rows have the code “77.”; expected an age"),
        (("01", "077", "3", "32", 1.0), "column SEXE: 1 rows have the code “3”; expected 1 or 2"),
        (("01", "077", "2", "33", 1.0), "column MOCO: 1 rows have the code “33”"),
        (("01", "077", "2", None, 1.0), "column MOCO: 1 rows have the code"),
        (("01", "077", "2", "32", None), "column IPONDI: 1 rows have no usable weight"),
        (("01", "077", "2", "32", 0.0), "column IPONDI"),
        (("01", "077", "2", "32", 1000.0), "column IPONDI"),
    ],
)
def test_what_is_not_foreseen_refuses_the_file(tmp_path: Path, row: tuple, told: str) -> None:
    with pytest.raises(SourceError, match=told):
        tabulate_individuals(parquet(tmp_path, [*ROWS, row]), vintage=2014)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="it has no column MOCO"):
        tabulate_individuals(
            parquet(tmp_path, [row[:3] + row[4:] for row in ROWS], "DEPT, AGED, SEXE, IPONDI"), vintage=2014
        )
    text = tmp_path / "indcvi.csv"
    text.write_text("DEPT;AGED\n01;077\n")
    with pytest.raises(SourceError, match="cannot be read as Parquet"):
        tabulate_individuals(text, vintage=2014)
    with pytest.raises(SourceError, match="it has no row"):
        tabulate_individuals(parquet(tmp_path, []), vintage=2014)


def test_a_wave_without_the_file_has_the_same_columns(tmp_path: Path) -> None:
    delivered = tabulate_individuals(parquet(tmp_path, ROWS), vintage=2014)
    tables = {}
    with open_database(tmp_path / "asco.duckdb") as database:
        for name, frame in {"with": delivered, "without": no_individuals()}.items():
            write_table(database, "raw_insee__census_individuals", frame)
            tables[name] = database.execute("describe sources.raw_insee__census_individuals").fetchall()
    assert tables["with"] == tables["without"]
