"""Which breakdowns are released, and the wave's rules in the form that the methods take.

France × size class, région × size class, département over all sizes: finer estimates exist and stay inside.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from asco_dagster.methods.disclosure.rules import TOTAL, DisclosureRules
from asco_dagster.warehouse import read_table
from asco_dagster.waves import Wave


def is_released(cells: pd.DataFrame) -> pd.Series:
    """Which rows of a table of estimates lie in a released breakdown (columns geography and size_class)."""
    over_all_sizes = cells["size_class"] == TOTAL
    return cells["geography"].isin(["france", "region"]) | (
        (cells["geography"] == "departement") & over_all_sizes
    )


def rounding_steps(wave: Wave) -> dict[str, float]:
    """Rounding step of each kind of released number, as the attack takes them."""
    share, total = 10.0**-wave.release.decimals_share, 10.0**-wave.release.decimals_total
    return {
        "share": share,
        "population_share": share,
        "total": total,
        "weighted_units": total,
        "denominator": total,
    }


def regions_of(database: Any) -> dict[str, str]:
    """Région of each département of the wave's territory."""
    areas = read_table(database, "est_profile__departements", ["departement_code", "region_code"])
    return dict(zip(areas["departement_code"], areas["region_code"], strict=True))


def rules_of(wave: Wave) -> DisclosureRules:
    """The disclosure rules of a wave."""
    return rules_from(wave.disclosure.model_dump())


def rules_from(declared: Mapping[str, Any]) -> DisclosureRules:
    """The rules as a wave file, or the manifest of a release, declares them."""
    return DisclosureRules(
        threshold=declared["minimum_respondents"],
        dominance=declared["dominance_share"],
        group_threshold=declared["group_threshold"],
        protection=declared["protection_level"],
        sole_over_france=declared.get("sole_over_france", False),  # releases made before it was a rule
    )
