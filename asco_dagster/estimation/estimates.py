"""The assets of estimates, with their precision, and of the answers that alone do much to a total.

Shares, shares of population, totals and means are all here. Means stay inside, by decision: together with its
released total and the number of respondents a mean gives the weighted units away, so each would be one more
table linked to both, for a number that a reader makes of the two.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from asco_dagster.estimation.weighting import calibration_variables, imputed_apart
from asco_dagster.estimation.weights import read_frame
from asco_dagster.methods.domains import estimation_domains
from asco_dagster.methods.estimation import IndicatorKind, estimate
from asco_dagster.methods.influence import influential_answers
from asco_dagster.methods.model_errors import Units, model_errors
from asco_dagster.methods.precision import SurveyDesign, unsampled_shares
from asco_dagster.methods.total_error import Thin, with_total_errors
from asco_dagster.orchestration.wave_step import Table, WaveStep, wave_assets
from asco_dagster.storage.warehouse import read_table
from asco_dagster.waves import Wave

UNIT_TYPES = ("commune", "epci")
AREAS = ["departement_code", "region_code", "size_class", "epci_nature"]
SAMPLE = ["unit_id", "population", *AREAS]
WEIGHTS = ["unit_id", "unit_type", "nonresponse_weight", "variance_stratum", "variance_population", "weight"]
VALUES = ["unit_id", "indicator", "value"]
RESPONDENT_TABLES = [
    "est_asco__sample",
    "est_asco__weights",
    "est_asco__indicators",
    "est_asco__imputations",
    "est_asco__silent_units",
    "stg_asco__units",
    "stg_asco__indicators",
]
"""The tables that ``respondents_by_type`` reads."""


@dataclass(frozen=True)
class Answered:
    """Indicators of the respondents of one type.

    Attributes:
        values: one row per respondent, one column per indicator; NaN where open.
        kinds: ``share`` or ``amount``, of each indicator.
        conditional: indicators about part of the units only.
        imputation_variance: error variance of imputed values, 0 elsewhere, in the shape of ``values``.
    """

    values: pd.DataFrame
    kinds: Mapping[str, IndicatorKind]
    conditional: frozenset[str]
    imputation_variance: np.ndarray | None = None


@wave_assets(
    [
        "est_asco__estimates: One row per indicator, statistic and domain of estimation, with its precision.",
        "est_asco__influential: One row per influential answer: the total with it, without its pull, and "
        "with both extremes bounded.",
    ],
    deps=RESPONDENT_TABLES,
)
def estimating(step: WaveStep) -> dict[str, Table]:
    """Estimates and influential answers of both types of unit."""
    estimated, influential = [], []
    for unit_type, units, frame, answered in respondents_by_type(step.database):
        table = estimates_of(units, frame, answered, step.wave, unit_type)
        estimated.append(table.assign(unit_type=unit_type))
        influential.append(influential_of(units, frame, answered, step.wave, unit_type))
    rows, answers = (pd.concat(tables, ignore_index=True) for tables in (estimated, influential))
    by_model = (rows["error_basis"] == "model").mean()
    national = answers[answers["geography"] == "france"]
    counts = {"influential on a national total": len(national), "influential in all": len(answers)}
    return {
        "est_asco__estimates": Table(rows, {"estimates whose error is the model's": f"{by_model:.1%}"}),
        "est_asco__influential": Table(answers, counts),
    }


def respondents_by_type(database: Any) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame, Answered]]:
    """Each type of unit with its respondents, its frame and the indicators of the respondents."""
    sample = read_table(database, "est_asco__sample", SAMPLE, categories=AREAS)
    weights = read_table(database, "est_asco__weights", WEIGHTS, categories=["unit_type"])
    frame = read_frame(database)
    imputed = read_table(database, "est_asco__imputations", ["unit_id", "question", "error_variance"])
    catalogue = read_table(database, "stg_asco__indicators")
    for unit_type in UNIT_TYPES:
        units = weights[weights["unit_type"] == unit_type].merge(
            sample, on="unit_id", how="left", validate="one_to_one"
        )
        answered = answers_of(
            units["unit_id"],
            [read_table(database, "est_asco__indicators", VALUES, only={"unit_type": [unit_type]})],
            imputed,
            catalogue[catalogue["unit_type"] == unit_type],
        )
        yield unit_type, units, frame[frame["unit_type"] == unit_type], answered


def answers_of(
    unit_ids: pd.Series, values: Iterable[pd.DataFrame], imputed: pd.DataFrame, catalogue: pd.DataFrame
) -> Answered:
    """The indicators of respondents as columns.

    Args:
        unit_ids: the respondents of one type.
        values: ``unit_id``, ``indicator``, ``value``, in parts; rows of other units are ignored.
        imputed: ``unit_id``, ``question``, ``error_variance``.
        catalogue: ``stg_asco__indicators`` of that type: ``indicator``, ``kind``, ``question``,
            ``when_filtered``.

    Returns:
        Values and variances in the order of ``unit_ids`` and of the catalogue.
    """
    indicators = catalogue.drop_duplicates("indicator").set_index("indicator")
    of_amounts = catalogue[catalogue["kind"] != "binary"].set_index("question")["indicator"]
    errors = imputed.assign(indicator=imputed["question"].map(of_amounts)).dropna(subset=["indicator"])
    variance = _wide([errors], "error_variance", unit_ids, indicators.index)
    return Answered(
        values=pd.DataFrame(_wide(values, "value", unit_ids, indicators.index), columns=indicators.index),
        kinds={
            str(name): "share" if kind == "binary" else "amount" for name, kind in indicators["kind"].items()
        },
        conditional=frozenset(map(str, indicators.index[indicators["when_filtered"] == "missing"])),
        imputation_variance=np.nan_to_num(variance, copy=False),
    )


def estimates_of(
    units: pd.DataFrame, frame: pd.DataFrame, answered: Answered, wave: Wave, unit_type: str
) -> pd.DataFrame:
    """Every estimate of one type of unit.

    Args:
        units: its respondents: ``weight``, ``nonresponse_weight``, ``variance_stratum``,
            ``variance_population``, ``population`` and the variables of margins and domains.
        frame: units of the population of that type, with the same variables, and ``is_imputed`` where
            amounts of large silent units are imputed.
        answered: their indicators, in the order of ``units``.
        wave: the wave, whose calibration and precision count.
        unit_type: ``commune`` or ``epci``.

    Returns:
        The table of :func:`~asco_dagster.methods.total_error.with_total_errors`.
    """
    apart = imputed_apart(frame)
    design = survey_design(units, frame, wave, unit_type)
    population = units["population"].to_numpy(dtype=float)
    groups = [
        (group.geography, group.code, group.areas)
        for group in wave.disclosure.recoding
        if unit_type in group.unit_types
    ]
    of_units, of_frame = _described(units, frame, groups), _described(frame, frame, groups)
    table = estimate(design, answered.values, answered.kinds, of_units.domains, population=population)
    components = model_errors(
        design.weights,
        unsampled_shares(design),
        answered.values,
        answered.kinds,
        of_units,
        of_frame,
        conditional=answered.conditional,
        imputation_variance=answered.imputation_variance,
        imputed_units=apart,
    )
    thin = wave.precision.thin
    return with_total_errors(table, components, Thin(thin.respondents, thin.contributors))


def influential_of(
    units: pd.DataFrame, frame: pd.DataFrame, answered: Answered, wave: Wave, unit_type: str
) -> pd.DataFrame:
    """The influential answers of one type of unit, described as for :func:`estimates_of`.

    Returns:
        ``unit_type``, ``unit_id`` and the columns of
        :func:`~asco_dagster.methods.influence.influential_answers` but ``row``.
    """
    amounts = [name for name in answered.values if answered.kinds[str(name)] == "amount"]
    design = survey_design(units, frame, wave, unit_type)
    found = influential_answers(design, answered.values[amounts], estimation_domains(units, frame))
    found.insert(0, "unit_type", unit_type)
    found.insert(1, "unit_id", units["unit_id"].to_numpy(dtype=object)[found.pop("row").to_numpy(dtype=int)])
    return found


def _wide(
    parts: Iterable[pd.DataFrame], column: str, unit_ids: pd.Series, indicators: pd.Index
) -> np.ndarray:
    """One column of the indicators of each respondent as a matrix; NaN where there is no row."""
    wide = np.full((len(indicators), len(unit_ids)), np.nan)
    units = pd.Index(unit_ids)
    for rows in parts:
        places = (
            units.get_indexer(pd.Index(rows["unit_id"])),
            indicators.get_indexer(pd.Index(rows["indicator"])),
        )
        known = (places[0] >= 0) & (places[1] >= 0)
        wide[places[1][known], places[0][known]] = rows[column].to_numpy(dtype=float)[known]
    return wide.T


def _described(
    units: pd.DataFrame, frame: pd.DataFrame, groups: Sequence[tuple[str, str, Sequence[str]]]
) -> Units:
    return Units(
        units["size_class"].to_numpy(dtype=object),
        units["population"].to_numpy(dtype=float),
        estimation_domains(units, frame, groups),
    )


def survey_design(units: pd.DataFrame, frame: pd.DataFrame, wave: Wave, unit_type: str) -> SurveyDesign:
    """The design of the respondents of one type of unit, as ``estimates_of`` describes them."""
    margins = getattr(wave.calibration, unit_type).margins
    x = calibration_variables(units, frame[~imputed_apart(frame)], margins, wave.calibration).x
    return SurveyDesign(
        weights=units["weight"].to_numpy(dtype=float),
        initial_weights=units["nonresponse_weight"].to_numpy(dtype=float),
        x=x,
        stratum=units["variance_stratum"].to_numpy(),
        stratum_population=units["variance_population"].to_numpy(dtype=float),
    )
