"""Makes the answers of a unit agree with one another, as its questionnaire's edit rules ask.

The slips that edits find are made later, in what is sent back (``returns``), so that the truth stays true.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from asco_dagster.questionnaires.edits import Edit
from asco_dagster.questionnaires.questions import Codebook, Question

Answers = dict[str, np.ndarray]
Generator = Callable[[str], np.random.Generator]

PLACES = {"EST_ELDERLY": 60, "EST_DISABILITY": 30, "EST_EARLY_CHILDHOOD": 30}  # a typical establishment
STAFF_SHARES = (0.12, 0.2, 0.26, 0.2, 0.14, 0.08)  # in the order of the questionnaire's categories


def reconcile(answers: Answers, codebook: Codebook, generator: Generator, year: int) -> None:
    """Change answers in place until they agree.

    Args:
        answers: by question, one number or code a unit, drawn as if every question was asked; afterwards
            NaN or None where it is not.
        codebook: the questionnaire, whose edit rules say what belongs together.
        generator: gives a stream of random numbers a name.
        year: year of the wave.
    """
    questions = {question.code: question for question in codebook.questions}
    for edit in codebook.edits:
        if edit.rule == "positive_if" and questions[edit.questions[0]].type == "boolean":
            _name_one(edit, answers)
    for question in codebook.questions:  # a filter comes before what it filters
        _unask(question, answers)
    for edit in codebook.edits:
        if edit.rule == "zero_if":
            _deny(edit, answers)
    _staff(answers, generator)
    _spending(answers, codebook.edits, generator)
    for code, typical in PLACES.items():
        if f"{code}_PLACES" in answers:
            spread = generator(f"{code}_PLACES").lognormal(-0.1, 0.4, len(answers[code]))
            answers[f"{code}_PLACES"] = answers[code] * np.maximum(4, np.rint(typical * spread))
    if "ABS_YEAR" in answers:
        ago = generator("ABS_YEAR").poisson(2.0, len(answers["ABS_YEAR"]))
        answers["ABS_YEAR"] = np.where(np.isnan(answers["ABS_YEAR"]), np.nan, year - ago)


def _name_one(edit: Edit, answers: Answers) -> None:
    """Who acts in a sector names an action: the first of the list, which most do."""
    none = np.nansum([answers[code] for code in edit.questions], axis=0) == 0
    first = answers[edit.questions[0]]
    first[(answers[edit.when or ""] == 1) & none] = 1.0


def _deny(edit: Edit, answers: Answers) -> None:
    held = answers[edit.when or ""] == (1 if edit.choice is None else edit.choice)
    for code in edit.questions:
        answers[code] = np.where(held, 0.0, answers[code])


def _staff(answers: Answers, generator: Generator) -> None:
    """Categories that make the total, to a tenth, and as many people as posts or more."""
    total = np.rint(10 * answers["ORG_STAFF_FTE"])
    parts = [code for code in answers if code.startswith("STAFF_") and code.endswith("_FTE")]
    shares = generator("STAFF").dirichlet(10 * np.array(STAFF_SHARES[: len(parts)]), len(total))
    tenths = np.floor(shares * total[:, None])
    tenths[:, -1] += total - tenths.sum(axis=1)
    for number, code in enumerate(parts):
        answers[code] = tenths[:, number] / 10
    part_time = 1 + 0.4 * generator("STAFF_HEADCOUNT").random(len(total))
    answers["STAFF_HEADCOUNT"] = np.ceil(np.round(answers["ORG_STAFF_FTE"] * part_time, 6))


def _spending(answers: Answers, edits: list[Edit], generator: Generator) -> None:
    """A total above its sectors and above the benefits."""
    rules = [edit for edit in edits if edit.rule == "sum_at_most" and edit.of == ["SPEND_TOTAL_EUR"]]
    if not rules:
        return
    parts = [np.nansum([answers[code] for code in edit.questions], axis=0) for edit in rules]
    more = 1 + 0.25 * generator("SPEND_TOTAL_EUR").random(len(parts[0]))
    answers["SPEND_TOTAL_EUR"] = np.round(np.max(parts, axis=0) * more, 2)


def _unask(question: Question, answers: Answers) -> None:
    """Take the answer away where the question that filters it is not answered yes."""
    if question.asked_if is not None:
        answer = answers[question.code]
        absent: Any = None if answer.dtype == object else np.nan
        answers[question.code] = np.where(answers[question.asked_if] == 1, answer, absent)
