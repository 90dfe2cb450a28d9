"""The asset on non-response: who answers of those asked, and what if the silent had said otherwise."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from asco_dagster.estimation.estimates import RESPONDENT_TABLES, respondents_by_type
from asco_dagster.methods.multiple_tests import false_discovery_rates, p_values
from asco_dagster.methods.response_propensity import (
    early_and_late,
    largest_bias,
    partial_r,
    r_indicator,
    response_propensities,
    sensitivity,
)
from asco_dagster.orchestration.wave_step import Table, WaveStep, wave_asset
from asco_dagster.storage.warehouse import read_table

COLUMNS = ["unit_type", "measure", "category", "value", "standard_error", "q_value", "is_alarming"]
VARIABLES = ["size_class", "region_code", "departement_code", "epci_nature"]
ODDS_RATIO = 1.5
"""How other the silent are taken to be: a share of 50 % would be 40 or 60 % among them."""
LEAST_R = 0.8
"""R-indicator below which the response is called uneven."""
MOST_CHANCE = 0.05
"""False-discovery rate below which a late respondent is taken to answer otherwise."""
_AID = """
select departement_code, spending_eur_per_concerned as aid_spending
from estimation.est_profile__aid where domain = 'total'
"""


@wave_asset(deps=[*RESPONDENT_TABLES, "est_profile__aid", "stg_asco__returns"])
def est_quality__nonresponse(step: WaveStep) -> Table:
    """One row per measure of non-response: R-indicators, early against late returns, bounds on shares."""
    sample = read_table(step.database, "est_asco__sample").merge(
        step.database.execute(_AID).df(), on="departement_code", how="left", validate="many_to_one"
    )
    returns = read_table(step.database, "stg_asco__returns", ["unit_id", "submitted_at"])
    tables = []
    for unit_type, units, _, answered in respondents_by_type(step.database):
        of_type = sample[sample["unit_type"] == unit_type]
        shares = [name for name in answered.values if answered.kinds[str(name)] == "share"]
        arrived = units["unit_id"].map(
            returns.drop_duplicates("unit_id").set_index("unit_id")["submitted_at"]
        )
        days = (
            pd.to_datetime(arrived) - pd.Timestamp(step.wave.collection.start)
        ).dt.total_seconds() / 86_400
        rate = _rate(of_type)
        rows = [
            pd.DataFrame(_representativity(of_type), columns=["measure", "category", "value"]),
            _late(answered.values[shares], units["weight"].to_numpy(dtype=float), days.to_numpy(dtype=float)),
            _bounds(answered.values[shares], units["weight"].to_numpy(dtype=float), rate),
        ]
        tables.append(pd.concat(rows, ignore_index=True).assign(unit_type=unit_type))
    table = with_alarms(pd.concat(tables, ignore_index=True).reindex(columns=COLUMNS))
    indicators = table[table["measure"] == "r_indicator"].set_index("unit_type")["value"]
    return Table(table, {f"R-indicator, {name}": float(value) for name, value in indicators.items()})


def with_alarms(table: pd.DataFrame) -> pd.DataFrame:
    """The measures with ``is_alarming``: 1 for an uneven response or an indicator that late returns move."""
    uneven = (table["measure"] == "r_indicator") & (table["value"].astype(float) < LEAST_R)
    moved = table["q_value"].astype(float) < MOST_CHANCE
    return table.assign(is_alarming=(uneven | moved).astype("int64"))


def _rate(sample: pd.DataFrame) -> float:
    """Response rate weighted by the design."""
    responded = sample["response_status"] == "respondent"
    return float(np.average(responded, weights=1 / sample["inclusion_probability"]))


def _representativity(sample: pd.DataFrame) -> Iterator[tuple[str, str, float]]:
    weights = 1 / sample["inclusion_probability"].to_numpy(dtype=float)
    responded = (sample["response_status"] == "respondent").to_numpy()
    yield "response_rate", "", float(np.average(responded, weights=weights))
    if responded.all() or not responded.any():
        return  # everybody is as likely as everybody else
    known = (
        sample[VARIABLES]
        .astype(str)
        .assign(
            log_population=np.log(sample["population"].astype(float).clip(lower=1.0)),
            aid_spending=sample["aid_spending"].astype(float),
        )
    )
    if known["aid_spending"].isna().all():
        known = known.drop(columns="aid_spending")
    found = response_propensities(weights, responded, known)
    yield "r_indicator", "", r_indicator(weights, found)
    yield "largest_bias", "", largest_bias(weights, found)
    for name in VARIABLES:
        yield "partial_r", name, partial_r(weights, found, known[name].to_numpy())


def _late(values: pd.DataFrame, weights: np.ndarray, days: np.ndarray) -> pd.DataFrame:
    """Late less early, by indicator, with the false-discovery rate among all of them."""
    if np.isnan(days).all():
        return pd.DataFrame(columns=COLUMNS)
    found = early_and_late(values, weights, days)
    p = p_values(found["difference"].to_numpy(), found["standard_error"].to_numpy())
    return pd.DataFrame(
        {
            "measure": "late_less_early",
            "category": found["indicator"],
            "value": found["difference"],
            "standard_error": found["standard_error"],
            "q_value": false_discovery_rates(p),
        }
    ).dropna(subset=["value"])


def _bounds(values: pd.DataFrame, weights: np.ndarray, rate: float) -> pd.DataFrame:
    """National shares if the odds of the silent were those of respondents times or over ``ODDS_RATIO``."""
    y = values.to_numpy(dtype=float)
    weighted = weights[:, None] * ~np.isnan(y)
    known = weighted.sum(axis=0) > 0
    shares = (weighted * np.nan_to_num(y)).sum(axis=0)[known] / weighted.sum(axis=0)[known]
    names = values.columns.astype(str)[known]
    bounds = zip(("sensitivity_low", "sensitivity_high"), sensitivity(shares, rate, ODDS_RATIO), strict=True)
    return pd.concat(
        [pd.DataFrame({"measure": name, "category": names, "value": value}) for name, value in bounds]
    )
