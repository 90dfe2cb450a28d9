"""A cell as the text of an answer, by the type of its question; the same for every way of return.

What is refused here makes the value doubtful as such: a text, a date or an error where a number belongs.
A choice outside its list, a number outside its range and an answer behind a closed filter are handed on as
given: the edits of staging set them missing one by one, and the rest of the return still counts.
"""

import datetime as dt
import math
import re
from collections.abc import Mapping
from typing import Any

from asco_dagster.questionnaires.questions import Question
from asco_dagster.questionnaires.workbook_layout import words
from asco_dagster.sources.returns.refusals import RefusedReturnError

MAX_CHARACTERS = 32_767  # what a cell may hold in Excel
_NUMBER = re.compile(r"[+-]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)")
_GROUPING = re.compile(r"(?<=\d)[ \u00a0\u202f](?=\d{3}(?!\d))")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|[\ud800-\udfff]")


def value_of(cell: Any, question: Question, meanings: Mapping[str, str]) -> str | None:
    """A cell as the text of a value: ``1`` and ``0``, the code of a choice, a number in digits.

    Args:
        cell: text, number, truth value or date.
        question: the question that it answers.
        meanings: from ``meanings_of``.

    Returns:
        None for an empty cell; a word that is none of the question's, unchanged, for the edits to judge.

    Raises:
        RefusedReturnError: the cell cannot be an answer of this type.
    """
    if type(cell) is float and math.isfinite(cell):  # most cells that are no text
        return _digits(cell)
    if isinstance(cell, str):
        text = cell.strip()
        if not text:
            return None
        if len(cell) > MAX_CHARACTERS:
            raise RefusedReturnError("cell_too_long", expected=f"≤ {MAX_CHARACTERS}")
        if _CONTROL.search(text):
            raise RefusedReturnError("control_characters")
        if meanings:
            return meanings.get(text) or meanings.get(text.casefold()) or text
        plain = _GROUPING.sub("", text)
        if not _NUMBER.fullmatch(plain):
            raise RefusedReturnError("text_in_number", expected=question.type)
        return plain
    if isinstance(cell, bool):
        if question.type != "boolean":
            raise RefusedReturnError("boolean_in_number", expected=question.type)
        return "1" if cell else "0"
    if isinstance(cell, (dt.date, dt.time, dt.timedelta)):
        raise RefusedReturnError("date_in_answer", expected=question.type)
    if not math.isfinite(cell):
        raise RefusedReturnError("impossible_number", expected=question.type)
    return _digits(float(cell))


def _digits(number: float) -> str:
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def meanings_of(question: Question) -> dict[str, str]:
    """The words of a closed question, in any case, and its codes; empty for a number."""
    if question.type not in ("boolean", "choice"):
        return {}
    pairs = {**words(question), **{choice.label.en: choice.code for choice in question.choices}}
    if question.type == "boolean":
        pairs |= {"yes": "1", "no": "0", "vrai": "1", "faux": "0", "true": "1", "false": "0"}
    codes = {choice.code: choice.code for choice in question.choices}
    return {word.casefold(): value for word, value in pairs.items()} | codes | pairs


def moment_of(text: str | None) -> str | None:
    """An ISO moment to the second, in UTC without a zone; None when it is none."""
    try:
        moment = dt.datetime.fromisoformat(text) if text else None
        if moment is not None and moment.tzinfo is not None:
            moment = moment.astimezone(dt.UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):  # no date, or one that leaves the calendar in UTC
        return None
    return None if moment is None else moment.isoformat(timespec="seconds")
