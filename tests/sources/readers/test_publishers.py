"""Lists of the DGCL and populations of INSEE as they are met outside: layouts, encodings, legal forms."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from asco_dagster.errors import SourceError
from asco_dagster.sources.readers.dgcl import read_epci_members
from asco_dagster.sources.readers.insee_populations import read_legal_populations
from asco_dagster.territory.natures import nature_of
from asco_testing.sources.reader_fixtures import FIXTURES, cells_of, write_workbook

NEWER = "REG;Région;DEP;CODARR;CODCAN;CODCOM;COM;Commune;PMUN;PCAP;PTOT"
ROWS = (
    "84;Auvergne-Rhône-Alpes;01;2;08;001;01001;L'Abbaye;832;16;848",
    "11;Île-de-France;75;1;NA;101;75101;Paris 1er Arrondissement;15919;111;16030",
    "94;Corse;2A;;NA;004;2A004;Ajac;71361;900;72261",
    "01;Guadeloupe;971;2;93;101;97101;Les Palmes;52118;468;52586",
)
READ = [
    ["01001", "L'Abbaye", "01", "84", 832],
    ["75101", "Paris 1er Arrondissement", "75", "11", 15919],
    ["2A004", "Ajac", "2A", "94", 71361],
    ["97101", "Les Palmes", "971", "01", 52118],
]
COLUMNS = ["commune_code", "commune_name", "departement_code", "region_code", "population"]


def populations(path: Path, vintage: int = 2021) -> list[list[object]]:
    found = read_legal_populations(path, vintage=vintage)
    return found[COLUMNS].astype(object).where(found[COLUMNS].notna(), None).values.tolist()


def written(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "delivered.csv"
    path.write_bytes(text.encode(encoding))
    return path


WRITTEN: dict[str, Callable[[str], bytes]] = {
    "LF": lambda text: text.encode(),
    "CRLF and a byte-order mark": lambda text: text.replace("\n", "\r\n").encode("utf-8-sig"),
    "Windows-1252": lambda text: text.encode("cp1252"),
    "tabs": lambda text: text.replace(";", "\t").encode(),
    "commas and quotes": lambda text: "\n".join(
        ",".join(f'"{cell}"' for cell in line.split(";")) for line in text.split("\n")
    ).encode(),
    "a last column without a name": lambda text: (text.replace("\n", ";\n") + ";").encode(),
    "title rows and a note": lambda text: (
        "Populations légales 2021\n\n" + text + "\nSource : Insee, recensement de la population;;;"
    ).encode(),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_the_newer_layout_is_read_however_it_is_written(tmp_path: Path, how: str) -> None:
    path = tmp_path / "delivered.csv"
    path.write_bytes(WRITTEN[how]("\n".join((NEWER, *ROWS))))
    assert populations(path) == READ


def test_an_archive_of_the_newer_layout_names_its_member(tmp_path: Path) -> None:
    path = tmp_path / "ensemble.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("donnees_communes.csv", "\r\n".join((NEWER, *ROWS)))
        archive.writestr("donnees_departements.csv", "REG;DEP;Département;NBARR;PMUN;PTOT\n84;01;Ain;4;9;9")
        archive.writestr("metadonnees_communes.csv", "COD_VAR;LIB_VAR\nPMUN;Population municipale")
    assert populations(path) == READ
    assert set(read_legal_populations(path, vintage=2021)["source_sheet"]) == {"donnees_communes.csv"}


ENSEMBLE_HEADER = [
    "Code région",
    "Nom de la région",
    "Code département",
    "Code arrondissement",
    "Code canton",
    "Code commune",
    "Nom de la commune",
    "Population\n municipale",
    "Population comptée à part",
    "Population totale",
]
TITLE: list[list[object]] = [["Recensement de la population"], ["Populations légales"], *[[None]] * 5]


def ensemble() -> dict[str, list[list[object]]]:
    """INSEE's workbook of nine sheets, each header below seven rows of title."""
    communes: list[list[object]] = [
        ["84", "Auvergne-Rhône-Alpes", "01", "2", "08", "001", "L'Abbaye", 832.0, 16.0, 848.0],
        [11.0, "Île-de-France", 75.0, 1.0, None, 56.0, "Paris", 2133111.0, 12000.0, 2145111.0],
        ["94", "Corse", "2A", "1", "01", "004", "Ajac", "71 361", "900", "72 261"],
        ["01", "Guadeloupe", "971", "2", "93", "101", "Les Palmes", "52 118", 468.0, 52586.0],
        ["01", "Guadeloupe", "971", "2", "93", "02", "Anse", 4052.0, 55.0, 4107.0],
        ["Source : Insee, recensement de la population 2021"],
    ]
    associated: list[list[object]] = [
        ["84", "Auvergne-Rhône-Alpes", "01", "2", "08", "015", "Arbignieu", 500.0, 1.0, 501.0]
    ]
    sheets = {
        name: [*TITLE, ["Code", "Nom", "Population municipale"], ["84", name, 8_000_000.0]]
        for name in (
            "Régions",
            "Départements",
            "Arrondissements",
            "Cantons et métropoles",
            "Fractions cantonales",
            "Collectivités d'outre-mer",
            "À lire",
        )
    }
    return {
        **sheets,
        "Communes": [*TITLE, ENSEMBLE_HEADER, *communes],
        "Communes associées ou déléguées": [*TITLE, ENSEMBLE_HEADER, *associated],
    }


