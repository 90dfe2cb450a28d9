"""One delivered fault each: the reader refuses the file and says file, sheet, row and column."""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from asco_dagster.errors import SourceError
from asco_dagster.questionnaires.questions import Question
from asco_dagster.questionnaires.workbook_layout import Place
from asco_dagster.sources.readers.delimited_table import GROUP
from asco_dagster.sources.readers.dgcl import read_epci_members
from asco_dagster.sources.readers.drees_aid import read_aid_tables
from asco_dagster.sources.readers.insee_age_sex import read_population_by_age_and_sex
from asco_dagster.sources.readers.insee_populations import read_legal_populations
from asco_dagster.sources.readers.sample_list import read_sample
from asco_dagster.sources.returns.questionnaire_form import Expected
from asco_dagster.sources.returns.web_export import read_export
from asco_dagster.waves.form import Text
from asco_testing.sources.reader_fixtures import FIXTURES, cells_of, write_workbook

DGCL = "dgcl_2014_lost_zero_and_quoted_name_input.csv"
_QUESTIONS = ("ACT_ELDERLY", "BEN_EUR")
EXPORTED = Expected(
    "commune",
    "2025.1",
    "2025",
    tuple(Place(code, "A", row, 3) for row, code in enumerate(_QUESTIONS, 1)),
    tuple(Question(code=code, label=Text(fr=code, en=code), type="decimal") for code in _QUESTIONS),
    frozenset({"CONTACT_EMAIL"}),
    None,
)
READERS: dict[str, Callable[[Path], object]] = {
    "dgcl": lambda path: read_epci_members(path, vintage=2014),
    "populations": lambda path: read_legal_populations(path, vintage=2013),
    "age_sex": lambda path: read_population_by_age_and_sex(path, year=1998),
    "aid": lambda path: read_aid_tables(path, measure="spending_keur"),
    "export": lambda path: list(read_export(path, EXPORTED).records),
    "sample": read_sample,
}


def refusal(reader: str, path: Path) -> SourceError:
    with pytest.raises(SourceError) as caught:
        READERS[reader](path)
    assert caught.value.file == path.name
    assert str(path.parent) not in str(caught.value)
    return caught.value


def changed(name: str, tmp_path: Path, old: str, new: str) -> Path:
    """A copy of a golden file with one place changed."""
    text = (FIXTURES / name).read_text(encoding="utf-8")
    assert text.count(old) >= 1
    path = tmp_path / "delivered.csv"
    path.write_text(text.replace(old, new, 1), encoding="utf-8", newline="")
    return path


def aid_workbook(tmp_path: Path, row: int, column: int, cell: object, sheet: str = "Tot-tab1") -> Path:
    """The two-block table with one cell (counted from 1) changed."""
    rows = cells_of("drees_two_blocks_input.csv")
    rows[row - 1][column - 1] = cell
    return write_workbook(tmp_path / "aid.xlsx", {sheet: rows})


def age_workbook(tmp_path: Path, row: int, column: int, cell: object) -> Path:
    rows = cells_of("age_sex_second_header_for_overseas_input.csv")
    rows[row - 1][column - 1] = cell
    return write_workbook(tmp_path / "age.xlsx", {"1998": rows})


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\x01\x02\x03" * 64,
        b"%PDF-1.4 ...",
        b"<!doctype html><p>Erreur 503",
        b"\xd0\xcf\x11\xe0" + b"\0" * 600,
    ],
    ids=["empty", "binary", "pdf", "web page", "broken xls"],
)
def test_wrong_types_are_refused_by_every_reader(tmp_path: Path, reader: str, content: bytes) -> None:
    path = tmp_path / "delivered.bin"
    path.write_bytes(content)
    assert refusal(reader, path).remedy


