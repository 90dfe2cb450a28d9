"""The strata of a wave's design, on its frame, and the draw of the sample in them."""

import pandas as pd

from asco_dagster.methods.sampling import allocate, draw, power_sizes
from asco_dagster.waves.statistics import Design

TAKE_ALL = ":all"


def design_strata(units: pd.DataFrame, design: Design) -> pd.DataFrame:
    """The stratum of each unit, and whether it is taken with certainty.

    A stratum that the take-all threshold cuts in two is two strata: the part that is taken whole bears the
    same label with ``:all`` behind it.

    Args:
        units: ``stratum`` (the crossing of the wave's variables) and ``population``, one row per unit.
        design: the sample design of this type of unit.

    Returns:
        ``stratum`` and ``take_all``, aligned with the units.
    """
    take_all = units["population"] >= design.take_all_from
    mixed = take_all.groupby(units["stratum"]).transform("nunique") > 1
    stratum = units["stratum"].mask(mixed & take_all, units["stratum"] + TAKE_ALL)
    return pd.DataFrame({"stratum": stratum, "take_all": take_all}, index=units.index)


def draw_by_design(units: pd.DataFrame, design: Design, seed: int) -> pd.DataFrame:
    """Draw the sample of one type of unit from its frame.

    Args:
        units: ``unit_code``, ``stratum``, ``population`` and, for a power allocation, its area, one row per
            unit of the frame.
        design: its sample design.
        seed: seed of the draw; with the same frame it gives the same sample on every machine, for the draw
            goes by the units' codes and not by their pseudonyms.

    Returns:
        ``unit_code``, ``stratum``, ``stratum_population``, ``stratum_sample``, ``inclusion_probability``,
        exactly ``design.size`` rows in the order of the codes.

    Raises:
        EstimationError: the design does not fit the frame; says by how much.
    """
    stratified = design_strata(units, design).assign(
        unit_id=units["unit_code"], population=units["population"]
    )
    groups = stratified.groupby("stratum")
    strata = groups.agg(population=("unit_id", "size"), take_all=("take_all", "all")).reset_index()
    by, spread = design.allocation, None
    if by.area is not None and by.power is not None:
        area = strata["stratum"].map(units.groupby("stratum")[by.area].first())
        sampled = ~strata["take_all"]
        sizes = power_sizes(strata.loc[sampled, "population"], area[sampled], by.power)
        strata["size_measure"] = sizes.reindex(strata.index, fill_value=0.0)
    if by.variable is not None:
        # One unit shows no spread; such a stratum still gets its minimum.
        spread = groups[by.variable].std().fillna(0.0)
    allocation = allocate(
        strata,
        design.size,
        minimum_per_stratum=design.minimum_per_stratum,
        method="proportional" if spread is None else "neyman",
        spread=spread,
    )
    return draw(stratified, allocation, seed).rename(columns={"unit_id": "unit_code"})