@pytest.mark.parametrize("ending", ["xls", "xlsx"])
def test_the_workbook_of_nine_sheets_is_read_below_its_title(tmp_path: Path, ending: str) -> None:
    path = write_workbook(tmp_path / f"ensemble.{ending}", ensemble())
    assert populations(path) == [
        ["01001", "L'Abbaye", "01", "84", 832],
        ["75056", "Paris", "75", "11", 2133111],
        ["2A004", "Ajac", "2A", "94", 71361],
        ["97101", "Les Palmes", "971", "01", 52118],
        ["97102", "Anse", "971", "01", 4052],
    ]
    found = read_legal_populations(path, vintage=2021)
    assert set(found["source_sheet"]) == {"Communes"}
    assert found["source_row"].tolist() == [9, 10, 11, 12, 13]


def test_a_workbook_in_an_archive_is_read(tmp_path: Path) -> None:
    inner = write_workbook(tmp_path / "ensemble.xls", ensemble()).read_bytes()
    path = tmp_path / "ensemble.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ensemble.xls", inner)
    assert len(populations(path)) == 5


def test_the_sheet_of_communes_exported_as_text_is_read(tmp_path: Path) -> None:
    """As spreadsheets export it: a semicolon too many on each line, blanks of all kinds between thousands."""
    header = ";".join(name.replace("\n", "") for name in ENSEMBLE_HEADER)
    rows = (
        "84;Auvergne-Rhône-Alpes;01;2;08;001;L'Abbaye;1 124;18;1 142;",
        "84;Auvergne-Rhône-Alpes;1;2;08;2;L'Anse;12\u202f345;18;12\u202f363;",
        "94;Corse;2B;2;08;033;Bas;1\u00a0044\u00a0321;18;1 142;",
    )
    assert populations(written(tmp_path, "\n".join((f"{header};", *rows)))) == [
        ["01001", "L'Abbaye", "01", "84", 1124],
        ["01002", "L'Anse", "01", "84", 12345],
        ["2B033", "Bas", "2B", "94", 1044321],
    ]


def test_rows_added_by_hand_have_a_code_a_name_and_a_population(tmp_path: Path) -> None:
    path = written(
        tmp_path, "\n".join((NEWER, ROWS[0], ";;;;;;97608;Dzaoudzi;17831;;", "NA;NA;NA;;;;1002;L'Anse;9;;"))
    )
    assert populations(path) == [
        READ[0],
        ["97608", "Dzaoudzi", None, None, 17831],
        ["01002", "L'Anse", None, None, 9],
    ]


