"""The publishers' files as invented: the pipeline's readers take them, and they look like the true ones."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from python_calamine import CalamineWorkbook

from asco_dagster.demonstration.frame import Territory, invented_territory
from asco_dagster.demonstration.territory_files import commune_siren, write_members, write_populations
from asco_dagster.sources.readers.dgcl import read_epci_members
from asco_dagster.sources.readers.drees_aid import read_aid_tables
from asco_dagster.sources.readers.insee_age_sex import read_population_by_age_and_sex
from asco_dagster.sources.readers.insee_populations import read_legal_populations
from asco_dagster.territory.codes import MUNICIPAL_ARRONDISSEMENTS
from asco_dagster.waves import Wave, load_wave

AID = {
    "drees-aide-sociale-beneficiaires-1996-2020.xlsx": ("beneficiaries", 45),
    "drees-aide-sociale-depenses-1999-2020.xlsx": ("spending_keur", 32),
    "drees-aide-sociale-personnel-2014-2020.xlsx": ("staff", 16),
}


@pytest.fixture(scope="module")
def members(wave: Wave, deliveries: dict[str, Path]) -> pd.DataFrame:
    return read_epci_members(deliveries["dgcl-epci-communes-2014.csv"], vintage=2014)


@pytest.fixture(scope="module")
def populations(deliveries: dict[str, Path]) -> pd.DataFrame:
    names = ("metropole", "dom")
    files = [deliveries[f"insee-populations-legales-2013-{name}.csv"] for name in names]
    return pd.concat([read_legal_populations(file, vintage=2013) for file in files], ignore_index=True)


def test_the_list_of_2014_has_its_size_and_faults(members: pd.DataFrame, populations: pd.DataFrame) -> None:
    codes = members["commune_code"].str.zfill(5)
    listed, legal = set(codes), set(populations["commune_code"])
    assert members["epci_siren"].nunique() == 2145
    assert members["commune_code"].str.len().isin([4, 5]).all()
    assert (members["commune_code"].str.len() == 4).sum() == codes.str.startswith("0").sum() > 3000
    assert len(legal - listed) == 51
    assert "75056" in legal - listed
    assert len(listed - legal) == 24
    assert not codes.str.startswith("976").any()


def test_totals_of_an_epci_are_those_of_its_members(members: pd.DataFrame) -> None:
    bodies = members.groupby("epci_siren")
    assert (bodies["commune_population_municipal"].sum() == bodies["epci_population_municipal"].first()).all()
    assert (bodies.size() == bodies["member_count"].first()).all()


def test_no_invented_siren_is_a_true_one(members: pd.DataFrame) -> None:
    table = Path(__file__).parents[2] / "asco_dagster/demonstration/territory/communes_2019.parquet"
    true = set(pd.read_parquet(table)["epci_siren"].dropna())
    others = members.loc[~members["epci_siren"].isin(true), "epci_siren"]
    assert len(others) > 0
    assert others.str.startswith("29").all()


def test_lines_end_as_in_the_true_files(deliveries: dict[str, Path]) -> None:
    assert b"\r" not in deliveries["dgcl-epci-communes-2014.csv"].read_bytes()
    for name in ("metropole", "dom"):
        content = deliveries[f"insee-populations-legales-2013-{name}.csv"].read_bytes()
        assert content.count(b"\r\n") == content.count(b"\n") > 100


def test_the_age_pyramid_sums_to_the_communes(deliveries: dict[str, Path], populations: pd.DataFrame) -> None:
    path = deliveries["insee-estim-pop-dep-sexe-aq-1975-2022.xlsx"]
    ages = read_population_by_age_and_sex(path, year=2014)
    ages = ages[ages["row_kind"] == "departement"]
    assert ages["departement_code"].nunique() == 101
    bands = ages[ages["age_band"] != "Total"].pivot_table(
        index="departement_code", columns="sex", values="population", aggfunc="sum"
    )
    assert (bands["M"] + bands["F"] == bands["T"]).all()
    codes = populations["commune_code"]
    departement = codes.str[:2].mask(codes.str.startswith("97"), codes.str[:3])
    wanted = populations.groupby(departement)["population"].sum()
    assert (bands["T"].drop("976") == wanted).all()


@pytest.mark.parametrize("name", AID)
def test_aid_tables_are_read_and_tie(deliveries: dict[str, Path], name: str) -> None:
    measure, count = AID[name]
    table = read_aid_tables(deliveries[name], measure=measure)  # type: ignore[arg-type]
    assert table["table_id"].nunique() == count
    if measure == "staff":
        assert (table["value_text"] == "ND").sum() > 100
        assert "976" in set(table["area_code"].dropna())
        return
    keys = ["table_id", "year"]
    departements = table[table["row_kind"] == "departement"]
    whole = departements[~departements["area_code"].isin(["2A", "2B", "69D", "69M"])]
    france = table[(table["row_kind"] == "total") & table["area_name"].str.contains("France entière")]
    both = (
        france.groupby(keys)["value"]
        .agg(["min", "max"])
        .join(whole.groupby(keys)["value"].sum(), how="inner")
    )
    assert len(both) > 250
    assert np.allclose(both["min"], both["max"], rtol=1e-12)
    assert np.allclose(both["max"], both["value"], rtol=1e-12)
    halves = departements.pivot_table(index=keys, columns="area_code", values="value").dropna()
    known = halves[(halves["69M"] > 0)]
    assert len(known) > 20
    assert np.allclose(known["69D"] + known["69M"], known["69"])
    corsica = halves[halves.index.get_level_values("year") <= 2017]
    assert len(corsica) > 50
    assert np.allclose(corsica["2A"] + corsica["2B"], corsica["20"])


def test_only_the_last_year_of_spending_is_provisional(deliveries: dict[str, Path]) -> None:
    path = deliveries["drees-aide-sociale-depenses-1999-2020.xlsx"]
    spending = read_aid_tables(path, measure="spending_keur")
    assert set(spending.loc[spending["is_provisional"], "year"]) == {2020}
    assert spending.loc[spending["year"] == 2020, "is_provisional"].all()


def test_files_of_2025_have_the_layouts_of_today(tmp_path: Path) -> None:
    wave = load_wave("2025")
    whole = invented_territory(wave, 1)
    overseas = whole.members["departement_code"].isin(["01", "2A", "976"])
    part = Territory(
        whole.members[overseas].reset_index(drop=True), whole.populations.head(300).reset_index(drop=True)
    )
    listed, legal = wave.sources.epci_members[0], wave.sources.legal_populations[0]
    write_members(tmp_path / listed.address, part, listed)
    write_populations(tmp_path / legal.address, part, legal)
    header = CalamineWorkbook.from_path(tmp_path / listed.address).get_sheet_by_index(0).to_python()[0]
    assert " ".join(header) == (
        "dept siren raison_sociale nature_juridique mode_financ nb_membres total_pop_tot total_pop_mun "
        "dep_com insee siren_membre nom_membre ptot_2024 pmun_2024"
    )
    codes = read_epci_members(tmp_path / listed.address, vintage=2024)["commune_code"]
    assert codes.str.len().eq(5).all()
    assert codes.str.startswith("976").sum() == 17
    header = "REG;Région;DEP;CODARR;CODCAN;CODCOM;COM;Commune;PMUN;PCAP;PTOT\n"
    assert (tmp_path / legal.address).read_text(encoding="utf-8").startswith(header)
    assert len(read_legal_populations(tmp_path / legal.address, vintage=2021)) == 300
    zipped = legal.model_copy(update={"address": "ensemble.zip", "vintage": 2019})
    write_populations(tmp_path / zipped.address, part, zipped)
    with zipfile.ZipFile(tmp_path / zipped.address) as archive:
        assert archive.read("donnees_communes.csv").startswith(b"REG;DEP;CODCOM;COM;Commune;PMUN;PCAP;PTOT\n")
    assert len(read_legal_populations(tmp_path / zipped.address, vintage=2019)) == 300


@pytest.mark.parametrize(
    ("code", "siren"), [("57055", "215700550"), ("97101", "219711017"), ("2A154", "212001549")]
)
def test_a_communes_siren_follows_its_code(code: str, siren: str) -> None:
    assert commune_siren(code) == siren


@pytest.mark.real
@pytest.mark.parametrize(
    "name",
    [
        "dgcl-epci-communes-2014.csv",
        "insee-populations-legales-2013-metropole.csv",
        "insee-populations-legales-2013-dom.csv",
    ],
)
def test_headers_are_those_of_the_true_files(
    deliveries: dict[str, Path], real_files: Path, name: str
) -> None:
    first = [(folder / name).read_bytes().split(b"\n")[0] for folder in (deliveries[name].parent, real_files)]
    assert first[0] == first[1]


@pytest.mark.real
@pytest.mark.parametrize("name", AID)
def test_sheets_titles_and_headers_are_those_of_the_true_workbooks(
    deliveries: dict[str, Path], real_files: Path, name: str
) -> None:
    ours, theirs = CalamineWorkbook.from_path(deliveries[name]), CalamineWorkbook.from_path(real_files / name)
    assert ours.sheet_names == theirs.sheet_names
    compared = 0
    for sheet in ours.sheet_names:
        rows = [book.get_sheet_by_name(sheet).to_python(skip_empty_area=False) for book in (ours, theirs)]
        headers = [_headers(table) for table in rows]
        if headers[0]:
            assert rows[0][0][0] == rows[1][0][0], sheet
            assert headers[0] == headers[1], sheet
            compared += 1
    # One table of beneficiaries is national and has no such header.
    assert compared == AID[name][1] - (AID[name][0] == "beneficiaries")


def _headers(rows: list[list[object]]) -> list[tuple[int, list[object]]]:
    """Row and cells of each header, without the invented provisional year and the links."""
    found = []
    for number, row in enumerate(rows, 1):
        if str(row[0]).startswith(("Code", "Numéro de")):
            cells = [
                cell for cell in row if cell != "" and "(p)" not in str(cell) and "etour" not in str(cell)
            ]
            found.append((number, cells))
    return found


@pytest.mark.real
def test_the_age_workbook_has_the_true_headers(deliveries: dict[str, Path], real_files: Path) -> None:
    name = "insee-estim-pop-dep-sexe-aq-1975-2022.xlsx"
    rows = [
        CalamineWorkbook.from_path(path).get_sheet_by_name("2014").to_python(skip_empty_area=False)
        for path in (deliveries[name], real_files / name)
    ]
    assert rows[0][:5] == rows[1][:5]
    assert [str(row[0]).strip() for row in rows[0][5:110]] == [str(row[0]).strip() for row in rows[1][5:110]]


def test_towns_of_the_newer_populations_are_their_arrondissements(tmp_path: Path) -> None:
    wave = load_wave("2025")
    whole = invented_territory(wave, 1)
    towns = whole.populations["commune_code"].isin(["13055", "69123", "75056", "97101"])
    part = Territory(whole.members, whole.populations[towns])
    legal = wave.sources.legal_populations[0]
    write_populations(tmp_path / legal.address, part, legal)
    found = read_legal_populations(tmp_path / legal.address, vintage=legal.vintage)
    assert len(found) == 45 + 1
    of_town = found["commune_code"].map(MUNICIPAL_ARRONDISSEMENTS).fillna(found["commune_code"])
    summed = found.groupby(of_town)["population"].sum()
    assert summed.to_dict() == part.populations.set_index("commune_code")["population"].to_dict()
