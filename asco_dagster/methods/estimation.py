"""Estimates for domains: shares, shares of population covered, totals and means, with their precision.

Belongs here: the statistics, their linearised variables and the table of estimates. Does not belong here:
weights (``calibration``), the variance formula (``precision``), which estimates are released.

Missing answers (NaN): shares and means are over the units that answered. A total counts a unit without an
answer as 0, so amounts are to be imputed before; ``respondents`` tells how many did answer.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from asco_dagster.errors import EstimationError
from asco_dagster.methods.domains import EstimationDomains
from asco_dagster.methods.intervals import effective_size, normal_interval, share_interval
from asco_dagster.methods.precision import ResidualVariance, SurveyDesign

IndicatorKind = Literal["share", "amount"]
MEASURES = (
    "estimate",
    "standard_error",
    "ci_low",
    "ci_high",
    "cv",
    "deff",
    "respondents",
    "weighted_units",
    "contributors",
    "effective_size",
)
# Statistics of each kind of indicator, in the order of the table.
STATISTICS: dict[IndicatorKind, tuple[str, str]] = {
    "share": ("share", "population_share"),
    "amount": ("total", "mean"),
}
CELLS = 4_000_000
"""Numbers of a domain that are worked on at once, a row a respondent: at true size a domain has fewer."""

_Measures = dict[str, np.ndarray]
_Part = tuple[str, np.ndarray, np.ndarray]  # statistic, size of each unit, values


def estimate(
    design: SurveyDesign,
    values: pd.DataFrame,
    kinds: Mapping[str, IndicatorKind],
    domains: EstimationDomains,
    *,
    population: np.ndarray | None = None,
) -> pd.DataFrame:
    """Estimate every indicator in every domain.

    A ``share`` indicator (0/1) gives ``share`` = Σ w y / Σ w and, when the population is given,
    ``population_share`` = Σ w pop y / Σ w pop. An ``amount`` gives ``total`` = Σ w y and
    ``mean`` = Σ w y / Σ w.
    Standard errors are those of :class:`~asco_dagster.methods.precision.ResidualVariance`; intervals are at
    95 % (Wilson at the effective size for shares, normal otherwise); ``cv`` is the standard error over the
    absolute estimate (NaN at 0); ``deff`` compares the variance with that of a simple random sample without
    replacement of as many answers from the domain (Kish), NaN where that is 0. A domain without an answer has
    NaN and no respondent.

    Args:
        design: weights, calibration variables and strata of the n respondents.
        values: one row per respondent, in the order of the design; one column per indicator.
        kinds: kind of each indicator; all columns of ``values`` must be named.
        domains: domains of estimation of the same respondents.
        population: inhabitants of each respondent, shape (n,).

    Returns:
        One row per indicator, statistic and domain, in that order: ``indicator``, ``statistic``,
        ``geography``, ``area_code``, ``size_class``, ``estimate``, ``standard_error``, ``ci_low``,
        ``ci_high``, ``cv``, ``deff``, ``respondents`` (unweighted, with an answer), ``weighted_units``
        (their weights), ``contributors`` (see :func:`_contributors`), ``effective_size`` (of shares the n* of
        their interval, of totals and means that of :func:`_effective_size`).

    Raises:
        EstimationError: lengths differ, a weight is not positive, an indicator has no kind, or a share is
            outside 0 to 1.

    Source: Särndal, Swensson & Wretman (1992), sections 5.6 (ratios) and 5.8 (domains); Woodruff (1971).
    """
    _check_inputs(design, values, kinds, domains, population)
    variance = ResidualVariance(design)
    one = np.ones(len(values))
    statistics: list[tuple[str, IndicatorKind, np.ndarray]] = [("share", "share", one)]
    if population is not None:
        statistics.append(("population_share", "share", np.asarray(population, dtype=float)))
    statistics += [("total", "amount", one), ("mean", "amount", one)]
    names = {kind: [str(name) for name in values if kinds[str(name)] == kind] for kind in STATISTICS}
    of_kind = {kind: values[own].to_numpy(dtype=float) for kind, own in names.items()}
    statistics = [one for one in statistics if names[one[1]]]
    parts = [(statistic, size, of_kind[kind]) for statistic, kind, size in statistics]
    measures = _all_domains(variance, parts, domains)
    tables = [
        _table(own, names[kind], statistic, domains.table)
        for own, (statistic, kind, _) in zip(measures, statistics, strict=True)
    ]
    order = {name: position for position, name in enumerate(values.columns)}
    result = pd.concat(tables, ignore_index=True)
    return result.sort_values(
        "indicator", key=lambda names: names.map(order), kind="stable", ignore_index=True
    )


def _check_inputs(
    design: SurveyDesign,
    values: pd.DataFrame,
    kinds: Mapping[str, IndicatorKind],
    domains: EstimationDomains,
    population: np.ndarray | None,
) -> None:
    """Refuse inputs that do not describe the same respondents."""
    n = len(design.weights)
    lengths = {len(values), len(domains.membership), design.x.shape[0], len(design.stratum), n}
    lengths |= {len(population)} if population is not None else set()
    if len(lengths) > 1 or not n or not len(values.columns):
        raise EstimationError(
            "weights, values, strata, domains and population do not describe the same respondents",
            expected=f"{n} rows in each and at least one indicator",
        )
    check_weights(design.weights)
    check_weights(design.initial_weights)
    unnamed = [str(name) for name in values.columns if kinds.get(str(name)) not in ("share", "amount")]
    if unnamed:
        raise EstimationError(f"indicator {unnamed[0]} has no kind", expected="share or amount")
    shares = values[[name for name in values.columns if kinds[str(name)] == "share"]].to_numpy(dtype=float)
    if (shares < 0).any() or (shares > 1).any():
        raise EstimationError("a share indicator has a value outside 0 to 1")


def check_weights(weights: np.ndarray) -> None:
    """Refuse weights that are zero, negative, infinite or missing: each silently drops or doubles a unit."""
    bad = np.flatnonzero(~(np.isfinite(weights) & (np.asarray(weights) > 0)))
    if bad.size:
        raise EstimationError(
            f"{bad.size} of {len(weights)} weights are not positive numbers, "
            f"the first being {weights[bad[0]]} in row {bad[0]}",
            expected="one positive, finite weight a respondent",
            remedy="Leave units without a weight out, or find out which step lost it",
        )


def _all_domains(
    variance: ResidualVariance, parts: list[_Part], domains: EstimationDomains
) -> list[_Measures]:
    """The measures of each statistic, each of shape (indicators, domains).

    The variances of all statistics of a domain are computed at once: what they share is then read once.
    """
    names = (
        "estimate",
        "variance",
        "simple",
        "effective_size",
        "respondents",
        "weighted_units",
        "contributors",
    )
    measures = [
        {name: np.full((y.shape[1], len(domains.table)), np.nan) for name in names} for _, _, y in parts
    ]
    for number, rows in domains.members():
        for pieces in _pieces([y.shape[1] for _, _, y in parts], len(rows)):
            made = [
                _one_domain(
                    variance, parts[part][2][rows, chosen], parts[part][1][rows], rows, parts[part][0]
                )
                for part, chosen in pieces
            ]
            together = variance.of(rows, np.hstack([z for z, _ in made]))
            ends = np.cumsum([z.shape[1] for z, _ in made])[:-1]
            for (part, chosen), (_, own), found in zip(pieces, made, np.split(together, ends), strict=True):
                own["variance"] = np.where(own["respondents"] > 0, found, np.nan)
                for name, value in own.items():
                    measures[part][name][chosen, number] = value
    return measures


def _pieces(widths: Sequence[int], rows: int) -> Iterator[list[tuple[int, slice]]]:
    """Columns of tables of these widths, as many together as there is room for; all in a small domain."""
    room = max(1, CELLS // max(1, rows))
    pieces: list[tuple[int, slice]] = []
    left = room
    for part, width in enumerate(widths):
        first = 0
        while first < width:
            if not left:
                yield pieces
                pieces, left = [], room
            last = min(width, first + left)
            pieces.append((part, slice(first, last)))
            left, first = left - (last - first), last
    if pieces:
        yield pieces


def _one_domain(
    variance: ResidualVariance, y: np.ndarray, size: np.ndarray, rows: np.ndarray, statistic: str
) -> tuple[np.ndarray, _Measures]:
    """Linearised variables of all indicators of one statistic in one domain, and all but their variances."""
    answered = ~np.isnan(y)
    y = np.where(answered, y, 0.0)
    weights = variance.weights[rows]
    units = weights @ answered
    counts = answered.sum(axis=0)
    if statistic == "total":
        result, z = weights @ y, y
    else:
        base = size[:, None] * answered
        denominator = weights @ base
        with np.errstate(divide="ignore", invalid="ignore"):
            result = (weights @ (y * size[:, None])) / denominator
            z = np.where(denominator != 0, base * (y - result) / denominator, 0.0)
    result = np.where(counts > 0, result, np.nan)
    weighted_size = weights[:, None] * size[:, None] * answered
    uncertain = weighted_size * np.sqrt(variance.unsampled[rows])[:, None]
    contributors = _contributors(uncertain * y)
    # A share of 0 or 1 has the size of its weights; what a total is made of are its amounts.
    counted = weighted_size
    if statistic in STATISTICS["share"]:
        contributors = np.minimum(contributors, _contributors(uncertain * (1 - y)))
    else:
        counted = weighted_size * y
    return z, {
        "estimate": result,
        "simple": _simple_variance(z, weights, answered, result),
        "effective_size": _effective_size(counted, variance.unsampled[rows]),
        "respondents": counts.astype(float),
        "weighted_units": units,
        "contributors": contributors,
    }


def _contributors(parts: np.ndarray) -> np.ndarray:
    """How many equal contributors would be as uneven as these: ``(Σ c)²/Σ c²``, 0 without any.

    ``c = w·x·y·√(1 − f)``, so that a unit taken with certainty, which adds no error, does not count; of a
    share, the yes or the no, whichever has fewer.

    Source: Kish, *Survey Sampling* (1965), section 11.7 (the effective size of uneven weights).
    """
    squares = (parts**2).sum(axis=0)
    return np.where(squares > 0, parts.sum(axis=0) ** 2 / np.where(squares > 0, squares, 1.0), 0.0)


def _effective_size(parts: np.ndarray, unsampled: np.ndarray) -> np.ndarray:
    """How many equal parts would be as uncertain as these: ``(Σ c)²/Σ (1 − f)c²``.

    Units taken with certainty count as known: infinite where all are, NaN without any part.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return parts.sum(axis=0) ** 2 / (unsampled @ parts**2)


