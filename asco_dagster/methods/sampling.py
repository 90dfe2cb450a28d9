"""Stratified sampling: how many units each stratum gives, and which ones.

Belongs here: allocation of a sample over strata and the seeded draw without replacement. Does not belong
here: which units make up a stratum or what the wave file asks for (the estimation layer), and what happens
to units that do not answer (``response``).
"""

from typing import Literal

import numpy as np
import pandas as pd

from asco_dagster.errors import EstimationError

AllocationMethod = Literal["proportional", "neyman"]


def allocate(
    strata: pd.DataFrame,
    n: int,
    *,
    minimum_per_stratum: int = 1,
    method: AllocationMethod = "proportional",
    spread: pd.Series | None = None,
) -> pd.DataFrame:
    """Share ``n`` units out over the strata, exactly.

    Take-all strata are taken whole. Each other stratum h receives ``clip(λ·s_h, m_h, N_h)``, where ``s_h`` is
    its population (or its ``size_measure``) for the proportional method and ``N_h·S_h`` for Neyman's, ``m_h``
    the minimum (never above ``N_h``) and λ the one factor that spends all units. Fractions are rounded by the
    largest remainder, ties by the order of the stratum codes.

    Args:
        strata: one row per stratum: ``stratum``, ``population`` (units of the frame), ``take_all`` (boolean)
            and, optionally, ``size_measure`` (replaces the population in the proportional method).
        n: units to draw in all.
        minimum_per_stratum: least number of units a stratum gives, or all it has when it has fewer.
        method: ``proportional`` or ``neyman``.
        spread: standard deviation of the allocation variable, indexed by stratum; Neyman only.

    Returns:
        ``stratum``, ``population``, ``sample`` in the order of the stratum codes; ``sample`` sums to ``n``.

    Raises:
        EstimationError: the strata are malformed, or ``n`` is outside what they allow.

    Source: Cochran, *Sampling Techniques* (1977), sections 5.5 and 5.8; Neyman (1934).
    """
    table = _checked_strata(strata)
    population = table["population"].to_numpy(dtype=np.int64)
    take_all = table["take_all"].to_numpy(dtype=bool)
    low = np.where(take_all, population, np.minimum(population, minimum_per_stratum))
    _check_total(n, population, low, take_all)
    size = _allocation_size(table, method, spread)
    shares = _bounded_shares(size, low, population, n)
    sample = _largest_remainder(shares, population, n)
    return pd.DataFrame({"stratum": table["stratum"], "population": population, "sample": sample})


def power_sizes(population: pd.Series, area: pd.Series, power: float) -> pd.Series:
    """Size measure of a power allocation: areas share the sample by a power of their units.

    ``N_h·N_a^(q − 1)`` of stratum h in area a: an area gets a share in proportion to ``N_a^q``, and its
    strata share that by their units. q = 1 is the proportional allocation, with the smallest error of the
    whole; q = 0 gives every area the same, for errors that are alike between areas of any size.

    Args:
        population: units of each stratum that is not taken whole.
        area: area of each, aligned.
        power: q, between 0 and 1.

    Returns:
        ``size_measure`` for :func:`allocate`, aligned; its level is of no account.

    Source: Bankier, "Power allocations: determining sample sizes for subnational areas", The American
    Statistician 42 (1988), with the units as the measure of importance and the same spread everywhere.
    """
    whole = population.groupby(area).transform("sum").astype(float)
    return population * whole ** (power - 1)


