"""The imputed answers: which are missing, which units may be donors, what is taken.

Only quantities that feed totals are imputed; a yes or no without an answer leaves its indicator out, and the
weights carry it.
"""

import functools
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from asco_dagster.methods.imputation import Deck, impute
from asco_dagster.orchestration.wave_step import Table, WaveStep, wave_asset
from asco_dagster.storage.warehouse import distinct_values, read_table

# From the narrowest to the widest; the last holds every unit of its type.
CLASSES = {
    "stratum": ["stratum"],
    "region_and_size": ["region_code", "size_class"],
    "size": ["size_class"],
    "unit_type": ["unit_type"],
}
DIGITS = {"integer": 0, "decimal": 1, "amount": 2}
STATUSES = ("answered", "not_asked", "item_nonresponse", "set_missing")  # of staging, -1 without an answer
ANSWERED, NOT_ASKED = 0, 1
UNITS = ["unit_id", "unit_type", "stratum", "region_code", "size_class", "population"]
ANSWERS = ["unit_id", "question", "value", "edit_status"]
COLUMNS = [
    "unit_id",
    "unit_type",
    "question",
    "value",
    "reason",
    "method",
    "donor_id",
    "donor_class",
    "donors",
    "error_variance",
]


@wave_asset(
    deps=[
        "stg_asco__answers",
        "stg_asco__sample",
        "stg_asco__units",
        "stg_asco__questions",
        "stg_asco__indicators",
    ]
)
def est_asco__imputations(step: WaveStep) -> Table:
    """One row per imputed answer: a quantity that feeds totals, open or set to missing, from a donor."""
    import dagster as dg

    frame = read_table(step.database, "stg_asco__units", UNITS, categories=UNITS[1:])
    questions = read_table(step.database, "stg_asco__questions")
    indicators = read_table(step.database, "stg_asco__indicators", ["unit_type", "question", "kind"])
    sampled = read_table(step.database, "stg_asco__sample", ["unit_id"])["unit_id"]
    answered = {"edit_status": ["answered"]}
    answering = distinct_values(step.database, "stg_asco__answers", "unit_id", only=answered)
    units = frame[frame["unit_id"].isin(sampled) & frame["unit_id"].isin(answering)]
    fed = indicators[indicators["kind"] != "binary"]
    behind = questions.loc[questions["question"].isin(fed["question"]), "filters"]
    asked = {*fed["question"], *(name for listed in behind for name in _listed(listed))}
    made = []
    for unit_type in ("commune", "epci"):
        only = {"unit_type": [unit_type], "question": asked}
        made.append(
            impute_answers(
                units[units["unit_type"] == unit_type],
                [read_table(step.database, "stg_asco__answers", ANSWERS, only=only)],
                questions[questions["unit_type"] == unit_type],
                sorted(fed.loc[fed["unit_type"] == unit_type, "question"].unique()),
                step.wave.sampling.seed,
            )
        )
    rows = pd.concat(made, ignore_index=True)
    imputed = list(map(dg.TableRecord, counted(rows, units)))
    # Dagster refuses a table without a row
    return Table(rows, {"imputed answers": dg.MetadataValue.table(imputed)} if imputed else {})


class _Answered(NamedTuple):
    """What respondents answered to one question, each of shape (n,)."""

    status: np.ndarray  # number of the edit status in ``STATUSES``
    no: np.ndarray  # whether the answer is 0
    number: np.ndarray  # NaN where there is none


