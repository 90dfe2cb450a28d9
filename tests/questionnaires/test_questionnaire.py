"""Versions of the questionnaire: what they ask, how one is based on another, the faults that are named."""

import shutil
from pathlib import Path

import pytest
import yaml

from asco_dagster.errors import ConfigurationError
from asco_dagster.questionnaires import workbook_layout as at
from asco_dagster.questionnaires.questionnaire import load_questionnaire
from asco_dagster.questionnaires.questions import Codebook
from asco_dagster.questionnaires.tables import edits_table, indicators_table, questions_table
from asco_dagster.waves import load_wave
from asco_dagster.waves.wave import SHIPPED_QUESTIONNAIRES

VERSIONS = ("2014", "2025")
CODEBOOKS = [(version, unit_type) for version in VERSIONS for unit_type in ("commune", "epci")]


def codebook(version: str, unit_type: str) -> Codebook:
    return load_questionnaire(version).codebooks[unit_type]


@pytest.mark.parametrize(("name", "least", "most"), [("commune", 145, 165), ("epci", 75, 95)])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_questionnaire_has_its_size(name: str, version: str, least: int, most: int) -> None:
    asked = codebook(version, name)
    assert least <= len(asked.questions) <= most
    assert 17 <= len(at.tabs(asked)) <= 22
    assert asked.version == f"{version}.1"
    assert load_questionnaire(version).identifier(name) == f"{name}_{version}"


@pytest.mark.parametrize("wave", VERSIONS)
def test_every_indicator_and_edit_finds_its_questions(wave: str) -> None:
    asked = questions_table(load_wave(wave)).set_index(["unit_type", "question"]).index
    for table in (indicators_table(load_wave(wave)), edits_table(load_wave(wave))):
        assert table.set_index(["unit_type", "question"]).index.isin(asked).all()


@pytest.mark.parametrize(("version", "unit_type"), CODEBOOKS)
def test_every_question_has_its_cell(version: str, unit_type: str) -> None:
    asked = codebook(version, unit_type)
    places = at.layout(asked)
    assert [place.question for place in places] == [question.code for question in asked.questions]
    assert len({(place.tab, place.row, place.column) for place in places}) == len(places)
    assert {place.tab for place in places} <= set(at.tabs(asked))
    assert not {place.tab for place in places} & {*at.FRONT_TABS, at.META_SHEET}


@pytest.mark.parametrize(("version", "unit_type"), CODEBOOKS)
def test_words_of_a_closed_question_distinguish_answers(version: str, unit_type: str) -> None:
    for question in codebook(version, unit_type).questions:
        values = at.words(question).values()
        assert len(set(values)) == len(values)
        assert bool(values) == (question.type in ("boolean", "choice"))


def test_filters_reach_up_to_the_first_question() -> None:
    filters = codebook("2014", "commune").filters()
    assert filters["ELD_MEALS_N"] == ["ELD_MEALS", "ACT_ELDERLY"]
    assert filters["ACT_ELDERLY"] == []


def write(folder: Path, name: str, **changes: object) -> Path:
    """A version in a folder of waves: that of 2014, whose questions to EPCI are changed."""
    target = folder / "questionnaires" / name
    shutil.copytree(SHIPPED_QUESTIONNAIRES / "2014", target)
    path = target / "epci.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8")) | changes
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return target


def question(code: str, **changes: object) -> dict[str, object]:
    return {"code": code, "label": {"fr": code, "en": code}, "type": "boolean", **changes}


def module(*questions: dict[str, object]) -> list[dict[str, object]]:
    return [{"code": "M", "label": {"fr": "M", "en": "M"}, "questions": list(questions)}]


def edit(**changes: object) -> list[dict[str, object]]:
    label = {"fr": "?", "en": "?"}
    return [{"code": "rule_e", "severity": "hard", "rule": "positive_if", "label": label, **changes}]


