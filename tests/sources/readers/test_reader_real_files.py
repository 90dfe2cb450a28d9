"""The publishers' real files: counts, totals, and cells against a second, independent reader."""

import random
import re
from pathlib import Path

import pandas as pd
import pytest

from asco_dagster.sources.readers.dgcl import read_epci_members
from asco_dagster.sources.readers.drees_aid import read_aid_tables
from asco_dagster.sources.readers.drees_sheets import Measure
from asco_dagster.sources.readers.insee_age_sex import read_population_by_age_and_sex
from asco_dagster.sources.readers.insee_populations import read_legal_populations

pytestmark = pytest.mark.real

AID: dict[Measure, tuple[str, int]] = {
    "beneficiaries": ("drees-aide-sociale-beneficiaires-1996-2020.xlsx", 45),
    "spending_keur": ("drees-aide-sociale-depenses-1999-2020.xlsx", 32),
    "staff": ("drees-aide-sociale-personnel-2014-2020.xlsx", 16),
}
AGES = "insee-estim-pop-dep-sexe-aq-1975-2022.xlsx"


@pytest.fixture(scope="module")
def aid(real_files: Path) -> dict[Measure, pd.DataFrame]:
    return {
        measure: read_aid_tables(real_files / name, measure=measure) for measure, (name, _) in AID.items()
    }


def test_dgcl(real_files: Path) -> None:
    found = read_epci_members(real_files / "dgcl-epci-communes-2014.csv", vintage=2014)
    assert len(found) == 36_614
    assert found["epci_siren"].nunique() == 2_145
    assert (found["commune_code"].str.len() == 4).sum() == 3_224
    assert found.columns[found.isna().any()].tolist() == ["source_sheet"]
    sizes = found.groupby("epci_siren").agg(said=("member_count", "first"), counted=("commune_code", "size"))
    assert (sizes["said"] == sizes["counted"]).all()


def test_legal_populations(real_files: Path) -> None:
    metropole = read_legal_populations(
        real_files / "insee-populations-legales-2013-metropole.csv", vintage=2013
    )
    overseas = read_legal_populations(real_files / "insee-populations-legales-2013-dom.csv", vintage=2013)
    assert (len(metropole), metropole["population"].sum()) == (36_529, 63_697_865)
    assert (len(overseas), overseas["population"].sum()) == (112, 1_866_891)
    # INSEE numbers the overseas départements 01 to 04 in this file: staging must take them from the code.
    assert sorted(overseas["departement_code"].unique()) == ["01", "02", "03", "04"]


def test_population_by_age_and_sex(real_files: Path) -> None:
    found = read_population_by_age_and_sex(real_files / AGES, year=2014)
    departements = found[found["row_kind"] == "departement"]
    assert departements["departement_code"].nunique() == 101
    assert departements.groupby(["departement_code", "sex"]).size().eq(21).all()
    assert departements.groupby(["departement_code", "sex"]).ngroups == 101 * 3
    bands = (
        departements[departements["age_band"] != "Total"]
        .groupby(["departement_code", "sex"])["population"]
        .sum()
    )
    totals = departements[departements["age_band"] == "Total"].set_index(["departement_code", "sex"])[
        "population"
    ]
    pd.testing.assert_series_equal(bands, totals.sort_index(), check_names=False)
    wide = totals.unstack()
    assert (wide["M"] + wide["F"] == wide["T"]).all()
    france = found[(found["area_name"] == "France métropolitaine et DOM") & (found["age_band"] == "Total")]
    assert france.set_index("sex")["population"].to_dict() == wide.sum().to_dict()


def test_population_by_age_and_sex_reads_every_year(real_files: Path) -> None:
    counts = {
        year: read_population_by_age_and_sex(real_files / AGES, year=year)["departement_code"].nunique()
        for year in (1975, 1989, 1990, 1998, 1999, 2013, 2022)
    }
    assert counts == {1975: 96, 1989: 96, 1990: 100, 1998: 100, 1999: 100, 2013: 100, 2022: 101}


@pytest.mark.parametrize("measure", AID)
def test_all_tables_of_a_workbook(aid: dict[Measure, pd.DataFrame], measure: Measure) -> None:
    found = aid[measure]
    assert found["table_id"].nunique() == AID[measure][1]
    assert found["label"].str.len().gt(10).all()
    with_departements = found[found["row_kind"] == "departement"].groupby("table_id")["area_code"].nunique()
    assert set(with_departements) == ({104} if measure == "staff" else {103})
    assert len(with_departements) == AID[measure][1] - (measure == "beneficiaries")