@pytest.mark.parametrize("reader", READERS)
def test_a_missing_file_and_a_folder_are_refused_by_every_reader(tmp_path: Path, reader: str) -> None:
    assert "not found" in refusal(reader, tmp_path / "absent.csv").what
    assert "cannot be read" in refusal(reader, tmp_path).what


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("ending", ["xlsx", "xls"])
def test_a_truncated_workbook_is_refused_by_every_reader(
    tmp_path: Path, reader: str, share: float, ending: str
) -> None:
    sheets = {"1998": cells_of("age_sex_second_header_for_overseas_input.csv")}
    whole = write_workbook(tmp_path / f"whole.{ending}", sheets).read_bytes()
    path = tmp_path / f"cut.{ending}"
    path.write_bytes(whole[: int(len(whole) * share)])
    refusal(reader, path)


def test_bytes_damaged_inside_a_workbook_never_escape_as_another_error(tmp_path: Path) -> None:
    import random

    dice = random.Random(20140101)
    for ending in ("xlsx", "xls"):
        sheets = {"1998": cells_of("age_sex_second_header_for_overseas_input.csv")}
        whole = write_workbook(tmp_path / f"whole.{ending}", sheets).read_bytes()
        for _ in range(60):
            damaged = bytearray(whole)
            for _ in range(dice.randint(1, 12)):
                damaged[dice.randrange(len(damaged))] = dice.randrange(256)
            path = tmp_path / f"damaged.{ending}"
            path.write_bytes(bytes(damaged))
            try:
                READERS["age_sex"](path)
            except SourceError as refused:
                assert refused.file == path.name


def test_a_password_is_named(tmp_path: Path) -> None:
    # An encrypted workbook is an OLE container with the stream EncryptedPackage in place of Workbook.
    book = write_workbook(tmp_path / "x.xls", {"1998": [[1.0] * 20] * 40}).read_bytes()
    name = "EncryptedPackage"
    at = book.index("Workbook".encode("utf-16-le"))
    entry = name.encode("utf-16-le").ljust(64, b"\0") + (2 * len(name) + 2).to_bytes(2, "little")
    path = tmp_path / "locked.xlsx"
    path.write_bytes(book[:at] + entry + book[at + 66 :])
    assert "password" in refusal("age_sex", path).what


def test_a_missing_sheet_lists_those_there_are(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "age.xlsx", {"À savoir": [["x"]], "1997": [["x"]]})
    fault = refusal("age_sex", path)
    assert (fault.sheet, fault.what) == ("1998", "the sheet is missing")
    assert "“À savoir”, “1997”" in str(fault)


def test_latin_1_is_named_with_its_row(tmp_path: Path) -> None:
    """Of returns; what publishers release in it is read, see test_publishers.py."""
    text = (FIXTURES / "survey_export_decimal_comma_input.csv").read_text(encoding="utf-8-sig")
    lines = text.split("\n")
    lines[1] = lines[1].replace("01", "é1", 1)
    path = tmp_path / "latin.csv"
    path.write_bytes("\n".join(lines).encode("latin-1"))
    fault = refusal("export", path)
    assert fault.row == 2
    assert "Latin-1/Windows-1252" in fault.what
    assert "UTF-8" in str(fault.remedy)


