"""How invented answers differ between départements and régions beyond the size of their units.

The true spread is not published: the sizes here are this project's assumptions, chosen so that a map of the
demonstration shows something and methods for small areas have something to find.
"""

from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pandas as pd

from asco_dagster.demonstration.aid_values import aid_tables
from asco_dagster.demonstration.census_file import age_groups
from asco_dagster.demonstration.frame import Territory, departement_populations
from asco_dagster.waves import Wave

DEPARTEMENT, REGION = 0.5, 0.2
"""Standard deviations, between départements and between régions, of the logit of a yes."""
BY_PROFILE = 0.6
"""Correlation of a département's effect with its age structure and its social assistance."""
OF_AMOUNTS = 0.4
"""What the effect is multiplied by in the logarithm of euros, people, staff and establishments."""
TOTAL_SPENDING = "Tot-tab2"
_FROM_75 = 15  # number of the five-year band


@dataclass(frozen=True)
class Geography:
    """Where units are.

    Attributes:
        departement: number of each unit's département, shape (n,).
        region: number of each département's région, shape (d,).
        score: standard normal score of each département's profile, shape (d,).
    """

    departement: np.ndarray
    region: np.ndarray
    score: np.ndarray

    def effects(self, generator: np.random.Generator) -> np.ndarray:
        """Effect of its area on the logit of each unit, drawn for one question, shape (n,)."""
        regions = generator.normal(0.0, REGION, self.region.max(initial=-1) + 1)
        rest = generator.normal(0.0, np.sqrt(1 - BY_PROFILE**2), len(self.score))
        return (DEPARTEMENT * (BY_PROFILE * self.score + rest) + regions[self.region])[self.departement]


def geography(frame: pd.DataFrame, scores: pd.Series) -> Geography:
    """The places of units.

    Args:
        frame: ``departement_code`` and ``region_code``, one row per unit.
        scores: score by département, see :func:`departement_scores`; 0 where there is none.

    Returns:
        Their geography, départements and régions in the order of their codes.
    """
    codes, first, departement = np.unique(
        frame["departement_code"].to_numpy(dtype=str), return_index=True, return_inverse=True
    )
    _, region = np.unique(frame["region_code"].to_numpy(dtype=str)[first], return_inverse=True)
    return Geography(departement, region, scores.reindex(codes).fillna(0.0).to_numpy())


def departement_scores(wave: Wave, territory: Territory, seed: int, real: Path | None = None) -> pd.Series:
    """Score of each département: its share of people of 75 and over and its social assistance per inhabitant.

    Both variables are those of the files that the demonstration delivers. Each is taken by its rank, as a
    standard normal score, so that a few départements (overseas) do not make all of the spread.

    Args:
        wave: the wave.
        territory: its territory.
        seed: seed of the demonstration.
        real: folder of the publishers' real files, which are read where they are there.

    Returns:
        Standard normal scores by département code; one with a missing variable (Mayotte) has none.
    """
    groups = age_groups(territory, wave.sources.population_age_sex[0], seed, real)
    people = groups.groupby("departement_code")["population"].sum()
    old = groups[groups["band"] >= _FROM_75].groupby("departement_code")["population"].sum()
    spending = _spending(wave, territory, seed, real)
    known = pd.DataFrame({"age": old / people, "aid": spending / people}).dropna()
    return _normal_scores(_normal_scores(known["age"]) + _normal_scores(known["aid"]))


def _spending(wave: Wave, territory: Territory, seed: int, real: Path | None) -> pd.Series:
    """Social assistance of each département in the wave's year, or the last one before it."""
    address = wave.sources.aid_spending[0].address
    if real is not None and (real / address).is_file():
        from asco_dagster.sources.readers.drees_aid import read_aid_tables

        read = read_aid_tables(real / address, measure="spending_keur")
        read = read[
            read["table_id"].eq(TOTAL_SPENDING)
            & read["row_kind"].eq("departement")
            & read["year"].le(wave.aid_year)
        ]
        return read[read["year"] == read["year"].max()].set_index("area_code")["value"].astype(float)
    table = next(table for table in aid_tables("spending", territory, seed) if table.sheet == TOTAL_SPENDING)
    year = max(number for number, year in enumerate(table.years) if year <= wave.aid_year)
    return pd.Series(table.values[:, year], index=departement_populations(territory)["departement_code"])


def _normal_scores(values: pd.Series) -> pd.Series:
    """Standard normal quantiles of the ranks."""
    return ((values.rank() - 0.5) / len(values)).map(NormalDist().inv_cdf)