def _simple_variance(
    z: np.ndarray, weights: np.ndarray, answered: np.ndarray, result: np.ndarray
) -> np.ndarray:
    """Variance that a simple random sample of as many answers from the domain would have.

    NaN where it is 0 but for rounding: answers that are all the same, or a domain where every unit answered.
    """
    units, counts = weights @ answered, answered.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (weights @ (z * answered)) / units
        spread = (weights @ (answered * (z - mean) ** 2)) / units * counts / (counts - 1)
        simple = units * (units - counts) * spread / counts
    sampled = (counts > 1) & (units - counts > 1e-6 * counts)
    return np.where(sampled & (simple > (1e-9 * np.abs(result)) ** 2), simple, np.nan)


def _table(measures: _Measures, indicators: list[str], statistic: str, domains: pd.DataFrame) -> pd.DataFrame:
    """The measures of one statistic as rows."""
    result, error = measures["estimate"], np.sqrt(measures["variance"])
    size = measures["effective_size"]
    if statistic in STATISTICS["share"]:
        size = effective_size(result, measures["variance"], size)
        low, high = share_interval(result, size)
    else:
        low, high = normal_interval(result, error)
    with np.errstate(divide="ignore", invalid="ignore"):
        cv = np.where(result != 0, error / np.abs(result), np.nan)
    deff = measures["variance"] / measures["simple"]
    counts = (measures[name] for name in ("respondents", "weighted_units", "contributors"))
    columns = (result, error, low, high, cv, deff, *counts, size)
    table = pd.DataFrame(
        {name: column.ravel() for name, column in zip(MEASURES, columns, strict=True)}
    ).astype({"respondents": "int64"})
    repeated = pd.concat([domains] * len(indicators), ignore_index=True)
    table = pd.concat([repeated, table], axis=1)
    table.insert(0, "indicator", np.repeat(np.array(indicators, dtype=object), len(domains)))
    table.insert(1, "statistic", statistic)
    return table