def draw(frame: pd.DataFrame, allocation: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Draw a stratified simple random sample without replacement.

    Each unit of the frame, in the order of ``unit_id``, receives one uniform number of a PCG64 generator;
    a stratum gives the units with its smallest numbers. So the draw depends on the seed and on which units
    exist, never on the order in which they arrive.

    Args:
        frame: ``unit_id`` (unique) and ``stratum``, one row per unit.
        allocation: ``stratum``, ``population``, ``sample`` as :func:`allocate` gives them.
        seed: seed of the generator.

    Returns:
        The sampled units by ``unit_id``: ``unit_id``, ``stratum``, ``stratum_population``,
        ``stratum_sample``, ``inclusion_probability`` (sample over population of the stratum).

    Raises:
        EstimationError: a unit is there twice, or frame and allocation disagree on a stratum.
    """
    units = frame[["unit_id", "stratum"]].sort_values("unit_id", kind="stable", ignore_index=True)
    _check_frame(units, allocation)
    sizes = allocation.set_index("stratum")["sample"]
    units["stratum_population"] = units.groupby("stratum")["unit_id"].transform("size").astype("int64")
    units["stratum_sample"] = units["stratum"].map(sizes).astype("int64")
    generator = np.random.Generator(np.random.PCG64(seed))
    units["luck"] = generator.random(len(units))
    rank = units.groupby("stratum")["luck"].rank(method="first")
    sample = units[rank <= units["stratum_sample"]].drop(columns="luck").reset_index(drop=True)
    sample["inclusion_probability"] = sample["stratum_sample"] / sample["stratum_population"]
    return sample


def _checked_strata(strata: pd.DataFrame) -> pd.DataFrame:
    """The strata by code, after the checks that need no target size."""
    missing = {"stratum", "population", "take_all"} - set(strata.columns)
    if missing:
        raise EstimationError(
            f"the table of strata lacks {', '.join(sorted(missing))}",
            expected="the columns stratum, population and take_all",
        )
    twice = strata.loc[strata["stratum"].duplicated(), "stratum"]
    if len(twice):
        raise EstimationError(
            f"stratum {twice.iloc[0]} is there twice",
            expected="one row per stratum",
            remedy="Merge the rows before allocating",
        )
    if strata["population"].isna().any() or (strata["population"] < 0).any():
        raise EstimationError("a stratum has no population or a negative one", expected="a count of units")
    return strata.sort_values("stratum", ignore_index=True)


def _check_total(n: int, population: np.ndarray, low: np.ndarray, take_all: np.ndarray) -> None:
    """Refuse a total that the frame cannot give, or that the take-all strata and minima already exceed."""
    if n > population.sum():
        raise EstimationError(
            f"the sample size {n} is larger than the frame",
            expected=f"at most {population.sum()} units",
            remedy="Lower the sample size of the wave",
        )
    if n < low.sum():
        raise EstimationError(
            f"the sample size {n} is too small: take-all strata ask for {low[take_all].sum()} units "
            f"and the minima of the others for {low[~take_all].sum()}",
            expected=f"at least {low.sum()} units",
            remedy="Raise the sample size, the take-all threshold, or lower the minimum per stratum",
        )


def _allocation_size(table: pd.DataFrame, method: str, spread: pd.Series | None) -> np.ndarray:
    """What the allocation is proportional to, strictly positive where a stratum has units."""
    population = table["population"].to_numpy(dtype=float)
    if method == "neyman":
        if spread is None:
            raise EstimationError("Neyman allocation has no spread", remedy="Name its allocation variable")
        lacking = table.loc[~table["stratum"].isin(spread.index) & ~table["take_all"].astype(bool), "stratum"]
        if len(lacking):
            raise EstimationError(f"stratum {lacking.iloc[0]} has no spread for Neyman allocation")
        deviation = table["stratum"].map(spread).astype(float).fillna(0.0).to_numpy()
        size = population * deviation
    elif method == "proportional":
        size = table["size_measure"].to_numpy(dtype=float) if "size_measure" in table else population.copy()
    else:
        raise EstimationError(f"allocation method “{method}” is unknown", expected="proportional or neyman")
    if not np.isfinite(size).all() or (size < 0).any():
        raise EstimationError("the size or the spread of a stratum is missing, negative or infinite")
    largest = size.max(initial=0.0)
    if largest == 0:
        return population
    # A stratum without spread still takes what the others have no room for.
    return np.maximum(size / largest, 1e-9 * population / max(population.sum(), 1.0))


def _bounded_shares(size: np.ndarray, low: np.ndarray, high: np.ndarray, n: int) -> np.ndarray:
    """``clip(λ·size, low, high)`` with λ such that the sum is ``n``, by bisection (the sum grows with λ)."""
    ceilings = high / np.where(size > 0, size, 1.0)
    left, right = 0.0, float(ceilings.max(initial=0.0)) + 1.0
    for _ in range(400):
        middle = (left + right) / 2
        if np.clip(middle * size, low, high).sum() < n:
            left = middle
        else:
            right = middle
    return np.clip(right * size, low, high)


def _largest_remainder(shares: np.ndarray, high: np.ndarray, n: int) -> np.ndarray:
    """Round to whole units that sum to ``n``; ties go to the first stratum."""
    # Nine decimals: a share of 2.9999999999 is 3, whichever way the machine rounds.
    shares = np.round(shares, 9)
    whole = np.floor(shares).astype(np.int64)
    remainder = np.where(whole < high, shares - whole, -1.0)
    order = np.argsort(-remainder, kind="stable")
    whole[order[: n - whole.sum()]] += 1
    return whole


def _check_frame(units: pd.DataFrame, allocation: pd.DataFrame) -> None:
    """Refuse a frame that is not the one the allocation was made for."""
    twice = units.loc[units["unit_id"].duplicated(), "unit_id"]
    if len(twice):
        raise EstimationError(f"unit {twice.iloc[0]} is in the frame twice", expected="one row per unit")
    found = units["stratum"].value_counts()
    wanted = allocation.set_index("stratum")["population"]
    wanted = wanted[wanted > 0]
    both = pd.concat([found.rename("found"), wanted.rename("wanted")], axis=1).fillna(0).sort_index()
    differing = both[both["found"] != both["wanted"]]
    if len(differing):
        first = differing.iloc[0]
        raise EstimationError(
            f"{len(differing)} strata differ between frame and allocation, the first being "
            f"{differing.index[0]} with {int(first['found'])} units",
            expected=f"{int(first['wanted'])} units, as in the allocation",
            remedy="Allocate again on this frame",
        )
