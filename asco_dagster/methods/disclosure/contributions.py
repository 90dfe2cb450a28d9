"""What each cell is made of: counts, numerators and largest contributors, from respondents and weights.

These columns feed the primary rules and never leave the working database. Estimates and their precision are
not computed here.
"""

import pandas as pd

from asco_dagster.methods.disclosure.rules import AUXILIARY, CELL, KEYS, TOTAL

_AREA = {"france": None, "region": "region_code", "departement": "departement_code"}
_COMPOSED = ["respondents", "weighted_units", *AUXILIARY]
_GROUPED = ("unit_type", "indicator", "region_code", "departement_code", "size_class")


def contributions(respondents: pd.DataFrame, indicators: pd.DataFrame, domains: pd.DataFrame) -> pd.DataFrame:
    """Composition of every cell: unit type × indicator × statistic × domain.

    Args:
        respondents: one row per respondent: ``unit_id``, ``unit_type``, ``region_code``,
            ``departement_code``,
            ``size_class``, ``population`` (inhabitants), ``weight``.
        indicators: one row per respondent × indicator: ``unit_id``, ``indicator``, ``value``; a missing value
            is an unanswered question and leaves the cell.
        domains: the cells wanted: ``geography`` (``france``, ``region``, ``departement``), ``area_code``,
            ``size_class`` (``total`` or a class).

    Returns:
        Rows in the order of ``KEYS`` with ``respondents`` (answers, unweighted), ``weighted_units`` (Σw),
        ``positive_respondents`` (answers ≠ 0), ``numerator`` (Σwy; Σw·pop·y for ``population_share``),
        ``denominator`` (Σw; Σw·pop), ``largest``, ``largest_weighted`` (y, wy) and ``second_largest`` (y),
        where y stands for pop·y in ``population_share``. ``share`` and ``population_share`` exist for
        indicators whose values lie in 0..1; ``total`` for all. A domain without any answer has no row.
    """
    answers = indicators.dropna(subset=["value"]).merge(respondents, on="unit_id", validate="many_to_one")
    # one order of summation, so that equal sums are equal to the last bit; and of equal values the first unit
    answers = answers.assign(value=answers["value"].astype(float)).sort_values("unit_id", kind="stable")
    # As categories, so that the texts are compared once and not again for each breakdown.
    answers = answers.assign(**{name: answers[name].astype(str).astype("category") for name in _GROUPED})
    reach = answers.groupby("indicator", observed=True)["value"].agg(["min", "max"])
    bounded = set(reach.index[(reach["min"] >= 0) & (reach["max"] <= 1)])
    ones = pd.Series(1.0, index=answers.index)
    variants = {
        "share": (answers["indicator"].isin(bounded), ones),
        "population_share": (answers["indicator"].isin(bounded), answers["population"].astype(float)),
        "total": (ones.astype(bool), ones),
    }
    parts = []
    for statistic, (kept, size) in variants.items():
        sized = answers.assign(amount=answers["value"] * size, size=size)[kept]
        for geography, with_class in dict.fromkeys(
            zip(domains["geography"], domains["size_class"] != TOTAL, strict=True)
        ):
            wanted = domains[
                (domains["geography"] == geography) & ((domains["size_class"] != TOTAL) == with_class)
            ]
            parts.append(_composition(sized, statistic, geography, with_class, wanted))
    return pd.concat(parts, ignore_index=True).sort_values(list(KEYS), ignore_index=True)


def _composition(
    sized: pd.DataFrame, statistic: str, geography: str, with_class: bool, wanted: pd.DataFrame
) -> pd.DataFrame:
    """Cells of one statistic and geography, by class or over all classes, kept where ``wanted`` lists them.

    ``sized`` comes in the order of the units.
    """
    area = _AREA[geography]
    keys = ["unit_type", "indicator", *([area] if area else []), *(["size_class"] if with_class else [])]
    frame = sized[[*keys, "value", "weight", "amount", "size"]].assign(
        positive=sized["value"] != 0,
        weighted=sized["weight"] * sized["amount"],
        weighted_size=sized["weight"] * sized["size"],
    )
    made = frame.groupby(keys, observed=True).agg(
        respondents=("value", "size"),
        weighted_units=("weight", "sum"),
        positive_respondents=("positive", "sum"),
        numerator=("weighted", "sum"),
        denominator=("weighted_size", "sum"),
        largest=("amount", "max"),
        largest_weighted=("weighted", "max"),
    )
    ranked = frame[[*keys, "amount"]].sort_values("amount", ascending=False, kind="stable")
    seconds = ranked[ranked.groupby(keys, observed=True).cumcount() == 1].set_index(keys)["amount"]
    made["second_largest"] = seconds.reindex(made.index).fillna(0.0)
    made = made.reset_index().astype(dict.fromkeys(keys, str))
    cells = made.assign(
        statistic=statistic,
        geography=geography,
        area_code=made[area] if area else wanted["area_code"].iloc[0],
        size_class=made["size_class"] if with_class else TOTAL,
    )
    return cells[[*KEYS, *_COMPOSED]].merge(wanted[list(CELL)].drop_duplicates(), on=list(CELL), how="inner")
