"""The true value of every cell of a demonstration, from the answers of every unit of its frame.

Nothing of the weighting or of the variance is used here: indicators are made from the answers again, in
pandas, and summed over the whole frame.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from asco_dagster.questionnaires.indicators import Indicator
from asco_dagster.questionnaires.questionnaire import load_questionnaire
from asco_dagster.waves import Wave
from asco_dagster.waves.statistics import AreaGroup

GEOGRAPHIES = {"france": None, "region": "region_code", "departement": "departement_code"}


def indicator_values(truth: pd.DataFrame, indicator: Indicator) -> np.ndarray:
    """The indicator of each unit; NaN where the unit is not asked and left out."""

    def answers(codes: list[str]) -> np.ndarray:
        # A question that its filter excludes counts as no, or as nothing.
        return np.column_stack([pd.to_numeric(truth[code]).astype(float).fillna(0.0) for code in codes])

    if indicator.rule == "value":
        return answers(indicator.questions)[:, 0]
    if indicator.rule == "equals":
        told = truth[indicator.questions[0]]
        wanted = (told == indicator.choice).fillna(False).astype(float).to_numpy()
        missing = told.isna().to_numpy() & (indicator.when_filtered == "missing")
        return np.where(missing, np.nan, wanted)
    if indicator.rule == "any":
        return (answers(indicator.questions) > 0).any(axis=1).astype(float)
    if indicator.rule == "count_between":
        low, high = indicator.between or (0, 0)
        count = answers(indicator.questions).sum(axis=1)
        return ((count >= low) & (count <= high)).astype(float)
    held = np.ones(len(truth), dtype=bool)
    if indicator.all_yes:
        held &= (answers(indicator.all_yes) == 1).all(axis=1)
    if indicator.all_no:
        held &= (answers(indicator.all_no) == 0).all(axis=1)
    return held.astype(float)


def true_cells(truth: pd.DataFrame, wave: Wave) -> pd.DataFrame:
    """``unit_type``, ``indicator``, ``statistic``, ``geography``, ``area_code``, ``size_class``, ``true``.

    Areas that the wave publishes together have cells of their own, beside those of each area.
    """
    tables = []
    for unit_type in ("commune", "epci"):
        units = truth[truth["unit_type"] == unit_type].reset_index(drop=True)
        for indicator in load_questionnaire(wave.questionnaire).indicators[unit_type]:
            values = indicator_values(units, indicator)
            groups = [group for group in wave.disclosure.recoding if unit_type in group.unit_types]
            own = _cells(units, values, indicator.kind == "binary", groups)
            tables.append(own.assign(unit_type=unit_type, indicator=indicator.code))
    return pd.concat(tables, ignore_index=True)


def _cells(
    units: pd.DataFrame, values: np.ndarray, binary: bool, groups: Sequence[AreaGroup]
) -> pd.DataFrame:
    known = ~np.isnan(values)
    people = units["population"].to_numpy(dtype=float)
    sums = units[["region_code", "departement_code", "size_class"]].assign(
        one=known.astype(float),
        y=np.where(known, values, 0.0),
        people=people * known,
        covered=np.where(known, values, 0.0) * people,
    )
    tables = []
    areas: list[tuple[str, pd.Series]] = [
        (geography, sums[column] if column else pd.Series("FR", index=sums.index))
        for geography, column in GEOGRAPHIES.items()
    ]
    for group in groups:
        inside = sums[f"{group.geography}_code"].isin(group.areas)
        areas.append((group.geography, pd.Series(group.code, index=sums.index).where(inside)))
    for geography, area in areas:
        for size in (sums["size_class"], pd.Series("total", index=sums.index)):
            keys = [area.rename("area_code"), size.rename("size_class")]
            cells = sums[["one", "y", "people", "covered"]].groupby(keys).sum().reset_index()
            tables.append(cells.assign(geography=geography))
    cells = pd.concat(tables, ignore_index=True)
    statistics = (
        {"share": cells["y"] / cells["one"], "population_share": cells["covered"] / cells["people"]}
        if binary
        else {"total": cells["y"], "mean": cells["y"] / cells["one"]}
    )
    keys = ["geography", "area_code", "size_class"]
    return pd.concat([cells[keys].assign(statistic=name, true=true) for name, true in statistics.items()])
