"""What each released cell is made of: counts, numerators and largest contributors, from respondents.

These columns feed the primary rules and never leave the working database. Estimates and their precision are
not computed here.
"""

import pandas as pd

from asco_dagster.methods.disclosure.areas import Areas, is_released, partitions
from asco_dagster.methods.disclosure.rules import AUXILIARY, CELL, KEYS

_COMPOSED = ["respondents", "weighted_units", *AUXILIARY]


def contributions(respondents: pd.DataFrame, indicators: pd.DataFrame, areas: Areas) -> pd.DataFrame:
    """Composition of every released cell: unit type × indicator × statistic × cell.

    Args:
        respondents: one row per respondent: ``unit_id``, ``unit_type``, ``region_code``,
            ``departement_code``, ``size_class``, ``population`` (inhabitants), ``weight``.
        indicators: one row per respondent × indicator: ``unit_id``, ``indicator``, ``value``, ``kind``
            (``binary`` or another); a missing value is an unanswered question and leaves the cell.
        areas: the public geography, with the areas that are shown together.

    Returns:
        Rows in the order of ``KEYS`` with ``respondents`` (answers, unweighted), ``weighted_units`` (Σw),
        ``positive_respondents`` (answers ≠ 0), ``numerator`` (Σwy; Σw·pop·y for ``population_share``),
        ``denominator`` (Σw; Σw·pop), ``largest``, ``largest_weighted`` (y, wy; of ``population_share`` the
        largest population, weighted, whatever its answer) and ``second_largest`` (y). ``share`` and
        ``population_share`` exist for binary indicators, ``total`` for the others. A cell without any answer
        has no row.
    """
    answers = indicators.dropna(subset=["value"]).merge(respondents, on="unit_id", validate="many_to_one")
    # one order of summation, so that equal sums are equal to the last bit
    answers = answers.sort_values("unit_id", kind="stable", ignore_index=True)
    value, weight = answers["value"].astype(float), answers["weight"].astype(float)
    population, binary = answers["population"].astype(float), answers["kind"] == "binary"
    base = answers[["unit_type", "indicator"]].astype("category")
    shares = base.assign(statistic="share", amount=value, size=1.0, weight=weight)[binary]
    people = shares.assign(statistic="population_share", amount=value * population, size=population[binary])
    totals = base.assign(statistic="total", amount=value, size=1.0, weight=weight)[~binary]
    places = list(partitions(answers, areas))
    parts = [
        _composition(rows, place.loc[rows.index])
        for rows in (shares, people, totals)
        for place in places
        if len(rows)
    ]
    made = pd.concat(parts, ignore_index=True)
    return made[is_released(made, areas)].sort_values(list(KEYS), ignore_index=True)


def _composition(rows: pd.DataFrame, places: pd.DataFrame) -> pd.DataFrame:
    """Cells of one statistic in one breakdown; rows come in the order of the units."""
    keys = ["unit_type", "indicator", *CELL]
    frame = pd.concat([rows, places.astype("category")], axis=1)
    statistic = frame["statistic"].iloc[0]
    weighted = frame["weight"] * frame["amount"]
    of_people = statistic == "population_share"
    frame = frame.assign(
        positive=frame["amount"] != 0,
        weighted=weighted,
        weighted_size=frame["weight"] * frame["size"],
    )
    frame["contribution"] = frame["size"] if of_people else frame["amount"]
    frame["weighted_contribution"] = frame["weighted_size"] if of_people else frame["weighted"]
    made = frame.groupby(keys, observed=True).agg(
        respondents=("amount", "size"),
        weighted_units=("weight", "sum"),
        positive_respondents=("positive", "sum"),
        numerator=("weighted", "sum"),
        denominator=("weighted_size", "sum"),
        largest=("contribution", "max"),
        largest_weighted=("weighted_contribution", "max"),
    )
    ranked = frame[[*keys, "contribution"]].sort_values("contribution", ascending=False, kind="stable")
    seconds = ranked[ranked.groupby(keys, observed=True).cumcount() == 1].set_index(keys)["contribution"]
    made["second_largest"] = seconds.reindex(made.index).fillna(0.0)
    made = made.reset_index().astype(dict.fromkeys(keys, str))
    return made.assign(statistic=statistic)[[*KEYS, *_COMPOSED]]
