"""What a cell means: words, codes, numbers as people type them; and what is left to the edits."""

import datetime as dt

import pytest

from asco_dagster.sources.returns.answer_values import meanings_of, moment_of, value_of
from asco_dagster.sources.returns.refusals import RefusedReturnError
from asco_testing.sources.made_returns import codebook


def _value(kind: str, cell: object) -> str | None:
    question = next(question for question in codebook().questions if question.type == kind)
    return value_of(cell, question, meanings_of(question))


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        ("boolean", "Oui", "1"),
        ("boolean", " non ", "0"),
        ("boolean", "OUI", "1"),
        ("boolean", True, "1"),
        ("boolean", 0.0, "0"),
        ("boolean", "1", "1"),
        ("boolean", "peut-être", "peut-être"),  # for the edits
        ("boolean", 7.0, "7"),  # for the edits
        ("choice", "autre chose", "autre chose"),  # for the edits
        ("integer", 12.0, "12"),
        ("integer", 12, "12"),
        ("integer", 12.5, "12.5"),  # for the edits
        ("integer", "  ", None),
        ("integer", "12", "12"),
        ("integer", "-3", "-3"),  # for the edits
        ("amount", "1 234,50", "1234,50"),
        ("amount", "1\u202f234\u00a0567", "1234567"),
        ("amount", 1234.5, "1234.5"),
        ("amount", 0.1 + 0.2, "0.30000000000000004"),
        ("amount", 1e16, "1e+16"),
        ("amount", ",5", ",5"),
        ("decimal", "", None),
    ],
)
def test_is_read_as(kind: str, cell: object, value: str | None) -> None:
    assert _value(kind, cell) == value


def test_a_choice_is_its_code_whatever_it_is_called() -> None:
    question = next(question for question in codebook().questions if question.type == "choice")
    for choice in question.choices:
        for word in (choice.label.fr, choice.label.fr.upper(), choice.label.en, choice.code):
            assert value_of(word, question, meanings_of(question)) == choice.code


@pytest.mark.parametrize(
    ("kind", "cell", "reason"),
    [
        ("integer", "douze", "text_in_number"),
        ("amount", "12 34", "text_in_number"),
        ("amount", "12 €", "text_in_number"),
        ("amount", "1,2,3", "text_in_number"),
        ("amount", "-", "text_in_number"),
        ("integer", True, "boolean_in_number"),
        ("integer", dt.date(2014, 12, 31), "date_in_answer"),
        ("amount", dt.time(1, 2), "date_in_answer"),
        ("amount", dt.timedelta(hours=30), "date_in_answer"),
        ("boolean", dt.datetime(2014, 1, 1), "date_in_answer"),
        ("amount", float("inf"), "impossible_number"),
        ("amount", float("nan"), "impossible_number"),
        ("choice", "a" * 32_768, "cell_too_long"),
        ("choice", "a\x00b", "control_characters"),
        ("choice", "a\ud800", "control_characters"),
    ],
)
def test_is_refused(kind: str, cell: object, reason: str) -> None:
    with pytest.raises(RefusedReturnError) as caught:
        _value(kind, cell)
    assert caught.value.refusal.reason == reason


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2015-10-02T08:00:00Z", "2015-10-02T08:00:00"),
        ("2015-10-02T08:00:00+02:00", "2015-10-02T06:00:00"),
        ("2015-10-02 08:00:00", "2015-10-02T08:00:00"),
        ("2015-10-02", "2015-10-02T00:00:00"),
        ("2015-13-45T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:00:00-12:00", None),
        ("", None),
        (None, None),
    ],
)
def test_moments(text: str | None, moment: str | None) -> None:
    assert moment_of(text) == moment
