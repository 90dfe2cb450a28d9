"""Wave 2014 on the publishers' real files: the frame, the aid tables cell by cell, and a release."""

import random
from pathlib import Path

import duckdb
import openpyxl
import pytest

pytestmark = pytest.mark.real

WORKBOOKS = (
    "drees-aide-sociale-beneficiaires-1996-2020.xlsx",
    "drees-aide-sociale-depenses-1999-2020.xlsx",
    "drees-aide-sociale-personnel-2014-2020.xlsx",
)
TABLES = {"beneficiaires": "beneficiaries", "depenses": "spending", "personnel": "staff"}
CELLS_A_TABLE = 6


def _database(home: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(home / "waves" / "2014" / "asco.duckdb"), read_only=True)


def test_the_frame_is_the_list_and_those_outside_any_epci(released_real: Path) -> None:
    with _database(released_real) as database:
        counts = database.execute(
            """
            select
                count(*) filter (where outside_epci = 0),
                count(*) filter (where outside_epci = 1),
                count(*) filter (where absent_from_populations = 1),
                count(*) filter (where length(commune_code) <> 5),
                count(*) filter (where commune_code = '75056' and epci_siren is null)
            from staging.stg_territory__communes
            """
        ).fetchone()
        # Of the 51 that the list lacks, Culey is part of Loisey-Culey in it: it was restored a year later.
        assert counts == (36614, 50, 24, 0, 1)
        restored = database.execute(
            "select count(*) from sources.raw_dgcl__epci_members where length(commune_code) = 4"
        ).fetchone()
        assert restored == (3224,)


def test_no_inhabitant_of_a_merged_commune_is_counted_twice(released_real: Path) -> None:
    """Of 24 communes of the list that the populations lack, 23 are counted within another there."""
    with _database(released_real) as database:
        cases = database.execute(
            "select kind, count(*) from staging.stg_territory__cases group by kind order by kind"
        ).fetchall()
        tinchebray = database.execute(
            "select population from staging.stg_territory__communes where commune_code = '61486'"
        ).fetchone()
    assert cases == [
        ("counted_within", 23),
        ("listed_within", 1),
        ("not_counted", 1),
        ("outside_epci", 50),
        ("recounted", 13),
    ]
    assert tinchebray == (2610,)  # the populations have 5,052, with six communes that the list knows apart


def test_a_merged_commune_keeps_the_population_of_the_list(released_real: Path) -> None:
    with _database(released_real) as database:
        row = database.execute(
            "select population from staging.stg_territory__communes where commune_code = '61031'"
        ).fetchone()
    assert row == (249,)  # Beauchêne, as the DGCL list of 2014 says


@pytest.mark.parametrize("name", WORKBOOKS)
def test_the_aid_tables_are_the_workbooks_cell_by_cell(
    released_real: Path, real_files: Path, name: str
) -> None:
    """Sampled over all tables, totals and missing values included, against an independent reader."""
    source = next(table for part, table in TABLES.items() if part in name)
    workbook = openpyxl.load_workbook(real_files / name, read_only=True, data_only=True)
    grids = {sheet.title: [list(row) for row in sheet.iter_rows(values_only=True)] for sheet in workbook}
    with _database(released_real) as database:
        rows = database.execute(
            f"select source_sheet, source_row, source_column, value, row_kind "
            f"from sources.raw_drees__aid_{source} order by all"
        ).fetchall()
    chooser = random.Random(2014)
    by_table: dict[str, list] = {}
    for row in rows:
        by_table.setdefault(row[0], []).append(row)
    compared, totals = 0, 0
    for sheet, cells in by_table.items():
        some_totals = [cell for cell in cells if cell[4] == "total"]
        chosen = chooser.sample(cells, CELLS_A_TABLE) if len(cells) > CELLS_A_TABLE else cells
        for _, number, column, value, kind in [*chosen, chooser.choice(some_totals)]:
            seen = grids[sheet][number - 1][openpyxl.utils.column_index_from_string(column) - 1]
            expected = float(seen) if isinstance(seen, int | float) else None
            assert value == expected, (sheet, number, column)
            compared += 1
            totals += kind == "total"
    assert compared >= 100
    assert totals >= len(by_table)


def test_every_departement_has_its_values(released_real: Path) -> None:
    with _database(released_real) as database:
        missing = database.execute(
            """
            select indicator, count(distinct departement_code) as n
            from staging.stg_aid__departements
            where measure in ('beneficiaries', 'spending_keur')
            group by indicator
            having n <> 103
            """
        ).fetchall()
        assert missing == []  # 100 départements without Mayotte, and 20, 69D, 69M beside them
        kinds = database.execute(
            "select distinct departement_code from staging.stg_aid__departements "
            "where length(departement_code) > 3"
        ).fetchall()
        assert kinds == []


def test_the_release_holds(released_real: Path, asco) -> None:
    verdict = asco(released_real, "verify", str(released_real / "releases" / "2014" / "latest"))
    assert verdict.returncode == 0, verdict.stdout
