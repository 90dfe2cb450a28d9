"""INSEE's table of passage: its two sheets, its header, and what is refused."""

from pathlib import Path

import pytest
from reader_fixtures import write_workbook

from asco_dagster.errors import SourceError
from asco_dagster.sources.readers.insee_passage import no_passage, read_commune_passage

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
