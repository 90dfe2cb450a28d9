"""What the sampled units send back: unit and item nonresponse, slips, and the file of it."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from asco_dagster.demonstration.answers import profiles
from asco_dagster.demonstration.filling import Return, write_workbooks
from asco_dagster.errors import ConfigurationError
from asco_dagster.questionnaires.questionnaire import load_questionnaire
from asco_dagster.questionnaires.questions import Codebook, Question
from asco_dagster.waves import Wave
from asco_dagster.waves.form import UnitType
from asco_dagster.waves.wave import Collection

DEPARTEMENT_SPREAD = 0.15  # standard deviation of a département's effect on the logit of answering
ITEM_NONRESPONSE = {"boolean": 0.01, "choice": 0.015, "integer": 0.025, "decimal": 0.03, "amount": 0.06}
ZERO_AMOUNTS, IN_THOUSANDS, TOO_MANY = 0.002, 0.002, 0.001  # shares of slips among what is answered
DECIMALS = ("decimal", "amount")


def respondents(truth: pd.DataFrame, unit_type: str, seed: tuple[int, ...]) -> np.ndarray:
    """Which units of the frame would answer, if sampled.

    Args:
        truth: ``departement_code`` and ``population``, one row per unit of the frame.
        unit_type: ``commune`` or ``epci``.
        seed: seed of the draw, which the sample does not change.

    Returns:
        A boolean a unit.
    """
    profile = profiles()[unit_type]
    step = np.searchsorted(profile["steps"], truth["population"], side="right") - 1
    share = np.asarray(profile["response"], dtype=float)[step]
    generator = np.random.default_rng([*seed, 1])
    codes, departement = np.unique(truth["departement_code"].to_numpy(dtype=str), return_inverse=True)
    effect = generator.normal(0.0, DEPARTEMENT_SPREAD, len(codes))[departement]
    logit = np.log(share / (1 - share)) + effect
    return generator.random(len(truth)) < 1 / (1 + np.exp(-logit))


def returns_seed(seed: int, wave: Wave, unit_type: UnitType) -> tuple[int, ...]:
    """Seed of what units of a type send back in a wave."""
    return (seed, int(wave.wave), 30 if unit_type == "commune" else 31)


def returned(
    truth: pd.DataFrame,
    sampled: pd.Series,
    codebook: Codebook,
    collection: Collection,
    seed: tuple[int, ...],
) -> pd.DataFrame:
    """What the responding units of the sample send.

    Args:
        truth: true answers of the frame.
        sampled: codes of the sampled units.
        codebook: the questionnaire.
        collection: first and last day of collection.
        seed: seed of everything random here; neither sample nor format changes what a unit sends.

    Returns:
        One row per return, in the order of the frame: ``unit_code``, ``submitted_at`` (ISO 8601),
        ``version``, the stored value of each question as text (``1`` and ``0``, codes, numbers with a
        point, empty where nothing is answered), the contact columns.
    """
    answering = respondents(truth, codebook.questionnaire, seed)
    sending = answering & truth["unit_code"].isin(set(sampled)).to_numpy()
    moments = _moments(len(truth), collection, np.random.default_rng([*seed, 2]))
    blank = _blanks(truth, codebook, seed)
    sent: dict[str, Any] = {
        "unit_code": truth["unit_code"][sending],
        "submitted_at": moments[sending],
        "version": codebook.version,
    }
    for question in codebook.questions:
        values = _slipped(question, truth[question.code], seed)[sending]
        sent[question.code] = _texts(question, values).mask(blank[question.code][sending], "")
    for name, texts in _contacts(codebook.contact, len(truth), codebook.questionnaire).items():
        sent[name] = np.asarray(texts, dtype=object)[sending]
    return pd.DataFrame(sent).reset_index(drop=True)


def write_returns(path: Path, returns: pd.DataFrame, wave: Wave, unit_type: UnitType) -> int:
    """Write what was returned, in the format that the file's name asks for.

    Args:
        path: the file to write: ``.zip`` for filled workbooks, ``.csv`` for the export of the web
            questionnaire.
        returns: as :func:`returned` gives them.
        wave: the wave.
        unit_type: who answers.

    Returns:
        Number of returns.

    Raises:
        ConfigurationError: another ending.
    """
    codebook = load_questionnaire(wave.questionnaire).codebooks[unit_type]
    if path.suffix == ".csv":
        decimals = [question.code for question in codebook.questions if question.type in DECIMALS]
        export = returns.assign(**{code: returns[code].str.replace(".", ",") for code in decimals})
        path.write_bytes(export.to_csv(sep=";", index=False, lineterminator="\n").encode())
        return len(export)
    if path.suffix == ".zip":
        return write_workbooks(path, _workbook_returns(returns, codebook), wave, unit_type)
    raise ConfigurationError(
        f"the demonstration does not write returns as “{path.name}”",
        expected="a name that ends in .zip (workbooks) or .csv (export of the web questionnaire)",
        remedy="Correct the address of the returns in the wave file",
    )


def _workbook_returns(returns: pd.DataFrame, codebook: Codebook) -> Iterator[Return]:
    questions = [question.code for question in codebook.questions]
    for row in returns.to_dict("records"):
        answers = {code: row[code] for code in questions if row[code] != ""}
        contact = {code: row[code] for code in codebook.contact}
        yield Return(row["unit_code"], row["submitted_at"], answers, contact)


def _slipped(question: Question, values: pd.Series, seed: tuple[int, ...]) -> pd.Series:
    """Answers with a few slips that edits find: a zero for an amount, thousands of euros, people too many."""
    generator = np.random.default_rng([*seed, 4, *question.code.encode()])
    slip = generator.random(len(values))
    if question.asked_if is None or question.type not in ("amount", "integer"):
        return values
    given = values.notna().to_numpy(dtype=bool)
    if question.type == "amount":
        in_thousands = (values / 1000).round(2).where(values >= 10_000, values)
        thousands = given & (slip >= ZERO_AMOUNTS) & (slip < ZERO_AMOUNTS + IN_THOUSANDS)
        return values.mask(given & (slip < ZERO_AMOUNTS), 0.0).mask(thousands, in_thousands)
    return values.mask(given & (slip < TOO_MANY) & (question.unit == "person"), values * 1000)


def _blanks(truth: pd.DataFrame, codebook: Codebook, seed: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Cells left empty; where a filter is empty, so are the questions behind it."""
    blank: dict[str, np.ndarray] = {}

    def settle(question: Question) -> np.ndarray:
        if question.code not in blank:
            generator = np.random.default_rng([*seed, 3, *question.code.encode()])
            empty = generator.random(len(truth)) < ITEM_NONRESPONSE[question.type]
            if question.asked_if is not None:
                empty = empty | settle(questions[question.asked_if])
            blank[question.code] = empty
        return blank[question.code]

    questions = {question.code: question for question in codebook.questions}
    for question in codebook.questions:
        settle(question)
    return blank