AB = module(question("QA"), question("QB"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"modules": module(question("QA"), question("QA"))}, "question QA is given twice"),
        ({"modules": module(question("QA", asked_if="QZ"))}, "asked if QZ, which is no question"),
        ({"modules": module(question("QA", asked_if="QB"), question("QB"))}, "which comes after it"),
        (
            {"modules": module(question("QA", type="integer"), question("QB", asked_if="QA"))},
            "not answered by yes or no",
        ),
        ({"modules": module(question("QA", type="choice"))}, "has 0 choices"),
        ({"modules": AB, "edits": edit(questions=["QA"], when="QZ")}, "names QZ, which is no question"),
        ({"modules": AB, "edits": edit(questions=["QA"])}, "takes a key “when”"),
        ({"modules": AB, "edits": edit(questions=["QA"], when="QB", of=["QB"])}, "takes no key “of”"),
        (
            {"modules": AB, "edits": edit(questions=["QA"], when="QB", choice="x")},
            "which is no choice of QB",
        ),
        (
            {"modules": AB, "edits": edit(questions=["QA"], when="QB", severity="soft", clears=["QA"])},
            "a soft rule clears nothing",
        ),
        ({"modules": AB, "edits": [], "colour": "blue"}, "colour"),
    ],
)
def test_a_codebook_that_contradicts_itself_is_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    write(tmp_path, "broken", **{"edits": [], **changes})
    with pytest.raises(ConfigurationError, match=message) as refused:
        load_questionnaire("broken", tmp_path)
    assert refused.value.file == "epci.yaml"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"questions": ["ORG_CIAS_ROLE"]},
            "indicator any_action takes ORG_CIAS_ROLE, which is not asked of epci",
        ),
        (
            {"rule": "equals", "questions": ["ORG_COMPETENCE_KIND"], "choice": "own"},
            "indicator any_action counts “own”, which is no choice of ORG_COMPETENCE_KIND",
        ),
        ({"code": "sectors_1_6"}, "indicator of epci sectors_1_6 is given twice"),
        ({"kind": "colour"}, "key epci.0.kind"),
    ],
)
def test_an_indicator_that_no_answer_makes_is_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    path = write(tmp_path, "broken") / "indicators.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["epci"][0] |= changes
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=message) as refused:
        load_questionnaire("broken", tmp_path)
    assert refused.value.file == "indicators.yaml"


def test_a_version_beside_the_waves_comes_before_the_shipped_one(tmp_path: Path) -> None:
    write(tmp_path, "2014", version="9.9")
    assert load_questionnaire("2014", tmp_path).codebooks["epci"].version == "9.9"
    assert load_questionnaire("2025", tmp_path).codebooks["commune"].version == "2025.1"
    with pytest.raises(ConfigurationError, match="no version “1999” of the questionnaire"):
        load_questionnaire("1999", tmp_path)


def test_a_file_of_another_type_of_unit_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "broken", questionnaire="commune")
    with pytest.raises(ConfigurationError, match=r"epci\.yaml: key questionnaire says “commune”"):
        load_questionnaire("broken", tmp_path)


def test_a_file_of_a_version_that_is_absent_is_named(tmp_path: Path) -> None:
    (write(tmp_path, "broken") / "indicators.yaml").unlink()
    with pytest.raises(ConfigurationError, match=r"indicators\.yaml: it cannot be read"):
        load_questionnaire("broken", tmp_path)


def test_a_version_based_on_another_takes_its_keys_and_gives_its_own(tmp_path: Path) -> None:
    target = write(tmp_path, "second")
    (target / "epci.yaml").write_text('based_on: "2014"\nversion: "9.9"\n')
    second = load_questionnaire("second", tmp_path)
    assert second.codebooks["epci"].version == "9.9"
    assert second.codebooks["epci"].modules == codebook("2014", "epci").modules


def test_a_version_is_based_on_one_that_is_complete(tmp_path: Path) -> None:
    target = write(tmp_path, "third")
    (target / "epci.yaml").write_text('based_on: "2025"\n')
    with pytest.raises(ConfigurationError, match="version 2025, which is itself based on another"):
        load_questionnaire("third", tmp_path)
