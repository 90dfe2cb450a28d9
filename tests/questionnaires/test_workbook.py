"""The blank workbook and the DDI description, as the command line writes them."""

import io
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner

from asco_dagster.cli.main import app
from asco_dagster.errors import ConfigurationError
from asco_dagster.questionnaires import workbook_layout as at
from asco_dagster.questionnaires.ddi import NAMESPACE, ddi_codebook
from asco_dagster.questionnaires.questionnaire import load_questionnaire
from asco_dagster.questionnaires.workbook import build_workbook
from asco_dagster.waves import load_wave
from asco_testing.questionnaires.ddi_structure import faults

WAVE = load_wave("2014")
UNIT_TYPES = ("commune", "epci")


@pytest.mark.parametrize("unit_type", UNIT_TYPES)
def test_only_answers_are_open(unit_type: str) -> None:
    codebook = load_questionnaire(WAVE.questionnaire).codebooks[unit_type]
    book = load_workbook(io.BytesIO(build_workbook(WAVE, unit_type)))  # type: ignore[arg-type]
    answers = {(place.tab, place.row, place.column) for place in at.layout(codebook)}
    contact = {
        (at.CONTACT_TAB, at.FIRST_ROW + number, at.ANSWER_COLUMN) for number in range(len(codebook.contact))
    }
    open_cells = {
        (sheet.title, cell.row, cell.column)
        for sheet in book.worksheets
        for row in sheet.iter_rows()
        for cell in row
        if not cell.protection.locked
    }
    assert open_cells == answers | contact
    assert all(sheet.protection.sheet for sheet in book.worksheets)
    assert book.security.lockStructure
    assert [sheet.title for sheet in book.worksheets if sheet.sheet_state == "visible"] == list(
        at.tabs(codebook)
    )
    assert book[at.META_SHEET].sheet_state == "veryHidden"


@pytest.mark.parametrize("unit_type", UNIT_TYPES)
def test_drop_downs_offer_the_words_and_numbers_have_bounds(unit_type: str) -> None:
    codebook = load_questionnaire(WAVE.questionnaire).codebooks[unit_type]
    book = load_workbook(io.BytesIO(build_workbook(WAVE, unit_type)))  # type: ignore[arg-type]
    questions = {question.code: question for question in codebook.questions}
    for place in at.layout(codebook):
        question, sheet = questions[place.question], book[place.tab]
        cell = sheet.cell(place.row, place.column)
        assert sheet.cell(place.row, at.QUESTION_COLUMN).value == place.question
        assert sheet.cell(place.row, at.LABEL_COLUMN).value == question.label.fr
        (rule,) = [rule for rule in sheet.data_validations.dataValidation if cell.coordinate in rule.sqref]
        if at.words(question):
            name, area = rule.formula1.split("!")
            offered = [line[0].value for line in book[name.strip("'")][area.replace("$", "")]]
            assert offered == list(at.words(question))
        else:
            assert question.range is not None
            assert (float(rule.formula1), float(rule.formula2)) == question.range
            assert rule.type == ("whole" if question.type == "integer" else "decimal")


def test_a_blank_made_twice_is_the_same() -> None:
    assert build_workbook(WAVE, "epci") == build_workbook(WAVE, "epci")


def test_the_command_writes_the_unit_into_the_hidden_sheet(tmp_path: Path) -> None:
    out = tmp_path / "out.xlsx"
    arguments = ["questionnaire", "build", "2014", "commune", str(out), "--unit-code", "01001"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    sheet = load_workbook(out)[at.META_SHEET]
    meta = {sheet.cell(row, 1).value: sheet.cell(row, 2).value for row in range(1, 6)}
    assert meta == {
        "version": "2014.1",
        "unit_type": "commune",
        "unit_code": "01001",
        "wave": "2014",
        "questionnaire": "commune_2014",
    }


def test_another_kind_of_unit_is_an_error_of_usage() -> None:
    done = CliRunner().invoke(app, ["questionnaire", "build", "2014", "region", "out.xlsx"])
    assert done.exit_code == 2
    assert "'region' is not one of 'commune'" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build", "1999", "commune", "out.xlsx"], "there is no wave “1999”"),
        (["ddi", "2014", "epci", "nowhere/out.xml"], "not found: folder nowhere"),
    ],
)
def test_what_cannot_be_written_is_reported(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        CliRunner().invoke(app, ["questionnaire", *arguments], catch_exceptions=False)


@pytest.mark.parametrize("unit_type", UNIT_TYPES)
@pytest.mark.parametrize("wave", ["2014", "2025"])
def test_ddi_describes_every_question(wave: str, unit_type: str) -> None:
    codebook = load_questionnaire(wave).codebooks[unit_type]
    root = ET.fromstring(ddi_codebook(load_wave(wave), unit_type))  # type: ignore[arg-type]  # noqa: S314
    spaces = {"d": NAMESPACE}
    variables = root.findall("d:dataDscr/d:var", spaces)
    assert [variable.get("name") for variable in variables] == [q.code for q in codebook.questions]
    for variable, question in zip(variables, codebook.questions, strict=True):
        labels = {label.text for label in variable.findall("d:labl", spaces)}
        assert labels == {question.label.fr, question.label.en}
        values = [value.text for value in variable.findall("d:catgry/d:catValu", spaces)]
        assert sorted(values) == sorted(at.words(question).values())
    named = root.findall("d:dataDscr/d:varGrp", spaces)
    grouped = [code for group in named for code in (group.get("var") or "").split()]
    assert grouped == [question.code for question in codebook.questions]
    rules = root.findall("d:stdyDscr/d:method/d:dataColl/d:cleanOps", spaces)
    assert len(rules) == len(codebook.edits)


@pytest.mark.parametrize("unit_type", UNIT_TYPES)
@pytest.mark.parametrize("wave", ["2014", "2025"])
def test_ddi_has_the_structure_of_codebook_2_5(wave: str, unit_type: str) -> None:
    root = ET.fromstring(ddi_codebook(load_wave(wave), unit_type))  # type: ignore[arg-type]  # noqa: S314
    assert root.tag == f"{{{NAMESPACE}}}codeBook"
    assert root.get("version") == "2.5"
    assert faults(root) == []


@pytest.mark.parametrize(
    ("path", "break_it", "message"),
    [
        ("d:dataDscr/d:var", lambda e: e.append(e[0]), "var holds"),
        ("d:dataDscr/d:var", lambda e: e.set("colour", "blue"), "no attribute colour"),
        ("d:dataDscr/d:var", lambda e: e.set("intrvl", "both"), "cannot be both"),
        ("d:dataDscr/d:var", lambda e: e.set("ID", "2014"), "is no name"),
        ("d:dataDscr/d:varGrp", lambda e: e.set("var", "NOWHERE"), "names NOWHERE"),
        ("d:stdyDscr/d:citation", lambda e: e.remove(e[0]), "citation holds"),
        ("d:stdyDscr", lambda e: e.append(ET.Element("unknown")), "stdyDscr holds"),
    ],
)
def test_a_wrong_structure_is_found(path: str, break_it: Any, message: str) -> None:
    root = ET.fromstring(ddi_codebook(WAVE, "epci"))  # noqa: S314
    element = root.find(path, {"d": NAMESPACE})
    assert element is not None
    break_it(element)
    assert any(message in fault for fault in faults(root)), faults(root)