def test_utf_16_is_named(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_bytes("unit_type;unit_code;stratum\n".encode("utf-16"))
    fault = refusal("sample", path)
    assert fault.row == 1
    assert "UTF-16" in fault.what


@pytest.mark.parametrize(
    ("reader", "name", "old", "new", "words"),
    [
        ("dgcl", DGCL, "insee", "code_insee", ["missing “insee”", "unknown “code_insee”"]),
        (
            "populations",
            "populations_metropole_stray_returns_input.csv",
            "PMUN13",
            "PMUN12",
            ["missing “PMUN13”"],
        ),
        (
            "export",
            "survey_export_decimal_comma_input.csv",
            "BEN_EUR",
            "BEN_X",
            ["missing “BEN_EUR”", "“BEN_X”"],
        ),
        ("export", "survey_export_decimal_comma_input.csv", "CONTACT_EMAIL", "NOM", ["unknown “NOM”"]),
        ("sample", "sample_list_blank_line_input.csv", "stratum", "unit_code", ["given twice “unit_code”"]),
    ],
)
def test_a_changed_header_names_its_columns(
    tmp_path: Path, reader: str, name: str, old: str, new: str, words: list[str]
) -> None:
    fault = refusal(reader, changed(name, tmp_path, old, new))
    assert fault.row == 1
    assert all(word in fault.what for word in words)


@pytest.mark.parametrize(
    ("reader", "name", "old", "new", "row", "column", "what"),
    [
        ("dgcl", DGCL, ";1002;", ";1001;", 3, "insee", "already has an EPCI on row 2"),
        ("dgcl", DGCL, ";1002;", ";12.5;", 3, "insee", "“12.5” is not a code"),
        ("dgcl", DGCL, ";55\n", ";55,5\n", 3, "pmun_com", "“55,5” is not a whole number"),
        ("dgcl", DGCL, ";1002;", ";;", 3, "insee", "no commune code"),
        (
            "populations",
            "populations_donnees_communes_input.csv",
            "97101;",
            "01001;",
            3,
            "COM",
            "already on row 2",
        ),
        (
            "populations",
            "populations_donnees_communes_input.csv",
            ";53491;",
            ";;",
            3,
            "PMUN",
            "number is missing",
        ),
        (
            "populations",
            "populations_donnees_communes_input.csv",
            "01001;",
            "101;",
            2,
            "COM",
            "is not a code",
        ),
        (
            "populations",
            "populations_donnees_communes_split_code_input.csv",
            ";101;",
            ";201;",
            3,
            "CODCOM",
            "make no",
        ),
        ("sample", "sample_list_blank_line_input.csv", "epci;", "canton;", 4, "unit_type", "“canton” is not"),
        ("sample", "sample_list_blank_line_input.csv", ";84\n", ";\n", 4, "stratum", "code is missing"),
        (
            "sample",
            "sample_list_blank_line_input.csv",
            "epci;200000001",
            "commune;01001",
            4,
            "unit_code",
            "on row 2",
        ),
    ],
)
def test_a_wrong_cell_is_named(
    tmp_path: Path, reader: str, name: str, old: str, new: str, row: int, column: str, what: str
) -> None:
    fault = refusal(reader, changed(name, tmp_path, old, new))
    assert (fault.row, fault.column) == (row, column)
    assert what in fault.what


@pytest.mark.parametrize(
    ("old", "new", "row", "what"),
    [
        (";Abbaye;", ";Abb;aye;", 2, "13 cells"),
        (";60;55", "", 3, "10 cells"),
        ('Sud";', "Sud;", 4, "split into cells"),
    ],
    ids=["a separator in a name", "a short row", "an open quote"],
)
def test_a_ragged_row_is_named(tmp_path: Path, old: str, new: str, row: int, what: str) -> None:
    fault = refusal("dgcl", changed(DGCL, tmp_path, old, new))
    assert fault.row == row
    assert what in fault.what


@pytest.mark.parametrize("row", [2, GROUP + 1, GROUP + 2, 2 * GROUP + 2])
def test_a_wrong_cell_is_named_wherever_a_long_list_is_cut(tmp_path: Path, row: int) -> None:
    lines = ["unit_type;unit_code;stratum", *(f"epci;{200_000_000 + n};a" for n in range(2 * GROUP + 1))]
    lines[row - 1] = "epci;2 0;a"
    path = tmp_path / "sample.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    fault = refusal("sample", path)
    assert (fault.row, fault.column, fault.what) == (row, "unit_code", "“2 0” is not a code")


def test_a_header_without_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "head.csv"
    path.write_text("unit_type;unit_code;stratum\n")
    assert "no row of data" in refusal("sample", path).what


def test_a_contact_is_never_shown(tmp_path: Path) -> None:
    name = "survey_export_decimal_comma_input.csv"
    path = changed(name, tmp_path, "maire@abbaye.example", "maire@abbaye.example;surplus")
    assert "abbaye" not in str(refusal("export", path))


def test_a_list_of_another_vintage_is_refused(tmp_path: Path) -> None:
    sheets = {"Liste": cells_of("dgcl_workbook_with_syndicat_input.csv")}
    path = write_workbook(tmp_path / "dgcl.xlsx", sheets)
    with pytest.raises(
        SourceError, match=re.escape("“ptot_2025”; expected one “ptot_” with a year from 2016 to 2020")
    ):
        read_epci_members(path, vintage=2020)


def test_a_commune_in_a_territory_and_in_the_metropole_of_paris_is_no_duplicate(tmp_path: Path) -> None:
    rows = cells_of("dgcl_workbook_with_syndicat_input.csv")[:3]
    rows[1][3], rows[2][3] = "METRO", "EPT"
    path = write_workbook(tmp_path / "dgcl.xlsx", {"Liste": rows})
    assert len(read_epci_members(path, vintage=2025)) == 2
    rows[1][3] = "EPT"
    with pytest.raises(SourceError, match=r"sheet “Liste”, row 3, column insee: .* already .*on row 2"):
        read_epci_members(write_workbook(path, {"Liste": rows}), vintage=2025)


@pytest.mark.parametrize(
    ("row", "column", "cell", "place", "what"),
    [
        (6, 5, "douze", "row 6, column E", "“douze” is neither a number nor"),
        (17, 6, "x.y.", "row 17, column F", "“x.y.” is neither a number nor"),
        (7, 2, 12.5, "row 7, column B", "“12.5” is not a code"),
        (7, 2, "Corse", "row 7, column B", "“Corse” is not a code"),
        (7, 2, None, "row 7, column B", "a name but no code"),
        (7, 2, "20", "row 7", "first on row 6"),
        (15, 1, "101", "row 16", "first on row 15"),
        (8, 7, 5.0, "row 8, column G", "column without a year"),
        (4, 2, "Dép.", "row 4", "the header has changed"),
        (4, 5, 2018.0, "row 4, column E", "the year 2018 is twice"),
        (4, 5, "deux mille", "row 4, column E", "is not a year"),
        (11, 1, "Ensemble", "row 11, column C", "values but no name"),
        (1, 1, None, "row 1, column A", "no title"),
    ],
)
def test_a_wrong_cell_of_an_aid_table_is_named(
    tmp_path: Path, row: int, column: int, cell: object, place: str, what: str
) -> None:
    fault = refusal("aid", aid_workbook(tmp_path, row, column, cell))
    assert f"file aid.xlsx, sheet “Tot-tab1”, {place}: " in str(fault)
    assert what in fault.what


def test_an_unknown_sheet_of_an_aid_workbook_is_named(tmp_path: Path) -> None:
    fault = refusal("aid", aid_workbook(tmp_path, 5, 4, 1.0, sheet="Nouveau tableau"))
    assert fault.sheet == "Nouveau tableau"


def test_a_workbook_of_another_measure_is_refused(tmp_path: Path) -> None:
    path = aid_workbook(tmp_path, 5, 4, 1.0)
    with pytest.raises(SourceError, match="sheet “Tot-tab1”: the sheet is neither"):
        read_aid_tables(path, measure="beneficiaries")


@pytest.mark.parametrize(
    ("row", "column", "cell", "place", "what"),
    [
        (7, 1, "01", "row 7", "already on row 6"),
        (7, 1, 12.5, "row 7, column A", "“12.5” is not a code"),
        (7, 4, "n.d.", "row 7, column D", "not a number of inhabitants"),
        (7, 4, 12.5, "row 7, column D", "not a number of inhabitants"),
        (7, 4, None, "row 7, column D", "not a number of inhabitants"),
        (5, 5, "0 à 5 ans", "row 5", "0 à 5 ans"),
        (4, 5, "Garçons", "row 4", "Garçons"),
        (2, 1, "Année 1997", "row 2, column A", "the title says 1997"),
    ],
)
def test_a_wrong_cell_of_the_age_and_sex_sheet_is_named(
    tmp_path: Path, row: int, column: int, cell: object, place: str, what: str
) -> None:
    fault = refusal("age_sex", age_workbook(tmp_path, row, column, cell))
    assert f"file age.xlsx, sheet “1998”, {place}: " in str(fault)
    assert what in fault.what


def test_an_archive_without_its_member_and_a_damaged_one_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "ensemble.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("lisezmoi.txt", "bonjour" * 100)
    assert "“lisezmoi.txt”" in refusal("populations", path).what
    path.write_bytes(path.read_bytes()[:-30])
    assert "damaged" in refusal("populations", path).what
