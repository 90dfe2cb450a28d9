"""Large units that were certain to be in the sample and did not answer: whom to call, and what is imputed.

What such a unit does cannot be read from others of its stratum: there are none of its size. Weighting the
others up gives its euros to towns that do not have them, and misses them where it is. So it represents
itself: its amounts are imputed from the model of its size (``model_errors``), with their error, and marked;
its yes and no stay open.
"""

import pandas as pd

FOLLOWED_FROM = 0.02
"""Share of its area's population from which a silent unit is listed for follow-up."""
IMPUTED_FROM = 0.10
"""Share of its area's population from which a silent unit is imputed instead of weighted away."""
CELLS = (["departement_code"], ["region_code", "size_class"])
"""Breakdowns that are published beside France's."""


def silent_units(sample: pd.DataFrame, frame: pd.DataFrame, area: str) -> pd.DataFrame:
    """Silent units taken with certainty that make up much of their area.

    Args:
        sample: sampled units of one type: ``unit_id``, ``inclusion_probability``, ``response_status``,
            ``population``, the columns of ``CELLS`` and the column ``area``.
        frame: every unit of the population of that type: ``population`` and the column ``area``.
        area: the area that the sample represents: ``departement_code`` of communes, ``region_code`` of EPCI.

    Returns:
        The units by falling share of their area: the columns of the sample, ``area_code``,
        ``area_population``, ``share_of_area`` (at least ``FOLLOWED_FROM``), ``is_imputed`` (at least
        ``IMPUTED_FROM``, and each published cell that it is in has a respondent: in a cell without one there
        is no estimate to add its amount to, and parts would not add up to their total).

    Source: practice of business surveys, where large units that do not answer are followed up, then imputed
    one by one: Haziza & Beaumont, "Construction of weights in surveys", Statistical Science 32 (2017).
    """
    answered = sample["response_status"] == "respondent"
    silent = sample[~answered & (sample["inclusion_probability"] > 1 - 1e-9)]
    areas = frame.groupby(area, observed=True)["population"].sum()
    population = silent[area].map(areas).astype(float)
    listed = silent.assign(
        area_code=silent[area].astype(str),
        area_population=population,
        share_of_area=silent["population"].astype(float) / population,
    )
    listed = listed[listed["share_of_area"] >= FOLLOWED_FROM]
    beside = [
        pd.MultiIndex.from_frame(listed[cell]).isin(pd.MultiIndex.from_frame(sample.loc[answered, cell]))
        for cell in CELLS
    ]
    listed = listed.assign(is_imputed=(listed["share_of_area"] >= IMPUTED_FROM) & beside[0] & beside[1])
    return listed.sort_values(["share_of_area", "unit_id"], ascending=[False, True], ignore_index=True)
