"""Reading codebooks and the catalogue of indicators, checked by pydantic.

What does not belong here: answers. A question or an indicator that names something unknown is an error that
names the file and the key.
"""

import functools
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import yaml
from pydantic import Field, ValidationError

from asco_dagster.errors import ConfigurationError
from asco_dagster.questionnaires.coherence import check_codebook
from asco_dagster.questionnaires.edits import edit_rows
from asco_dagster.questionnaires.forms import Form, Label
from asco_dagster.questionnaires.questions import Choice, Codebook, Module, Question
from asco_dagster.waves import Wave

FOLDER = Path(__file__).parent
__all__ = ["Catalogue", "Choice", "Codebook", "Indicator", "Label", "Module", "Question"]


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
    label: Label
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
    """The indicators of each type of unit."""

    commune: list[Indicator]
    epci: list[Indicator]


def load_codebook(name: str, folder: Path = FOLDER) -> Codebook:
    """Read one codebook, for example ``commune_2014``.

    Raises:
        ConfigurationError: the file is not as it must be, a code stands twice, a filter names no question.

    A file may say ``based_on: <other codebook>``: it then has that one's keys, save those that it gives.
    """
    return _load_codebook(name, folder)


@functools.lru_cache
def _load_codebook(name: str, folder: Path) -> Codebook:
    path = folder / f"{name}.yaml"
    content = _content(path)
    base = content.pop("based_on", None) if isinstance(content, dict) else None
    if base is not None:
        content = {**_base(path, folder / f"{base}.yaml"), **content}
    codebook = _validated(Codebook, content, path)
    check_codebook(codebook, path)
    return codebook


def _base(path: Path, base: Path) -> dict[str, Any]:
    """The keys of the codebook that another is based on; one step only, so that a reader finds them all."""
    content = _content(base)
    if "based_on" in content:
        raise ConfigurationError(
            f"key based_on names {base.stem}, which is based on {content['based_on']} itself",
            file=path,
            remedy=f"Name {content['based_on']} instead",
        )
    return content


@functools.lru_cache
def load_indicators(folder: Path = FOLDER) -> Catalogue:
    """Read the catalogue of indicators.

    Raises:
        ConfigurationError: the file is not as it must be.
    """
    path = folder / "indicators.yaml"
    return _validated(Catalogue, _content(path), path)


def questions_table(wave: Wave) -> pd.DataFrame:
    """The wave's questions as rows: unit_type, question, module, question_type, unit, asked_if, filters
    (every question above it), minimum, maximum, choices, label_fr, label_en; codes are joined by ``|``.
    """
    rows = [
        {
            "unit_type": unit_type,
            "question": question.code,
            "module": module.code,
            "question_type": question.type,
            "unit": question.unit,
            "asked_if": question.asked_if,
            "filters": "|".join(filters[question.code]) or None,
            "minimum": question.range[0] if question.range else None,
            "maximum": question.range[1] if question.range else None,
            "choices": "|".join(choice.code for choice in question.choices) or None,
            "label_fr": question.label.fr,
            "label_en": question.label.en,
        }
        for unit_type, codebook in _codebooks(wave)
        for filters in [codebook.filters()]
        for module in codebook.modules
        for question in module.questions
    ]
    return pd.DataFrame(rows)


def edits_table(wave: Wave) -> pd.DataFrame:
    """The wave's edit rules as rows, as :func:`asco_dagster.questionnaires.edits.edit_rows` gives them."""
    return pd.DataFrame(
        [row for unit_type, codebook in _codebooks(wave) for row in edit_rows(unit_type, codebook.edits)]
    )


def _codebooks(wave: Wave) -> list[tuple[str, Codebook]]:
    return [(unit_type, load_codebook(name)) for unit_type, name in sorted(wave.questionnaires.items())]


def indicators_table(wave: Wave) -> pd.DataFrame:
    """The indicators as rows, one an indicator and question that it is made of.

    Raises:
        ConfigurationError: an indicator names a question that the wave does not ask.
    """
    catalogue = load_indicators()
    rows = []
    for unit_type, codebook in _codebooks(wave):
        asked = {question.code for question in codebook.questions}
        for indicator in getattr(catalogue, unit_type):
            for question, role in indicator.parts():
                if question not in asked:
                    raise ConfigurationError(
                        f"indicator {indicator.code} takes {question}, which is not asked of {unit_type}",
                        file="indicators.yaml",
                        remedy="Correct the indicator or add the question",
                    )
                rows.append(_indicator_row(unit_type, indicator, question, role))
    return pd.DataFrame(rows)


def _indicator_row(unit_type: str, indicator: Indicator, question: str, role: str) -> dict[str, Any]:
    low, high = indicator.between or (None, None)
    return {
        "unit_type": unit_type,
        "indicator": indicator.code,
        "kind": indicator.kind,
        "rule": indicator.rule,
        "question": question,
        "role": role,
        "low": low,
        "high": high,
        "choice": indicator.choice,
        "when_filtered": indicator.when_filtered,
        "label_fr": indicator.label.fr,
        "label_en": indicator.label.en,
    }


def _content(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(
            "there is no such file", file=path, remedy="Correct its name or add it"
        ) from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"not valid YAML: {error}", file=path) from error


def _validated(form: type[Any], content: Any, path: Path) -> Any:
    try:
        return form.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            f"key {key}: {first['msg']}", file=path, remedy="Correct this key"
        ) from error