def _texts(question: Question, values: pd.Series) -> pd.Series:
    """Stored values: 1 and 0, codes, numbers with a point, nothing where not asked."""
    if question.type == "choice":
        return values.astype(object).where(values.notna(), "")
    if question.type in ("boolean", "integer"):
        return values.astype("string").fillna("").astype(object)
    places = 2 if question.type == "amount" else 1
    known = values.fillna(0.0).map(lambda value: f"{value:.{places}f}")
    return known.astype(object).where(values.notna(), "")


def _moments(count: int, collection: Collection, generator: np.random.Generator) -> np.ndarray:
    """ISO moments within the collection, more of them early, in office hours."""
    days = (collection.end - collection.start).days + 1
    day = np.floor(generator.beta(1.6, 2.4, count) * days).astype("int64")
    second = generator.integers(8 * 3600, 19 * 3600, count)
    start = np.datetime64(dt.datetime.combine(collection.start, dt.time()), "s")
    moments = start + day.astype("timedelta64[D]") + second.astype("timedelta64[s]")
    return moments.astype(str).astype(object)


def _contacts(columns: list[str], count: int, unit_type: str) -> dict[str, list[str]]:
    """Contacts that nobody can take for true ones: a reserved range of numbers, a reserved domain."""
    first = 1 if unit_type == "commune" else 50_001
    numbers = range(first, first + count)
    known = {
        "CONTACT_NAME": [f"Contact Démo {number:05d}" for number in numbers],
        "CONTACT_PHONE": [f"01 99 00 {number // 100 % 100:02d} {number % 100:02d}" for number in numbers],
        "CONTACT_EMAIL": [f"contact-{number:05d}@demo.invalid" for number in numbers],
    }
    return {name: known.get(name, [f"Démo {number:05d}" for number in numbers]) for name in columns}
