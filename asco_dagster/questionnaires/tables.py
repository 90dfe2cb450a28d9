"""The questionnaire of a wave as tables: questions, edit rules, indicators, one row each or one a part."""

from typing import Any

import pandas as pd

from asco_dagster.questionnaires.edits import edit_rows
from asco_dagster.questionnaires.indicators import Indicator
from asco_dagster.questionnaires.questionnaire import load_questionnaire
from asco_dagster.questionnaires.questions import Codebook
from asco_dagster.waves import Wave


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


def indicators_table(wave: Wave) -> pd.DataFrame:
    """The indicators as rows, one an indicator and question that it is made of: unit_type, indicator, kind,
    rule, question, role (``any``, ``yes`` or ``no``), low, high, choice, when_filtered, label_fr, label_en.
    """
    catalogue = load_questionnaire(wave.questionnaire).indicators
    return pd.DataFrame(
        [
            _indicator_row(unit_type, indicator, question, role)
            for unit_type, indicators in sorted(catalogue.items())
            for indicator in indicators
            for question, role in indicator.parts()
        ]
    )


def _codebooks(wave: Wave) -> list[tuple[str, Codebook]]:
    return sorted(load_questionnaire(wave.questionnaire).codebooks.items())


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