def test_columns_that_are_not_read_are_reported(tmp_path: Path) -> None:
    found = read_legal_populations(written(tmp_path, "\n".join((NEWER, *ROWS))), vintage=2021)
    assert found.attrs["not_read"] == ("Région", "CODARR", "CODCAN", "PCAP", "PTOT")


def test_a_file_of_three_columns_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, "DEPCOM;LIBMIN;PMUN13\n75101;Paris 1er Arrondissement;17022\n")
    assert populations(path, 2013) == [["75101", "Paris 1er Arrondissement", None, None, 17022]]


@pytest.mark.parametrize("code", ["97501", "97701", "97801", "98718", "98818"])
def test_overseas_collectivities_are_kept_for_staging_to_judge(tmp_path: Path, code: str) -> None:
    path = written(tmp_path, f"{NEWER}\n;;{code[:3]};;;{code[3:]};{code};Là;100;0;100")
    assert populations(path) == [[code, "Là", code[:3], None, 100]]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "\n".join((NEWER, ROWS[0], ROWS[1].replace(";15919;", ";n.d.;"))),
            "file delivered.csv, row 3, column PMUN: “n.d.” is not a whole number",
        ),
        (
            "\n".join((NEWER, ROWS[0], ";;;;;;;Sans code;12;;")),
            "file delivered.csv, row 3, column COM: the code is missing",
        ),
        (
            NEWER.replace("PMUN", "POP") + "\n" + ROWS[0],
            "file delivered.csv, row 1: the columns are not those of this file: missing “PMUN21”",
        ),
        (
            NEWER.replace("COM;Commune", "X;Y") + "\n" + ROWS[0],
            "file delivered.csv: the columns are not those of this file: missing “Commune”",
        ),
        (
            "DEPCOM;LIBMIN;PMUN13;PMUN08\n01001;L'Abbaye;1;2",
            "file delivered.csv, row 1: the columns are not those of this file: missing “PMUN21”",
        ),
    ],
)
def test_what_is_no_population_is_refused_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(SourceError) as caught:
        read_legal_populations(written(tmp_path, text), vintage=2021)
    assert str(caught.value).startswith(sentence)
    assert caught.value.expected
    assert caught.value.remedy


LIST_2014 = "siren;nom;nature;fiscalite;nb_com;ptot;pmun;insee;siren_com;nom_com;ptot_com;pmun_com"


def members(tmp_path: Path, *rows: str, header: str = LIST_2014, vintage: int = 2014) -> pd.DataFrame:
    return read_epci_members(written(tmp_path, "\n".join((header, *rows))), vintage=vintage)


def a_list(*natures: str) -> list[str]:
    return [
        f"20000000{n};EPCI {n};{nature};FPU;1;90;85;0100{n};21001001{n};C{n};90;85"
        for n, nature in enumerate(natures, 1)
    ]


@pytest.mark.parametrize(
    ("text", "code", "kind"),
    [
        ("CC", "CC", "own_tax"),
        ("Communautés de communes", "CC", "own_tax"),
        ("Communauté d’agglomération (CA)", "CA", "own_tax"),
        ("CU", "CU", "own_tax"),
        ("ME", "METRO", "own_tax"),
        ("MET", "METRO", "own_tax"),
        ("METRO", "METRO", "own_tax"),
        ("Métropole", "METRO", "own_tax"),
        ("MET69", "MET69", "own_tax"),
        ("METLYON", "MET69", "own_tax"),
        ("Métropole de Lyon", "MET69", "own_tax"),
        ("SAN", "SAN", "own_tax"),
        ("DISTRICT", "DISTRICT", "own_tax"),
        ("CV", "CV", "own_tax"),
        ("EPT", "EPT", "territory"),
        ("POLEM", "POLEM", "other"),
        ("PETR", "PETR", "other"),
        ("SIVU", "SIVU", "other"),
        ("SIVOM", "SIVOM", "other"),
        ("SMF", "SMF", "other"),
        ("Syndicat mixte ouvert", "SMO", "other"),
    ],
)
def test_every_spelling_of_a_legal_form_is_one_form(text: str, code: str, kind: str) -> None:
    assert nature_of(text) == (code, kind)


