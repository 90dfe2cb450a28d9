"""Covariance of two estimates whose samples share units, as two waves of one survey do."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

MINIMUM = 3
"""Fewest common units in all that a correlation is read from."""


@dataclass(frozen=True)
class Linearised:
    """What one wave's estimates are made of.

    Attributes:
        units: identifier of each respondent, the same in both waves, shape (n,).
        values: weighted residuals ``w_i·e_i`` of k estimates, shape (n, k): their sums are the estimates but
            for constants.
        stratum: stratum of each respondent; both waves have to be cut into the same ones, shape (n,).
        population: units of the population by stratum.
    """

    units: np.ndarray
    values: np.ndarray
    stratum: np.ndarray
    population: pd.Series


def common_units_covariance(first: Linearised, second: Linearised) -> np.ndarray:
    """Covariance of each of k estimates of one wave with the same one of another.

    Within a stratum of N units, of which n₁ and n₂ respond and n_c in both waves,
    ``Cov = Σ_h (n_c − n₁·n₂/N)·ρ·s₁·s₂``, with s the spread of ``w·e`` in each wave's stratum and ρ the
    correlation among the common units, within strata, over the whole (a stratum's own handful gives none).
    Samples drawn without regard to each other have ``n_c = n₁·n₂/N`` on average and no covariance; a second
    sample that avoids the first has fewer, and a **negative** one: the error of the difference is then larger
    than the root of the sum of squares, which is no bound.

    Args:
        first: the former wave.
        second: the later wave, the same k estimates.

    Returns:
        k covariances; 0 where fewer than ``MINIMUM`` units are common or they show no spread.

    Source: Tam, "On covariances from overlapping samples", The American Statistician 38 (1984); Qualité &
    Tillé, "Variance estimation of changes in repeated surveys", Survey Methodology 34 (2008).
    """
    one, other = _centred(first), _centred(second)
    places = pd.Index(second.units).get_indexer(pd.Index(first.units))
    same = np.flatnonzero(places >= 0)
    same = same[first.stratum[same] == second.stratum[places[same]]]
    rho = _correlation(first, second, same, places[same])
    both = pd.Index(one).intersection(pd.Index(other))
    shared = pd.Series(first.stratum[same]).value_counts()
    covariance = np.zeros(first.values.shape[1])
    for stratum in both:
        (count, spread), (count2, spread2) = one[stratum], other[stratum]
        expected = count * count2 / float(first.population[stratum])
        covariance += (float(shared.get(stratum, 0)) - expected) * rho * spread * spread2
    return covariance


def _centred(wave: Linearised) -> dict[object, tuple[int, np.ndarray]]:
    """Respondents of each stratum with two or more, and the spread of each variable among them."""
    rows = pd.Series(np.arange(len(wave.units))).groupby(wave.stratum)
    return {
        stratum: (len(own), wave.values[own].std(axis=0, ddof=1)) for stratum, own in rows if len(own) > 1
    }


def _correlation(first: Linearised, second: Linearised, rows: np.ndarray, rows2: np.ndarray) -> np.ndarray:
    """Correlation of the common units' values within strata, for each variable."""
    if len(rows) < MINIMUM:
        return np.zeros(first.values.shape[1])
    strata = first.stratum[rows]
    parts = []
    for wave, own in ((first, rows), (second, rows2)):
        table = pd.DataFrame(wave.values[own])
        parts.append((table - table.groupby(strata).transform("mean")).to_numpy())
    product = (parts[0] * parts[1]).sum(axis=0)
    size = np.sqrt((parts[0] ** 2).sum(axis=0) * (parts[1] ** 2).sum(axis=0))
    return np.divide(product, size, out=np.zeros_like(product), where=size > 0)
