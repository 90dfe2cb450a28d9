"""A format that says something else than the tables is seen, whichever it is; none is without a reader."""

import re
import shutil
import sys
import types
from pathlib import Path

import openpyxl
import pytest

from asco_dagster.errors import ReleaseError
from asco_dagster.releases import formats as folder_of_formats
from asco_dagster.releases.format import ReleaseFolder
from asco_dagster.releases.formats import faults_of_files, formats, write_content, write_version
from asco_dagster.releases.release import Description, Provenance
from asco_dagster.waves import load_wave
from asco_testing.worlds.tiny_content import content

FRENCH, SDMX, PAGE = "tables/fr/asco_cells.csv", "sdmx/data.csv", "index.html"
CSV, WORKBOOK, REPORT = "tables/asco_cells.csv", "tables/asco_tables.xlsx", "report/index.html"


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Path, dict]:
    """A release folder of every format, and what its manifest says of it."""
    folder = tmp_path_factory.mktemp("whole")
    made = content()
    files = write_content(made, folder)
    entries = {file.path: {"sha256": f"sum of {file.path}", "bytes": 1, "rows": file.rows} for file in files}
    version = Description("1.0.0", None, None, entries, Provenance("c0de", [], {}, {}, {}))
    files += write_version(load_wave("2014"), folder, version)
    (folder / REPORT).parent.mkdir()
    share = (made.frame("asco_cells", ["status"])["status"] == "V").mean()
    (folder / REPORT).write_text(f"<b>{100 * share:.1f}%</b>")
    described = {file.path: {"sha256": file.path} for file in files} | {REPORT: {}}
    return folder, {"version": "1.0.0", "files": {**described, **entries}}


@pytest.fixture
def release(whole, tmp_path) -> ReleaseFolder:
    folder, manifest = whole
    return ReleaseFolder(Path(shutil.copytree(folder, tmp_path / "release")), manifest)


def test_formats_that_say_the_same_are_in_order(whole) -> None:
    assert list(faults_of_files(ReleaseFolder(*whole))) == []


def test_every_file_is_read_by_one_format(whole) -> None:
    _, manifest = whole
    for file in manifest["files"]:
        assert sum(one.reads(file) for one in formats()) == 1, file


@pytest.mark.parametrize(
    ("path", "old", "new", "fault"),
    [
        (FRENCH, ";;;;;;;;;c;", ";0,5;;;;;;;;c;", "does not say what tables/asco_cells.parquet says."),
        (
            FRENCH,
            ";Communes;",
            ";Villes;",
            ": libelle_type_unite does not say what tables/labels.parquet says.",
        ),
        (CSV, ',,,,,,,,,"c",', ',0.5,,,,,,,,"c",', "does not say what tables/asco_cells.parquet says."),
        (SDMX, ",,,,,,,,,C,", ",0.5,,,,,,,,C,", "does not say what the cells say."),
        (SDMX, ",F,ok", ",C,ok", "does not say what the cells say."),
        (SDMX, ",F,ok", ",F,unreliable", "does not say what the cells say."),
        (SDMX, ",REG_11,", ",REG_76,", "does not say what the cells say."),
        ("tables/labels.csv", "Aude", "Eure", "does not say what tables/labels.parquet says."),
        (
            "sdmx/structure.json",
            '"id": "CV"',
            '"id": "CV2"',
            "does not describe the columns of sdmx/data.csv.",
        ),
        (
            f"{CSV}-metadata.json",
            '"titles": "cv"',
            '"titles": "x"',
            f"does not describe the columns of {CSV}.",
        ),
        (PAGE, '"synthetic"', '"model"', "does not hold the modelled estimates of the release."),
        (PAGE, 'null,null,null,"c",null', '0.5,null,null,"c",null', "holds numbers of suppressed cells."),
        (
            "dictionary.html",
            "<code>cv</code>",
            "",
            "does not describe column cv of tables/asco_cells.parquet.",
        ),
        (
            "ddi/commune_2014.xml",
            "<dataDscr>",
            "<dataDscr><catStat>7</catStat>",
            "holds frequencies of answers.",
        ),
        ("ddi/commune_2014.xml", 'ID="commune_2014"', "", "is not the codebook of that questionnaire."),
        ("CHANGELOG.md", "## 1.0.0", "## 2.0.0", "describes version 2.0.0 first."),
        ("catalog.jsonld", f"sum of {CSV}", "", f"describes another file than {CSV} of the release."),
        (
            "provenance.jsonld",
            f"sum of {CSV}",
            "",
            f"traces another file than {CSV} of the release.",
        ),
        (REPORT, "%", "", "does not give the share of cells that the release has."),
    ],
)
def test_what_another_format_says_otherwise_is_seen(release, path, old, new, fault) -> None:
    text = (release.path / path).read_bytes().decode()
    assert old in text
    (release.path / path).write_bytes(text.replace(old, new, 1).encode())
    assert list(faults_of_files(release)) == [f"{path}{'' if fault.startswith(':') else ' '}{fault}"]


