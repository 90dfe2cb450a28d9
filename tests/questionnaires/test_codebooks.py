"""The codebooks: what they ask, how one is based on another, and the faults that are named."""

from pathlib import Path

import pytest
import yaml

from asco_dagster.errors import ConfigurationError
from asco_dagster.questionnaires import workbook_layout as at
from asco_dagster.questionnaires.codebook import (
    FOLDER,
    edits_table,
    indicators_table,
    load_codebook,
    questions_table,
)
from asco_dagster.waves import load_wave

NAMES = ("commune_2014", "epci_2014", "commune_2025", "epci_2025")


@pytest.mark.parametrize(("name", "least", "most"), [("commune", 145, 165), ("epci", 75, 95)])
@pytest.mark.parametrize("wave", ["2014", "2025"])
def test_a_questionnaire_has_its_size(name: str, wave: str, least: int, most: int) -> None:
    codebook = load_codebook(f"{name}_{wave}")
    assert least <= len(codebook.questions) <= most
    assert 17 <= len(at.tabs(codebook)) <= 22
    assert codebook.version == f"{wave}.1"


@pytest.mark.parametrize("wave", ["2014", "2025"])
def test_every_indicator_and_edit_finds_its_questions(wave: str) -> None:
    asked = questions_table(load_wave(wave)).set_index(["unit_type", "question"]).index
    for table in (indicators_table(load_wave(wave)), edits_table(load_wave(wave))):
        assert table.set_index(["unit_type", "question"]).index.isin(asked).all()


@pytest.mark.parametrize("name", NAMES)
def test_every_question_has_a_cell_of_its_own(name: str) -> None:
    codebook = load_codebook(name)
    places = at.layout(codebook)
    assert [place.question for place in places] == [question.code for question in codebook.questions]
    assert len({(place.tab, place.row, place.column) for place in places}) == len(places)
    assert {place.tab for place in places} <= set(at.tabs(codebook))
    assert not {place.tab for place in places} & {*at.FRONT_TABS, at.META_SHEET}


@pytest.mark.parametrize("name", NAMES)
def test_words_of_a_closed_question_tell_answers_apart(name: str) -> None:
    for question in load_codebook(name).questions:
        values = at.words(question).values()
        assert len(set(values)) == len(values)
        assert bool(values) == (question.type in ("boolean", "choice"))


def test_filters_reach_up_to_the_first_question() -> None:
    filters = load_codebook("commune_2014").filters()
    assert filters["ELD_MEALS_N"] == ["ELD_MEALS", "ACT_ELDERLY"]
    assert filters["ACT_ELDERLY"] == []


def write(folder: Path, name: str, **changes: object) -> Path:
    content = yaml.safe_load((FOLDER / "epci_2014.yaml").read_text(encoding="utf-8")) | changes
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def question(code: str, **changes: object) -> dict[str, object]:
    return {"code": code, "label": {"fr": code, "en": code}, "type": "boolean", **changes}


def module(*questions: dict[str, object]) -> list[dict[str, object]]:
    return [{"code": "M", "label": {"fr": "M", "en": "M"}, "questions": list(questions)}]


def edit(**changes: object) -> list[dict[str, object]]:
    label = {"fr": "?", "en": "?"}
    return [{"code": "rule_e", "severity": "hard", "rule": "positive_if", "label": label, **changes}]


AB = module(question("QA"), question("QB"))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"modules": module(question("QA"), question("QA"))}, "question QA stands twice"),
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
    tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    write(tmp_path, "broken", **{"edits": [], **changes})
    with pytest.raises(ConfigurationError, match=told) as refused:
        load_codebook("broken", tmp_path)
    assert refused.value.file == "broken.yaml"


def test_a_codebook_based_on_another_takes_its_keys_and_gives_its_own(tmp_path: Path) -> None:
    write(tmp_path, "first")
    (tmp_path / "second.yaml").write_text('based_on: first\nversion: "9.9"\n')
    second = load_codebook("second", tmp_path)
    assert second.version == "9.9"
    assert second.modules == load_codebook("first", tmp_path).modules


def test_a_codebook_is_based_on_one_that_stands_alone(tmp_path: Path) -> None:
    write(tmp_path, "first")
    (tmp_path / "second.yaml").write_text("based_on: first\n")
    (tmp_path / "third.yaml").write_text("based_on: second\n")
    with pytest.raises(ConfigurationError, match="Name first instead"):
        load_codebook("third", tmp_path)
