"""Whether a questionnaire is coherent: filters, choices, edit rules and indicators name what it asks.

The form of each key is checked by pydantic as the file is read (``questionnaire``).
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from asco_dagster.errors import ConfigurationError
from asco_dagster.questionnaires.indicators import Indicator
from asco_dagster.questionnaires.questions import Codebook, Question


def check_codebook(codebook: Codebook, path: Path) -> None:
    """Refuse a codebook that contradicts itself.

    Raises:
        ConfigurationError: names the file and the first fault.
    """
    _refuse_first(_faults(codebook), path)


def check_indicators(indicators: list[Indicator], codebook: Codebook, path: Path) -> None:
    """Refuse indicators that are not made of the answers to a codebook.

    Raises:
        ConfigurationError: names the file and the first fault.
    """
    _refuse_first(_indicator_faults(indicators, codebook), path)


def _refuse_first(faults: Iterator[str], path: Path) -> None:
    for fault in faults:
        raise ConfigurationError(fault, file=path, remedy=f"Correct {path.parent.name}/{path.name}")


def _faults(codebook: Codebook) -> Iterator[str]:
    questions = {question.code: question for question in codebook.questions}
    yield from _repeated("question", [question.code for question in codebook.questions])
    yield from _repeated("module", [module.code for module in codebook.modules])
    yield from _repeated("tab", [(module.tab or module.code).casefold() for module in codebook.modules])
    yield from _repeated("edit", [edit.code for edit in codebook.edits])
    before: set[str] = set()
    for question in codebook.questions:
        yield from _question_faults(question, questions, before)
        before.add(question.code)
    for edit in codebook.edits:
        for code in [*(code for code, _ in edit.parts()), *edit.cleared]:
            if code not in questions:
                yield f"edit {edit.code} names {code}, which is no question"
        if edit.choice is not None:
            known = [choice.code for choice in questions[edit.when or ""].choices]
            if edit.choice not in known:
                yield f"edit {edit.code} waits for “{edit.choice}”, which is no choice of {edit.when}"


def _indicator_faults(indicators: list[Indicator], codebook: Codebook) -> Iterator[str]:
    unit_type = codebook.questionnaire
    questions = {question.code: question for question in codebook.questions}
    yield from _repeated(f"indicator of {unit_type}", [indicator.code for indicator in indicators])
    for indicator in indicators:
        for code, _ in indicator.parts():
            if code not in questions:
                yield f"indicator {indicator.code} takes {code}, which is not asked of {unit_type}"
            elif indicator.rule == "equals" and not _has_choice(questions[code], indicator.choice):
                yield f"indicator {indicator.code} counts “{indicator.choice}”, which is no choice of {code}"


def _has_choice(question: Question, choice: str | None) -> bool:
    return choice in [known.code for known in question.choices]


def _question_faults(question: Question, questions: dict[str, Question], before: set[str]) -> Iterator[str]:
    asked_if = question.asked_if
    if asked_if is not None and asked_if not in questions:
        yield f"question {question.code} is asked if {asked_if}, which is no question"
    elif asked_if is not None and asked_if not in before:
        yield f"question {question.code} is asked if {asked_if}, which comes after it"
    elif asked_if is not None and questions[asked_if].type != "boolean":
        yield f"question {question.code} is asked if {asked_if}, which is not answered by yes or no"
    if bool(question.choices) != (question.type == "choice"):
        yield f"question {question.code} of type {question.type} has {len(question.choices)} choices"
    yield from _repeated(f"choice of {question.code}", [choice.code for choice in question.choices])
    yield from _repeated(f"wording of {question.code}", [choice.label.fr for choice in question.choices])


def _repeated(what: str, codes: list[str]) -> Iterator[str]:
    for code, count in Counter(codes).items():
        if count > 1:
            yield f"{what} {code} is given twice"
