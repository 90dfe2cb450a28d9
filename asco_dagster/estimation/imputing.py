"""The imputed answers: which are missing, who can give, what is taken.

What does not belong here: the method (``methods/imputation``). Only quantities that feed totals are imputed;
a yes or no left open leaves its indicator out, and the weights carry it.
"""

import functools

import numpy as np
import pandas as pd

from asco_dagster.methods.imputation import Deck, impute
from asco_dagster.orchestration.wave_step import Table, WaveStep, wave_asset
from asco_dagster.warehouse import read_table

# From the narrowest to the widest; the last holds every unit of its type.
CLASSES = {
    "stratum": ["stratum"],
    "region_and_size": ["region_code", "size_class"],
    "size": ["size_class"],
    "unit_type": ["unit_type"],
}
DIGITS = {"integer": 0, "decimal": 1, "amount": 2}
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
    """One row an imputed answer: a quantity that feeds totals, left open or set to missing, from a donor."""
    import dagster as dg

    frame = read_table(step.database, "stg_asco__units")
    questions = read_table(step.database, "stg_asco__questions")
    indicators = read_table(step.database, "stg_asco__indicators", ["unit_type", "question", "kind"])
    sampled = read_table(step.database, "stg_asco__sample", ["unit_id"])["unit_id"]
    answered = read_table(step.database, "stg_asco__answers", ["unit_id"], only={"edit_status": ["answered"]})
    units = frame[frame["unit_id"].isin(sampled) & frame["unit_id"].isin(answered["unit_id"].unique())]
    fed = indicators[indicators["kind"] != "binary"]
    behind = questions.loc[questions["question"].isin(fed["question"]), "filters"]
    answers = read_table(
        step.database,
        "stg_asco__answers",
        ["unit_id", "unit_type", "question", "value", "edit_status"],
        only={"question": {*fed["question"], *(name for told in behind for name in _listed(told))}},
    )
    made = pd.concat(
        [
            impute_answers(
                units[units["unit_type"] == unit_type],
                answers[answers["unit_type"] == unit_type],
                questions[questions["unit_type"] == unit_type],
                sorted(fed.loc[fed["unit_type"] == unit_type, "question"].unique()),
                step.wave.sampling.seed,
            )
            for unit_type in ("commune", "epci")
        ],
        ignore_index=True,
    )
    return Table(made, {"imputed answers": dg.MetadataValue.md(counted(made, units))})


def impute_answers(
    units: pd.DataFrame, answers: pd.DataFrame, questions: pd.DataFrame, wanted: list[str], seed: int
) -> pd.DataFrame:
    """Impute the open answers of respondents of one type.

    Args:
        units: respondents: unit_id, unit_type, stratum, region_code, size_class, population.
        answers: their edited answers: unit_id, question, value, edit_status; at least those of ``wanted`` and
            of the questions that filter them.
        questions: question, question_type, filters.
        wanted: the quantities to impute.
        seed: seed of the draws.

    Returns:
        One row an imputed answer: unit_id, unit_type, question, value, reason (its edit status), method,
        donor_id, donor_class, donors, error_variance.
    """
    units = units.reset_index(drop=True)
    about = questions.set_index("question")
    filters = {code: _listed(about.at[code, "filters"]) for code in wanted}
    read = answers[
        answers["question"].isin({*wanted, *(name for above in filters.values() for name in above)})
    ]
    status = read.pivot(index="unit_id", columns="question", values="edit_status").reindex(units["unit_id"])
    value = read.pivot(index="unit_id", columns="question", values="value").reindex(units["unit_id"])
    asked = np.column_stack([_asked(status, value, code, filters[code]) for code in wanted])
    numbers = value[wanted].apply(pd.to_numeric).to_numpy(dtype=float)
    deck = Deck(
        population=units["population"].to_numpy(dtype=float),
        classes={name: _label(units, columns) for name, columns in CLASSES.items()},
        values=np.where(status[wanted].to_numpy() == "not_asked", 0.0, numbers),
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
    reasons = answers.set_index(["unit_id", "question"])["edit_status"]
    made["reason"] = reasons.reindex(pd.MultiIndex.from_frame(made[["unit_id", "question"]])).to_numpy()
    return made[COLUMNS]


def counted(made: pd.DataFrame, units: pd.DataFrame) -> str:
    """How much was imputed, as a Markdown table: one row a type of unit and question."""
    respondents = units["unit_type"].value_counts().to_dict()
    lines = ["| unit | question | imputed | of respondents | from own stratum |", "|---|---|---:|---:|---:|"]
    for (unit_type, question), rows in made.groupby(["unit_type", "question"], sort=True):
        own = (rows["donor_class"] == "stratum").mean()
        share = len(rows) / respondents[unit_type]
        lines.append(f"| {unit_type} | {question} | {len(rows)} | {share:.1%} | {own:.0%} |")
    return "\n".join(lines)


def _label(units: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """The class that each unit is in, as one text."""
    texts = (units[column].astype(str) for column in columns)
    return functools.reduce(lambda left, right: left + ":" + right, texts).to_numpy(dtype=object)


def _listed(filters: object) -> list[str]:
    return str(filters).split("|") if isinstance(filters, str) and filters else []


def _asked(status: pd.DataFrame, value: pd.DataFrame, code: str, filters: list[str]) -> np.ndarray:
    """Whether the question arises: 1, 0, or NaN where a filter is open."""
    asked = np.ones(len(status))
    for name in filters:
        known = status[name].to_numpy() == "answered"
        asked = np.where(known, asked, np.nan)
    for name in filters:
        no = (value[name].to_numpy() == "0") | (status[name].to_numpy() == "not_asked")
        asked = np.where(no, 0.0, asked)
    own = status[code].to_numpy()
    return np.where(own == "not_asked", 0.0, np.where(own == "answered", 1.0, asked))