@pytest.mark.parametrize("measure", AID)
def test_cells_agree_with_an_independent_reader(
    real_files: Path, aid: dict[Measure, pd.DataFrame], measure: Measure
) -> None:
    """Three random cells a table and one missing one, and its last total, read again through openpyxl."""
    import openpyxl
    from openpyxl.utils import column_index_from_string

    dice = random.Random(2014)
    book = openpyxl.load_workbook(real_files / AID[measure][0], read_only=True, data_only=True)
    compared = 0
    for sheet, table in aid[measure].groupby("source_sheet"):
        cells = [list(row) for row in book[str(sheet)].iter_rows(values_only=True)]
        sample = dice.sample(range(len(table)), min(6, len(table)))
        picked = pd.concat(
            [
                table.iloc[sample],
                table[table["value"].isna()].head(1),
                table[table["row_kind"] == "total"].tail(1),
            ]
        )
        for record in picked.itertuples():
            raw = cells[record.source_row - 1][column_index_from_string(record.source_column) - 1]
            if isinstance(raw, int | float):
                assert record.value == pytest.approx(raw, rel=0, abs=0), (sheet, record)
            else:
                assert pd.isna(record.value), (sheet, record)
                assert record.value_text == (raw or ""), (sheet, record)
            _check_margins(cells, record)
            compared += 1
    assert compared >= {"beneficiaries": 300, "spending_keur": 200, "staff": 100}[measure]


def _check_margins(cells: list[list[object]], record: object) -> None:
    """The year above the cell and the code beside it, found without the reader's help."""
    from openpyxl.utils import column_index_from_string

    column = column_index_from_string(record.source_column) - 1
    heads = [years for row in cells[: record.source_row - 1] if len(years := _years(row)) >= 5]
    assert heads[-1][column] == record.year
    beside = {str(cell).strip() for cell in cells[record.source_row - 1][:2]}
    if record.row_kind == "total":
        assert any(text.casefold().startswith("total") for text in beside)
    else:
        assert beside & {record.area_code, record.area_code.lstrip("0")}


def _years(row: list[object]) -> dict[int, int]:
    """The year of each column of a header; none for a row whose numbers do not follow one another."""
    texts = {index: str(cell).removesuffix(" (p)") for index, cell in enumerate(row)}
    years = {index: int(text) for index, text in texts.items() if re.fullmatch(r"(?:19|20)\d\d", text)}
    values = list(years.values())
    return years if values and values == list(range(values[0], values[0] + len(values))) else {}


def totals_against_sums(found: pd.DataFrame) -> pd.Series:
    """Département values minus the first printed métropole total, for tables and years without a gap."""
    rows = found[(found["row_kind"] == "departement") & ~found["area_code"].str.startswith("97")]
    # 20 and 69 stand beside the rows they were split into, 2A + 2B and 69D + 69M.
    rows = rows[~rows["area_code"].isin(["2A", "2B", "69D", "69M"])]
    sums = rows.groupby(["table_id", "year"])["value"].agg(lambda values: values.sum(skipna=False))
    totals = found[found["area_name"] == "TOTAL estimé France métropolitaine"]
    printed = totals.drop_duplicates(["table_id", "year"]).set_index(["table_id", "year"])["value"]
    return (sums - printed).dropna()


@pytest.mark.parametrize(
    ("measure", "complete", "known"),
    [
        ("beneficiaries", 771, {}),
        # Row 69 of PA-tab7 is 0 in 2019 while 69D and 69M are not.
        ("spending_keur", 593, {("PA-tab7", 2019): -33423.355}),
        (
            "staff",
            65,
            {("etp - pers social et educatif", 2018): 164.0, ("eff - total general hors AF", 2020): 1.0},
        ),
    ],
)
def test_departements_sum_to_the_printed_total(
    aid: dict[Measure, pd.DataFrame], measure: Measure, complete: int, known: dict[tuple[str, int], float]
) -> None:
    differences = totals_against_sums(aid[measure])
    assert len(differences) == complete
    off = differences[differences.abs() > 0.5]
    assert off.to_dict() == pytest.approx(known, abs=0.01)


def test_split_departements_add_up(aid: dict[Measure, pd.DataFrame]) -> None:
    off = {}
    for measure, found in aid.items():
        rows = found[found["row_kind"] == "departement"]
        wide = rows.pivot_table(
            index=["table_id", "year"], columns="area_code", values="value", aggfunc="first"
        )
        for whole, parts in (("20", ["2A", "2B"]), ("69", ["69D", "69M"])):
            known = wide[[whole, *parts]].dropna()
            known = known[known[parts].sum(axis=1) != 0]
            assert len(known) >= 40
            gap = known[whole] - known[parts].sum(axis=1)
            off |= {(measure, whole, *key): value for key, value in gap[gap.abs() > 0.5].items()}
    assert off == pytest.approx({("spending_keur", "69", "PA-tab7", 2019): -33423.355}, abs=0.01)


def test_both_blocks_print_the_same_totals_but_for_one_table(aid: dict[Measure, pd.DataFrame]) -> None:
    """Staging takes the first block's totals: in PH-tab6 only those are the sum of the départements."""
    off = set()
    for measure in ("beneficiaries", "spending_keur"):
        totals = aid[measure][aid[measure]["row_kind"] == "total"]
        name = totals["area_name"].str.casefold()
        pairs = totals.groupby([totals["table_id"], totals["year"], name])["value"].agg(["first", "last"])
        gap = (pairs["first"] - pairs["last"]).abs()
        assert len(gap) > 1_700
        off |= {(table, year) for table, year, _ in gap[gap > 0.5].index}
    assert off == {("PH-tab6", year) for year in (2015, 2016, 2017, 2018)}