@pytest.mark.parametrize("nature", ["", "CCC", "Société anonyme"])
def test_an_unknown_legal_form_names_its_rows(tmp_path: Path, nature: str) -> None:
    with pytest.raises(SourceError) as caught:
        members(tmp_path, *a_list("CC", nature, "CA", nature))
    assert str(caught.value).startswith(
        f"file delivered.csv, row 3, column nature: the legal form “{nature}” is unknown, on rows 3, 5; "
        "expected one of CC, CA, CU, METRO, MET69, SAN, "
    )
    assert "asco_dagster/territory/natures.py" in str(caught.value)


def test_a_commune_in_two_bodies_is_refused_however_their_forms_are_spelt(tmp_path: Path) -> None:
    rows = a_list("Métropole", "ME")
    rows[1] = rows[1].replace(";01002;", ";1001;")
    with pytest.raises(SourceError, match="commune “1001” already has an EPCI on row 2"):
        members(tmp_path, *rows)
    rows[1] = rows[1].replace(";ME;", ";PETR;")
    assert len(members(tmp_path, *rows)) == 2


def test_lists_before_2014_lack_columns(tmp_path: Path) -> None:
    header = "siren;nom;nature;fiscalite;ptot;pmun;pcap;nb_nom;insee;nom_com;ptot_com;pmun_com;pcap_com"
    found = members(
        tmp_path,
        "240100156;D.RURAL;DISTRICT;4TX;12611;12416;195;14;1024;Attignat;1959;1924;35",
        header=header,
        vintage=1999,
    )
    assert found.iloc[0].dropna().to_dict() == {
        "epci_siren": "240100156",
        "epci_name": "D.RURAL",
        "epci_nature": "DISTRICT",
        "epci_taxation": "4TX",
        "member_count": 14,
        "epci_population_total": 12611,
        "epci_population_municipal": 12416,
        "commune_code": "1024",
        "commune_name": "Attignat",
        "commune_population_total": 1959,
        "commune_population_municipal": 1924,
        "source_file": "delivered.csv",
        "source_row": 2,
    }


@pytest.mark.parametrize("ending", ["csv", "xls", "xlsx"])
def test_the_layout_since_2020_is_read_as_text_and_as_workbook(tmp_path: Path, ending: str) -> None:
    rows = cells_of("dgcl_workbook_with_syndicat_input.csv")
    path = tmp_path / f"list.{ending}"
    if ending == "csv":
        buffer = io.StringIO()
        pd.DataFrame(rows[1:], columns=rows[0]).to_csv(buffer, sep=";", index=False)
        path.write_bytes(buffer.getvalue().encode("latin-1"))
    else:
        write_workbook(path, {"À lire": [["x"]], "Epcicom2025": [["Liste au 1er janvier"], [None], *rows]})
    found = read_epci_members(path, vintage=2025)
    assert found["commune_code"].fillna("none").tolist() == ["01001", "01001", "none"]
    assert found["epci_siren"].tolist() == ["200000001", "200000009", "200000009"]
    assert found["member_count"].tolist() == [1, 2, 2]
    assert found["commune_population_municipal"].fillna(-1).tolist() == [85, 85, -1]


def test_the_golden_list_in_windows_1252_is_the_same(tmp_path: Path) -> None:
    path = FIXTURES / "dgcl_2014_lost_zero_and_quoted_name_input.csv"
    older = written(tmp_path, path.read_text(encoding="utf-8"), "cp1252")
    whole, again = (
        read_epci_members(file, vintage=2014).drop(columns="source_file") for file in (path, older)
    )
    pd.testing.assert_frame_equal(whole, again)
    assert again["commune_name"][1] == "L'Étang"