def impute_answers(
    units: pd.DataFrame,
    answers: Iterable[pd.DataFrame],
    questions: pd.DataFrame,
    wanted: list[str],
    seed: int,
) -> pd.DataFrame:
    """Impute the open answers of respondents of one type.

    Args:
        units: respondents: unit_id, unit_type, stratum, region_code, size_class, population.
        answers: their edited answers, all of a question in one part: unit_id, question, value, edit_status;
            at least those of ``wanted`` and of the questions that filter them.
        questions: question, question_type, filters.
        wanted: the quantities to impute.
        seed: seed of the draws.

    Returns:
        One row per imputed answer: unit_id, unit_type, question, value, reason (its edit status), method,
        donor_id, donor_class, donors, error_variance.
    """
    units = units.reset_index(drop=True)
    about = questions.set_index("question")
    filters = {code: _listed(about.at[code, "filters"]) for code in wanted}
    grid = _by_question(units["unit_id"], answers, wanted)
    asked = np.column_stack([_asked(grid, code, filters[code]) for code in wanted])
    not_asked = np.column_stack([grid[code].status == NOT_ASKED for code in wanted])
    numbers = np.column_stack([grid[code].number for code in wanted])
    deck = Deck(
        population=units["population"].to_numpy(dtype=float),
        classes={name: _label(units, columns) for name, columns in CLASSES.items()},
        values=np.where(not_asked, 0.0, numbers),
        asked=asked,
        questions=wanted,
        blocks={code: (filters[code] or [code])[-1] for code in wanted},
        digits={code: DIGITS[str(about.at[code, "question_type"])] for code in wanted},
    )
    made = impute(deck, seed=seed)
    unit_ids: np.ndarray = units["unit_id"].to_numpy(dtype=object)
    donor = made["donor"].to_numpy(dtype=int)
    made["unit_id"] = unit_ids[made["unit"].to_numpy(dtype=int)]
    made["unit_type"] = units["unit_type"].iloc[0] if len(units) else None
    made["donor_id"] = pd.Series(unit_ids[donor], dtype=object).where(donor >= 0, None)
    column = {code: number for number, code in enumerate(wanted)}
    status = np.column_stack([grid[code].status for code in wanted])
    reasons = status[made["unit"].to_numpy(dtype=int), made["question"].map(column).to_numpy(dtype=int)]
    made["reason"] = np.array([*STATUSES, None], dtype=object)[reasons]
    return made[COLUMNS]


def counted(made: pd.DataFrame, units: pd.DataFrame) -> list[dict[str, str | int]]:
    """How much was imputed, one record per type of unit and question."""
    respondents = units["unit_type"].value_counts().to_dict()
    return [
        {
            "unit": str(unit_type),
            "question": str(question),
            "imputed": len(rows),
            "of respondents": f"{len(rows) / respondents[unit_type]:.1%}",
            "from own stratum": f"{(rows['donor_class'] == 'stratum').mean():.0%}",
        }
        for (unit_type, question), rows in made.groupby(["unit_type", "question"], sort=True)
    ]


def _label(units: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """The class that each unit is in, as one text."""
    texts = (units[column].astype(str) for column in columns)
    return functools.reduce(lambda left, right: left + ":" + right, texts).to_numpy(dtype=object)


def _listed(filters: object) -> list[str]:
    return str(filters).split("|") if isinstance(filters, str) and filters else []


def _by_question(
    unit_ids: pd.Series, parts: Iterable[pd.DataFrame], wanted: list[str]
) -> dict[str, _Answered]:
    """The answers to each question in the order of the units; of the wanted ones also as numbers."""
    units = pd.Index(unit_ids)
    grid: dict[str, _Answered] = {}
    for part in parts:
        for question, rows in part.groupby("question", sort=False):
            places = units.get_indexer(pd.Index(rows["unit_id"]))
            answered = _Answered(
                np.full(len(units), -1, dtype="int8"),
                np.zeros(len(units), dtype=bool),
                np.full(len(units), np.nan),
            )
            known = places >= 0
            places, value = places[known], rows["value"][known]
            answered.status[places] = pd.Categorical(rows["edit_status"][known], categories=STATUSES).codes
            answered.no[places] = (value == "0").to_numpy(dtype=bool, na_value=False)
            if question in wanted:
                answered.number[places] = pd.to_numeric(value).to_numpy(dtype=float, na_value=np.nan)
            grid[str(question)] = answered
    return grid


def _asked(grid: Mapping[str, _Answered], code: str, filters: list[str]) -> np.ndarray:
    """Whether the question arises: 1, 0, or NaN where a filter is open."""
    status = grid[code].status
    asked = np.ones(len(status))
    for name in filters:
        asked = np.where(grid[name].status == ANSWERED, asked, np.nan)
    for name in filters:
        asked = np.where(grid[name].no | (grid[name].status == NOT_ASKED), 0.0, asked)
    return np.where(status == NOT_ASKED, 0.0, np.where(status == ANSWERED, 1.0, asked))