def test_a_file_that_no_format_reads_is_seen(release) -> None:
    listed = {**release.manifest["files"], "tables/notes.txt": {}}
    assert list(faults_of_files(ReleaseFolder(release.path, {**release.manifest, "files": listed}))) == [
        "tables/notes.txt is of no format of a release: what it holds cannot be compared with the tables."
    ]


@pytest.mark.parametrize("swapped", [True, False])
def test_numbers_of_other_cells_in_the_page_are_seen(release, swapped) -> None:
    text = (release.path / PAGE).read_text(encoding="utf-8")
    suppressed, shown = re.findall(r'\["france","FR","\w+",(.*?)\]', text)[:2]
    assert ('"c"' in suppressed, '"V"' in shown) == (True, True)
    changed = text.replace(shown, shown.replace("0.11,", "0.12,"), 1)
    if swapped:
        changed = shown.join(text.split(suppressed, 1)).replace(shown, "<shown>", 1)
        changed = changed.replace(shown, suppressed, 1).replace("<shown>", shown, 1)
    assert changed != text
    (release.path / PAGE).write_text(changed, encoding="utf-8")
    assert list(faults_of_files(release)) == [f"{PAGE} does not hold the cells of the release."]


def test_a_number_in_the_workbook_that_no_cell_has_is_seen(release) -> None:
    book = openpyxl.load_workbook(release.path / WORKBOOK)
    cell = next(cell for row in book["T1"].iter_rows() for cell in row if cell.value == "s")
    cell.value = 12.3456
    book.save(release.path / WORKBOOK)
    assert list(faults_of_files(release)) == [
        f"{WORKBOOK}: sheet T1 holds 1 numbers that no released cell has."
    ]


def test_a_file_that_is_not_of_its_format_is_a_sentence(release) -> None:
    for path in (FRENCH, CSV, SDMX, "sdmx/structure.json", "catalog.jsonld", WORKBOOK):
        (release.path / path).write_bytes(b"\xff\x00no such format")
    faults = list(faults_of_files(release))
    assert len(faults) >= 6
    assert all("cannot be read (" in fault or "does not" in fault for fault in faults)


@pytest.mark.parametrize("declared", [{}, {"FORMAT": "a name"}])
def test_a_format_without_a_reader_fails_the_build(declared, monkeypatch) -> None:
    name = "asco_dagster.releases.formats.new"
    module = types.ModuleType(name)
    vars(module).update(declared)
    monkeypatch.setitem(sys.modules, name, module)
    known = list(folder_of_formats.pkgutil.iter_modules(folder_of_formats.__path__))
    monkeypatch.setattr(
        folder_of_formats.pkgutil, "iter_modules", lambda _: [*known, known[0]._replace(name="new")]
    )
    formats.cache_clear()
    with pytest.raises(ReleaseError, match="releases/formats/new declares no format"):
        formats()
    formats.cache_clear()


def test_the_reader_of_a_format_is_no_option() -> None:
    from asco_dagster.releases.format import ContentFormat

    with pytest.raises(TypeError, match="faults"):
        ContentFormat(files=("x",), write=lambda *_: [])  # type: ignore[call-arg]
