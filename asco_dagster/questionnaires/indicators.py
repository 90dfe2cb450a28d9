"""The form of a catalogue of indicators: what is estimated, and how it comes from the answers of a unit."""

from typing import Literal

from pydantic import Field

from asco_dagster.waves.form import Form, Text


class Indicator(Form):
    """What is estimated, and how it comes from the answers of a unit.

    Attributes:
        code: its code.
        kind: ``binary`` (yes or no), ``amount`` (euros), ``count`` (things or people) or ``staff`` (full-time
            equivalents).
        rule: ``value`` the answer itself; ``equals`` the choice is ``choice``; ``any`` one of
            ``questions`` is yes; ``count_between`` the number of yes lies in ``between``; ``pattern`` every
            question of ``all_yes`` is yes and every one of ``all_no`` is no.
        when_filtered: what a question not asked counts as: ``zero``, or ``missing`` (the unit is left out).
    """

    code: str = Field(pattern=r"^[a-z][a-z0-9_]+$")
    label: Text
    kind: Literal["binary", "amount", "count", "staff"]
    rule: Literal["value", "equals", "any", "count_between", "pattern"]
    questions: list[str] = Field(default=[])
    all_yes: list[str] = Field(default=[])
    all_no: list[str] = Field(default=[])
    between: tuple[int, int] | None = None
    choice: str | None = None
    when_filtered: Literal["zero", "missing"] = "zero"

    def parts(self) -> list[tuple[str, str]]:
        """The questions that it is made of, each with its role (``any``, ``yes`` or ``no``)."""
        return (
            [(question, "any") for question in self.questions]
            + [(question, "yes") for question in self.all_yes]
            + [(question, "no") for question in self.all_no]
        )


class Catalogue(Form):
    """The indicators of each type of unit, in the order in which they are published."""

    commune: list[Indicator]
    epci: list[Indicator]
