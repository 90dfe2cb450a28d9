"""Edit rules: small declarative comparisons between the answers of one unit, and their rows for dbt.

They run in ``dbt_project/models/staging``. What a single answer cannot be (its type, its range, its choices,
its filter) needs no rule: it follows from the question.
"""

from typing import Any, Literal

from pydantic import Field, model_validator

from asco_dagster.waves.form import Form, Text

Rule = Literal[
    "sum_at_most",
    "sum_equals",
    "ratio_between",
    "per_inhabitant_between",
    "positive_if",
    "zero_if",
    "zero_if_not",
]
_BOUNDED = {"sum_at_most", "sum_equals", "ratio_between"}
_RANGED = {"ratio_between", "per_inhabitant_between"}
_CONDITIONAL = {"positive_if", "zero_if", "zero_if_not"}


class Edit(Form):
    """A rule that the answers of a unit should, or must, satisfy.

    Attributes:
        code: its code in the edit log.
        severity: ``hard``: the answers cannot all be true, and ``clears`` is set to missing; ``soft``: to
            be reviewed.
        rule: with S the sum of ``questions`` (a question not asked counts zero) and T the sum of ``of``:
            ``sum_at_most`` S ≤ T·(1 + tolerance); ``sum_equals`` S = T within tolerance·T;
            ``ratio_between`` low ≤ S/T ≤ high; ``per_inhabitant_between`` low ≤ S/inhabitants ≤ high;
            ``positive_if`` S > 0 where ``when`` holds; ``zero_if`` S = 0 where it holds; ``zero_if_not``
            S = 0 where it does not.
        questions: the terms.
        of: what they are compared with.
        when: question of the condition: a positive answer, or the choice ``choice``.
        choice: see ``when``.
        between: smallest and largest value of a ratio.
        tolerance: relative slack, for rounding.
        clears: questions that a failed hard rule sets to missing; ``questions`` when there is none.
        label: what is wrong, for the reviewer.
    """

    code: str = Field(pattern=r"^[a-z][a-z0-9_]+$")
    severity: Literal["hard", "soft"]
    rule: Rule
    questions: list[str] = Field(min_length=1)
    of: list[str] = Field(default=[])
    when: str | None = None
    choice: str | None = None
    between: tuple[float, float] | None = None
    tolerance: float = Field(default=0.0, ge=0, lt=1)
    clears: list[str] = Field(default=[])
    label: Text

    @model_validator(mode="after")
    def _complete(self) -> "Edit":
        wants = {
            "of": (bool(self.of), self.rule in _BOUNDED),
            "between": (self.between is not None, self.rule in _RANGED),
            "when": (self.when is not None, self.rule in _CONDITIONAL),
        }
        for name, (given, wanted) in wants.items():
            if given != wanted:
                raise ValueError(f"rule {self.rule} takes {'a' if wanted else 'no'} key “{name}”")
        if self.clears and self.severity == "soft":
            raise ValueError("a soft rule clears nothing")
        return self

    @property
    def cleared(self) -> list[str]:
        """Questions that its failure sets to missing."""
        return (self.clears or self.questions) if self.severity == "hard" else []

    def parts(self) -> list[tuple[str, str]]:
        """The questions that it reads, each with its role: ``term``, ``bound`` or ``condition``."""
        return (
            [(question, "term") for question in self.questions]
            + [(question, "bound") for question in self.of]
            + ([(self.when, "condition")] if self.when is not None else [])
        )


def edit_rows(unit_type: str, edits: list[Edit]) -> list[dict[str, Any]]:
    """The rules as rows, one a rule and question that it reads.

    Returns:
        unit_type, edit, severity, rule, question, role, choice, low, high, tolerance, cleared (questions
        joined by ``|``), label_fr, label_en.
    """
    return [
        {
            "unit_type": unit_type,
            "edit": edit.code,
            "severity": edit.severity,
            "rule": edit.rule,
            "question": question,
            "role": role,
            "choice": edit.choice if role == "condition" else None,
            "low": edit.between[0] if edit.between else None,
            "high": edit.between[1] if edit.between else None,
            "tolerance": edit.tolerance,
            "cleared": "|".join(edit.cleared) or None,
            "label_fr": edit.label.fr,
            "label_en": edit.label.en,
        }
        for edit in edits
        for question, role in edit.parts()
    ]
