"""INSEE's table of passage: its two sheets, its header, and what is refused."""

from pathlib import Path

import pytest

from asco_dagster.errors import SourceError
from asco_dagster.sources.readers.insee_passage import no_passage, read_commune_passage
from asco_testing.sources.reader_fixtures import write_workbook

TITLE: list[list[object]] = [["Table de passage"], ["INSEE"], ["Champ"], [], ["Code", "Code", "Libellé"]]
HEADER: list[object] = ["CODGEO_INI", "CODGEO_2025", "LIBGEO_2025"]
ROWS: list[list[object]] = [
    ["01001", "01001", "L'Abergement-Clémenciat"],
    [1340, "01015", "Arboys  en Bugey"],
    ["2A004", "2A004", "Ajaccio"],
    ["49144", "44180", "Vallons-de-l'Erdre"],
    [],
    ["97101", "97101", "Les Abymes"],
]


def workbook(path: Path, sheet: str, rows: list[list[object]]) -> Path:
    return write_workbook(path / "passage.xlsx", {"Documentation": [["à lire"]], sheet: rows})


@pytest.mark.parametrize("sheet", ["COM", "Table de passage"])
def test_both_names_of_the_sheet_are_read(tmp_path: Path, sheet: str) -> None:
    found = read_commune_passage(workbook(tmp_path, sheet, [*TITLE, HEADER, *ROWS]), vintage=2025)
    assert found["former_code"].tolist() == ["01001", "01340", "2A004", "49144", "97101"]
    assert found["commune_code"].tolist() == ["01001", "01015", "2A004", "44180", "97101"]
    assert found["commune_name"][1] == "Arboys en Bugey"
    assert found["source_sheet"].unique().tolist() == [sheet]
    assert found["source_row"].tolist() == [7, 8, 9, 10, 12]


def test_a_column_more_and_a_header_further_down_do_no_harm(tmp_path: Path) -> None:
    rows = [["COM", *row] for row in ROWS if row]
    found = read_commune_passage(
        workbook(tmp_path, "COM", [*TITLE, [], ["NIVGEO", *HEADER], *rows]), vintage=2025
    )
    assert found["commune_code"].tolist()[3] == "44180"


@pytest.mark.parametrize(
    ("sheet", "rows", "told"),
    [
        ("ARM", [*TITLE, HEADER, *ROWS], "“ARM”"),
        ("COM", [*TITLE, ["CODGEO_INI", "CODGEO_2024", "LIBGEO_2024"], *ROWS], "CODGEO_2024"),
        ("COM", [*TITLE, *ROWS], "none of the first"),
        ("COM", [*TITLE, HEADER], "no row of data"),
        ("COM", [*TITLE, HEADER, *ROWS, ["01001", "01001", "twice"]], "is there twice"),
        ("COM", [*TITLE, HEADER, ["Lyon", "69123", "Lyon"]], "“Lyon” is not a code"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, sheet: str, rows: list[list[object]], told: str) -> None:
    with pytest.raises(SourceError, match=told):
        read_commune_passage(workbook(tmp_path, sheet, rows), vintage=2025)


def test_a_wave_without_passage_has_its_columns(tmp_path: Path) -> None:
    whole = read_commune_passage(workbook(tmp_path, "COM", [*TITLE, HEADER, *ROWS]), vintage=2025)
    assert no_passage().columns.tolist() == whole.columns.tolist()
    assert no_passage().empty


EVENTS = (
    "MOD,DATE_EFF,TYPECOM_AV,COM_AV,TNCC_AV,NCC_AV,NCCENR_AV,LIBELLE_AV,"
    "TYPECOM_AP,COM_AP,TNCC_AP,NCC_AP,NCCENR_AP,LIBELLE_AP"
)


def an_event(date: str, before: str, after: str, kinds: tuple[str, str] = ("COM", "COM")) -> str:
    return f"32,{date},{kinds[0]},{before},0,X,X,N{before},{kinds[1]},{after},0,X,X,N{after}"


def test_a_passage_as_text_is_read(tmp_path: Path) -> None:
    path = tmp_path / "passage.csv"
    path.write_text("CODGEO_INI;CODGEO_2025;LIBGEO_2025\n01001;01001;L'Abbaye\n1340;01015;Arboys\n", "utf-8")
    found = read_commune_passage(path, vintage=2025)
    assert found[["former_code", "commune_code"]].values.tolist() == [["01001", "01001"], ["01340", "01015"]]
    assert found["source_row"].tolist() == [2, 3]


def test_the_passage_follows_from_the_events(tmp_path: Path) -> None:
    """Merged, merged again, restored, divided; associated communes and later events do not count."""
    lines = [
        an_event("2016-01-01", "85084", "85084"),
        an_event("2016-01-01", "85212", "85084"),
        an_event("2016-01-01", "85212", "85212", ("COM", "COMD")),
        an_event("2017-01-01", "16001", "16002"),
        an_event("2019-01-01", "16002", "16003"),
        an_event("2024-01-01", "85084", "85084"),
        an_event("2024-01-01", "85084", "85212"),
        an_event("2025-01-01", "16003", "16004"),
    ]
    path = tmp_path / "mvtcommune.csv"
    path.write_text("\n".join([EVENTS, *lines]), "utf-8")
    found = read_commune_passage(path, vintage=2024)
    assert found[["former_code", "commune_code"]].values.tolist() == [
        ["16001", "16003"],
        ["16002", "16003"],
        ["85084", "85084"],
        ["85084", "85212"],
        ["85212", "85212"],
    ]
    assert found["source_row"].tolist() == [6, 6, 7, 8, 8]
    assert found["commune_name"][0] == "N16003"
    before = read_commune_passage(path, vintage=2020)
    assert ["85212", "85084"] in before[["former_code", "commune_code"]].values.tolist()
