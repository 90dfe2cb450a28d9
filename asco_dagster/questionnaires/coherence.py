"""Whether a codebook holds together: codes, filters, choices and edit rules that name what is there.

What does not belong here: the form of each key, which pydantic checks as the file is read (``codebook``).
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from asco_dagster.errors import ConfigurationError
from asco_dagster.questionnaires.questions import Codebook, Question


def check_codebook(codebook: Codebook, path: Path) -> None:
    """Refuse a codebook that contradicts itself.

    Raises:
        ConfigurationError: names the file and the first fault.
    """
    for fault in _faults(codebook):
        raise ConfigurationError(fault, file=path, remedy="Correct the codebook")


def _faults(codebook: Codebook) -> Iterator[str]:
    questions = {question.code: question for question in codebook.questions}
    yield from _twice("question", [question.code for question in codebook.questions])
    yield from _twice("module", [module.code for module in codebook.modules])
    yield from _twice("tab", [(module.tab or module.code).casefold() for module in codebook.modules])
    yield from _twice("edit", [edit.code for edit in codebook.edits])
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
    yield from _twice(f"choice of {question.code}", [choice.code for choice in question.choices])
    yield from _twice(f"wording of {question.code}", [choice.label.fr for choice in question.choices])


def _twice(what: str, codes: list[str]) -> Iterator[str]:
    for code, count in Counter(codes).items():
        if count > 1:
            yield f"{what} {code} stands twice"
