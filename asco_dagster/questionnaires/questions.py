"""The form of a codebook: questions in modules, and the edit rules between them."""

from typing import Literal

from pydantic import Field

from asco_dagster.questionnaires.edits import Edit
from asco_dagster.waves.form import Form, Text

QuestionType = Literal["boolean", "choice", "integer", "decimal", "amount"]


class Choice(Form):
    """One answer of a closed question."""

    code: str
    label: Text


class Question(Form):
    """A question.

    Attributes:
        code: its code, also its column in an export.
        label: its wording.
        type: what an answer is.
        unit: unit of a number (``eur``, ``fte``, ``person``, ``establishment`` …).
        asked_if: code of an earlier yes/no question that must be answered yes for this one to be asked.
        range: smallest and largest value that a number can have.
        choices: the answers of a closed question.
    """

    code: str = Field(pattern=r"^[A-Z][A-Z0-9_]+$")
    label: Text
    type: QuestionType
    unit: str | None = None
    asked_if: str | None = None
    range: tuple[float, float] | None = None
    choices: list[Choice] = Field(default=[])


class Module(Form):
    """A part of a questionnaire.

    Attributes:
        code: its code.
        label: its title.
        tab: name of its tab in the Excel questionnaire; the code when there is none.
        source: where it is known from that the survey asks this.
        questions: what it asks, in order.
    """

    code: str
    label: Text
    tab: str | None = Field(default=None, min_length=1, max_length=31, pattern=r"^[^\[\]:*?/\\']+$")
    source: str | None = None
    questions: list[Question]


class Codebook(Form):
    """A questionnaire.

    Attributes:
        questionnaire: the type of unit that it is for.
        version: its version, as the returns carry it.
        modules: its parts, in order.
        provenance: how far the questionnaire is the true one.
        edits: rules between the answers of a unit.
        contact: columns of the returns that are never stored.
    """

    questionnaire: Literal["commune", "epci"]
    version: str
    provenance: Text | None = None
    modules: list[Module]
    edits: list[Edit] = Field(default=[])
    contact: list[str]

    @property
    def questions(self) -> list[Question]:
        """Every question, in the order of the questionnaire."""
        return [question for module in self.modules for question in module.questions]

    def filters(self) -> dict[str, list[str]]:
        """By question, every yes/no question that must be answered yes for it to be asked, nearest first."""
        found: dict[str, list[str]] = {}
        for question in self.questions:
            above = question.asked_if
            found[question.code] = [] if above is None else [above, *found[above]]
        return found
