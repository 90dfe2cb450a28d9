"""What a return must look like, and what is kept of it once read; the same for every way of return."""

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from asco_dagster.questionnaires.questions import Codebook, Question
from asco_dagster.questionnaires.workbook_layout import Place, layout
from asco_dagster.sources.returns.answer_values import meanings_of
from asco_dagster.sources.returns.refusals import RefusedReturnError

_UNIT_CODES = {"commune": re.compile(r"\d[\dAB]\d{3}"), "epci": re.compile(r"\d{9}")}
_SEVERAL = re.compile(r"[^0-9A-Za-z]+")
_BETWEEN = "\x1f"  # no answer holds a control character, see answer_values


@dataclass(frozen=True)
class Expected:
    """What the returns of one type of unit must look like; made once, sent to every reading process.

    Attributes:
        unit_type: ``commune`` or ``epci``.
        version: version of the questionnaire.
        wave: the wave.
        places: where each question is.
        questions: the questions, in the order of ``places``.
        contact: names of the contact columns of a web export, never stored.
        sampled: codes of the sampled units; None when the sample is not to be asked.
        by_tab: number (in ``places``) and place of the questions of each tab.
        behind: numbers of the questions behind each filter, however far.
        meanings: words of each closed question, see ``answer_values.meanings_of``.
    """

    unit_type: str
    version: str
    wave: str
    places: tuple[Place, ...]
    questions: tuple[Question, ...]
    contact: frozenset[str]
    sampled: frozenset[str] | None
    by_tab: dict[str, dict[int, Place]] = field(init=False, repr=False)
    behind: dict[int, frozenset[int]] = field(init=False, repr=False)
    meanings: list[dict[str, str]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        numbers = {question.code: number for number, question in enumerate(self.questions)}
        behind: dict[int, set[int]] = {}
        for number, question in enumerate(self.questions):
            above = question.asked_if
            while above is not None:
                behind.setdefault(numbers[above], set()).add(number)
                above = self.questions[numbers[above]].asked_if
        object.__setattr__(self, "behind", {number: frozenset(others) for number, others in behind.items()})
        object.__setattr__(self, "meanings", [meanings_of(question) for question in self.questions])
        by_tab: dict[str, dict[int, Place]] = {}
        for number, place in enumerate(self.places):
            by_tab.setdefault(place.tab, {})[number] = place
        object.__setattr__(self, "by_tab", by_tab)

    @classmethod
    def of(cls, codebook: Codebook, wave: str, sampled: frozenset[str] | None) -> "Expected":
        """What returns of this questionnaire must look like."""
        by_code = {question.code: question for question in codebook.questions}
        places = layout(codebook)
        questions = tuple(by_code[place.question] for place in places)
        contact = frozenset(codebook.contact)
        return cls(codebook.questionnaire, codebook.version, wave, places, questions, contact, sampled)


@dataclass(frozen=True, slots=True)
class Return:
    """A return as read; its answers are packed, since a wave may have a hundred million of them.

    Attributes:
        unit_type: ``commune`` or ``epci``.
        unit_code: code of the unit.
        version: version of the questionnaire.
        submitted_at: ISO moment without zone (UTC in a workbook), None when nothing says it.
        completeness: share of the questions put to the unit that it answered.
        packed_places: ``places``, two bytes each.
        packed_values: ``values``, a unit separator between two.
    """

    unit_type: str
    unit_code: str
    version: str | None
    submitted_at: str | None
    completeness: float
    packed_places: bytes
    packed_values: str

    @classmethod
    def of(
        cls,
        expected: "Expected",
        unit_code: str,
        submitted_at: str | None,
        places: Sequence[int],
        values: Sequence[str],
        *,
        version: str | None,
    ) -> "Return":
        """A return of these answers.

        Args:
            expected: the questionnaire.
            unit_code: code of the unit.
            submitted_at: see the attribute.
            places: number, in ``Expected.places``, of each question answered; below 65,536.
            values: the answers, as ``answer_values.value_of`` gives them.
            version: see the attribute.
        """
        share = completeness(places, values, expected)
        packed = array("H", places).tobytes()
        return cls(expected.unit_type, unit_code, version, submitted_at, share, packed, _BETWEEN.join(values))

    @property
    def places(self) -> Sequence[int]:
        """Number, in ``Expected.places``, of each question answered."""
        return array("H", self.packed_places)

    @property
    def values(self) -> list[str]:
        """The answers, as text."""
        return self.packed_values.split(_BETWEEN) if self.packed_places else []

    @property
    def answers(self) -> int:
        """How many there are."""
        return len(self.packed_places) // array("H").itemsize


def completeness(places: Sequence[int], values: Sequence[str], expected: Expected) -> float:
    """Share of the questions put to the unit that it answered, between 0 and 1.

    A question behind a filter that was answered no is not put; one that was answered all the same was.

    Args:
        places: number of each question answered.
        values: the answers.
        expected: the questionnaire.
    """
    answered = frozenset(places)
    closed: set[int] = set()
    for number, value in zip(places, values, strict=True):
        if value == "0" and number in expected.behind:
            closed |= expected.behind[number]
    return len(answered) / max(len(expected.places) - len(closed - answered), 1)


def require_unit(code: str, wanted: Expected, *, tab: str | None = None, cell: str | None = None) -> None:
    """Refuse a unit code that cannot be, or that was not sampled.

    Raises:
        RefusedReturnError: ``two_units``, ``unknown_unit`` or ``unit_outside_sample``.
    """
    pattern = _UNIT_CODES[wanted.unit_type]
    if not pattern.fullmatch(code):
        several = [part for part in _SEVERAL.split(code) if pattern.fullmatch(part)]
        raise RefusedReturnError(
            "two_units" if len(several) > 1 else "unknown_unit",
            tab=tab,
            cell=cell,
            expected="12345, 2A004" if wanted.unit_type == "commune" else "SIREN",
        )
    if wanted.sampled is not None and code not in wanted.sampled:
        raise RefusedReturnError("unit_outside_sample", tab=tab, cell=cell)
