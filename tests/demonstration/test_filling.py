"""Filled workbooks: every answer in its cell, the words of the drop-downs, fast, the same bytes each time."""

import io
import time
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from python_calamine import CalamineWorkbook

from asco_dagster.demonstration.filling import Form, Return
from asco_dagster.demonstration.returns import write_returns
from asco_dagster.errors import ConfigurationError
from asco_dagster.questionnaires import workbook_layout as at
from asco_dagster.questionnaires.questionnaire import load_questionnaire
from asco_dagster.waves import Wave

ZIPS = {"commune": "asco-returns-communes-2014.zip", "epci": "asco-returns-epci-2014.zip"}


def cells(content: bytes) -> dict[str, list[list[object]]]:
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    return {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}


def stored(question: object, shown: object) -> str:
    if shown == "":
        return ""
    words = at.words(question)  # type: ignore[arg-type]
    return words[str(shown)] if words else str(float(shown))  # type: ignore[arg-type]


@pytest.mark.parametrize("unit_type", ZIPS)
def test_there_is_one_workbook_a_return(
    deliveries: dict[str, Path], sent: dict[str, pd.DataFrame], unit_type: str
) -> None:
    with zipfile.ZipFile(deliveries[ZIPS[unit_type]]) as archive:
        names = archive.namelist()
    assert names == [f"asco-2014-{unit_type}-{code}.xlsx" for code in sent[unit_type]["unit_code"]]


@pytest.mark.parametrize("unit_type", ZIPS)
def test_workbooks_hold_what_was_sent_and_nothing_else(
    deliveries: dict[str, Path], sent: dict[str, pd.DataFrame], wave: Wave, unit_type: str
) -> None:
    codebook = load_questionnaire(wave.questionnaire).codebooks[unit_type]
    questions = {question.code: question for question in codebook.questions}
    with zipfile.ZipFile(deliveries[ZIPS[unit_type]]) as archive:
        for number in range(0, len(sent[unit_type]), 97):
            row = sent[unit_type].iloc[number]
            sheets = cells(archive.read(f"asco-2014-{unit_type}-{row['unit_code']}.xlsx"))
            assert tuple(sheets) == (at.META_SHEET, *at.tabs(codebook))
            meta = dict(line[:2] for line in sheets[at.META_SHEET][:5])
            assert meta["unit_code"] == row["unit_code"]
            assert meta["version"] == codebook.version
            for place in at.layout(codebook):
                line = sheets[place.tab][place.row - 1]
                assert line[at.QUESTION_COLUMN - 1] == place.question
                shown = stored(questions[place.question], line[place.column - 1])
                given = row[place.question]
                if not at.words(questions[place.question]) and given != "":
                    given = str(float(given))
                assert shown == given, place


def test_contacts_stand_in_their_tab_only(deliveries: dict[str, Path], sent: dict[str, pd.DataFrame]) -> None:
    row = sent["commune"].iloc[0]
    with zipfile.ZipFile(deliveries[ZIPS["commune"]]) as archive:
        sheets = cells(archive.read(archive.namelist()[0]))
    holding = {name for name, rows in sheets.items() if any(row["CONTACT_EMAIL"] in line for line in rows)}
    assert holding == {at.CONTACT_TAB}


def test_a_workbook_carries_the_moment_of_its_return(wave: Wave) -> None:
    returned = Return("01001", "2015-10-11T10:11:12", {}, {})
    with zipfile.ZipFile(io.BytesIO(Form(wave, "commune").fill(returned))) as archive:
        properties = archive.read("docProps/core.xml").decode()
    assert ">2015-10-11T10:11:12Z</dcterms:modified>" in properties


def test_a_text_that_looks_like_xml_stays_a_text(wave: Wave) -> None:
    form = Form(wave, "commune")
    content = form.fill(Return("01001", "2015-10-11T10:11:12", {}, {"CONTACT_NAME": "<b>&amp;</b>"}))
    assert any("<b>&amp;</b>" in line for line in cells(content)[at.CONTACT_TAB])


def test_ten_thousand_workbooks_would_take_less_than_three_minutes_on_one_core(wave: Wave) -> None:
    form = Form(wave, "commune")
    codebook = load_questionnaire("2014").codebooks["commune"]
    answers = {
        question.code: next(iter(at.words(question).values()), "12.5") for question in codebook.questions
    }
    start = time.process_time()
    for number in range(200):
        form.fill(Return(f"{number:05d}", "2015-10-11T10:11:12", answers, {}))
    assert (time.process_time() - start) / 200 * 10_000 < 180


def test_another_ending_is_refused(wave: Wave, sent: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not write returns as"):
        write_returns(tmp_path / "returns.pdf", sent["epci"], wave, "epci")
