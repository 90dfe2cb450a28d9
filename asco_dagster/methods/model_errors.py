"""Errors of estimates that their linearised sampling error leaves out, from a plain model of the answers.

Belongs here: the model, the error of an estimate under it, and what unanswered questions and imputed values
add. Does not belong here: the linearised error (``precision``), which of the two errors counts and the
intervals (``total_error``).

The model. Units of one band of size answer independently of one another. A yes has the probability ``μ_g`` of
the band g and variance ``μ_g(1 − μ_g)``; an amount has expectation ``μ_g·N_i`` and variance ``σ²_g·N_i²``,
with ``N_i`` the inhabitants of the unit. Both are read from the weighted answers of the whole country, so a
cell without one yes still knows how often its bands say yes elsewhere.

Bands, since the variance of an amount per inhabitant depends on size: a class from 10,000 to two million
inhabitants with one variance gives its largest towns, which make the error of a total, that of its smallest
(errors 1.25 to 1.6 times too large in simulations). See :func:`size_bands`.

Source: Valliant, Dorfman & Royall, *Finite Population Sampling and Inference: A Prediction Approach* (2000),
sections 2.2 and 5.1; for borrowing a variance from outside the cell, Wolter, *Introduction to Variance
Estimation* (2007), chapter 7.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from asco_dagster.methods.domains import EstimationDomains
from asco_dagster.methods.estimation import CELLS, STATISTICS, IndicatorKind

BAND = 40
"""Fewest respondents of a band whose mean and variance are read from them."""
COMPONENTS = (
    *("model_variance", "item_variance", "imputation_variance", "model_size"),
    *("imputed_total", "imputed_total_variance", "reported"),
)


@dataclass(frozen=True)
class Units:
    """Units that the model speaks of: respondents, or all of the frame.

    Attributes:
        size_class: class of each unit, shape (n,); errors differ by bands within it.
        population: inhabitants, shape (n,).
        domains: domains of estimation that they lie in; respondents and frame have the same table of them.
    """

    size_class: np.ndarray
    population: np.ndarray
    domains: EstimationDomains


def size_bands(respondents: Units, frame: Units) -> tuple[np.ndarray, np.ndarray]:
    """Bands of population within size classes, finer towards the top.

    The respondents of a class are halved at their median population, the upper half again, and so on, as long
    as ``BAND`` respondents are left in each part: 800 respondents make bands of 400, 200, 100, 50 and 50.

    Args:
        respondents: those who answered the questionnaire.
        frame: every unit of the population; it falls in the bands of the respondents of its class.

    Returns:
        The band of each respondent and of each frame unit: class and number, such as ``5_ge10000:3``.
    """
    known = respondents.size_class.astype(str)
    labels = [known.astype(object), frame.size_class.astype(str).astype(object)]
    for size_class in np.unique(labels[1]):
        cuts: list[float] = []
        inside = np.sort(respondents.population[known == size_class])
        while len(inside) >= 2 * BAND and inside[len(inside) // 2] > inside[0]:
            cuts.append(float(inside[len(inside) // 2]))
            inside = inside[inside >= cuts[-1]]
        for units, label in zip((respondents, frame), labels, strict=True):
            rows = units.size_class.astype(str) == size_class
            numbers = np.searchsorted(cuts, units.population[rows], side="right")
            label[rows] = [f"{size_class}:{number}" for number in numbers]
    return labels[0].astype(str), labels[1].astype(str)


class _Model(NamedTuple):
    """What one band of units is expected to answer; each of shape (bands, indicators)."""

    mean: np.ndarray
    variance: np.ndarray
    asked: np.ndarray  # share of the band that the indicator is about


class _Size(NamedTuple):
    """What units count for: one each, or their inhabitants."""

    respondents: np.ndarray  # (m, 1)
    power: int  # of the inhabitants: 0 or 1


class _Cell(NamedTuple):
    """Respondents and frame of one domain."""

    weights: np.ndarray  # (m, k), 0 where not answered
    sampled: np.ndarray  # (m, 1), share of the unit's variance stratum that answered the questionnaire
    y: np.ndarray  # (m, k)
    bands: np.ndarray  # (m, bands), 0 or 1
    population: np.ndarray  # (m, 1)
    frame: np.ndarray  # (bands, 3), units of the frame, their inhabitants, these squared
    apart: np.ndarray  # (bands, 3), the same of the units that are imputed


def model_errors(
    weights: np.ndarray,
    unsampled: np.ndarray,
    values: pd.DataFrame,
    kinds: Mapping[str, IndicatorKind],
    respondents: Units,
    frame: Units,
    *,
    conditional: Collection[str] = (),
    imputation_variance: np.ndarray | None = None,
    imputed_units: np.ndarray | None = None,
) -> pd.DataFrame:
    """Variance components of every estimate that :func:`~asco_dagster.methods.estimation.estimate` makes.

    An estimate is ``Σ_s c_i y_i`` and its target ``Σ_U t_i y_i`` (``c = w`` and ``t = 1`` for totals; for
    ratios ``c = w·x/Σ_s w·x`` and ``t = x/Σ_U x``, with x 1 or the inhabitants).

    - ``model_variance``: ``E(estimate − target)² = Σ_s (c² − 2ct)σ² + Σ_U t²σ² + (Σ_s cμ − Σ_U tμ)²``;
      what units left unanswered is thereby unknown.
    - ``item_variance``: ``(1 − ρ)·Σ_s f·(w·x·e)²/(Σ_s w·x)²`` for ratios, with e the deviation from the
      estimate, f the share of the stratum that answered the questionnaire, ρ that of respondents that
      answered the question: the linearised error takes an open answer for a unit outside the domain, and so
      corrects for the finite population as if it had answered.
    - ``imputation_variance``: ``Σ_s w²·v`` for totals, over ``(Σ_s w)²`` for means, v the error variance of
      an imputed value (Särndal 1992, "Methods for estimating the precision of survey estimates when
      imputation has been used", Survey Methodology 18).
    - ``imputed_total``: ``Σ μ_g·N_i`` over the imputed units of the domain, which is to be added to a total.
      ``imputed_total_variance``: its error, ``Σ σ²_g·N_i²``, which ``model_variance`` has already. Both are 0
      for the rest.
    - ``reported``: what respondents reported of a total, unweighted and without imputed answers; NaN for the
      rest.
    - ``model_size``: ``1/(Σ_s (c² − 2ct) + Σ_U t²)``, the size of a simple random sample without finite
      population that is as precise; infinite where nothing is left to chance. NaN for totals and means.

    Args:
        weights: final weights, shape (n,).
        unsampled: one minus the share of each unit's variance stratum that answered, shape (n,).
        values: one row per respondent, one column per indicator; NaN where open.
        kinds: kind of each indicator.
        respondents: the n respondents.
        frame: every unit of the population.
        conditional: indicators about part of the units only (communes with a CCAS): how many there are is
            taken from the respondents, and no open answer is distinguished from a unit outside (ρ = 1).
        imputation_variance: error variance of each imputed value, 0 elsewhere, shape (n, k).
        imputed_units: units of the frame whose amounts are imputed, which no respondent represents, shape
            of the frame.

    Returns:
        One row per indicator, statistic and domain, as ``estimate`` orders them: ``indicator``,
        ``statistic``, the columns of the domains, and the components; NaN where nobody answered.
    """
    imputed = np.zeros((0, 0)) if imputation_variance is None else imputation_variance
    own_bands, frame_bands = size_bands(respondents, frame)
    known, sums = _frame_sums(frame, frame_bands, np.ones(len(frame_bands), dtype=bool))
    nobody = np.zeros(len(frame_bands), dtype=bool)
    _, apart = _frame_sums(frame, frame_bands, nobody if imputed_units is None else imputed_units)
    place = np.searchsorted(known, own_bands)
    own = _Respondents(
        weights,
        1 - unsampled,
        np.maximum(respondents.population.astype(float), 1.0),
        np.eye(len(known))[place],
        list(respondents.domains.members()),
    )
    found = np.full((len(values.columns), 2, len(respondents.domains.table), len(COMPONENTS)), np.nan)
    room = max(1, CELLS // max(1, len(values)))
    for first in range(0, len(values.columns), room):
        chosen = slice(first, first + room)
        names = [str(name) for name in values.columns[chosen]]
        amount = np.array([kinds[name] == "amount" for name in names])
        partial = np.isin(names, list(conditional))
        y = values.iloc[:, chosen].to_numpy(dtype=float)
        found[chosen] = _some_indicators(own, (sums, apart), y, amount, partial, imputed[:, chosen])
    return _table(found, [str(name) for name in values.columns], kinds, respondents.domains.table)


class _Respondents(NamedTuple):
    """What is known of the respondents whatever they are asked."""

    weights: np.ndarray  # (n,)
    sampled: np.ndarray  # (n,)
    population: np.ndarray  # (n,)
    bands: np.ndarray  # (n, bands), 0 or 1
    members: list[tuple[int, np.ndarray]]


def _frame_sums(frame: Units, bands: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bands of the frame, and per domain and band its chosen units, inhabitants and these squared."""
    known, place = np.unique(bands, return_inverse=True)
    population = np.maximum(frame.population.astype(float), 1.0)
    shape = len(frame.domains.table), len(known)
    sums = np.zeros((*shape, 3))
    for partition in frame.domains.membership.T:
        within = (partition >= 0) & chosen
        cell = (partition * len(known) + place)[within]
        for number in range(3):
            added = np.bincount(cell, weights=population[within] ** number, minlength=shape[0] * shape[1])
            sums[..., number] += added.reshape(shape)
    return known, sums


def _some_indicators(
    own: _Respondents,
    sums: tuple[np.ndarray, np.ndarray],
    y: np.ndarray,
    amount: np.ndarray,
    partial: np.ndarray,
    imputed: np.ndarray,
) -> np.ndarray:
    """The components of some indicators, shape (indicators, 2 statistics, domains, components).

    ``sums`` are those of the frame and of its imputed units.
    """
    frame, apart = sums
    answered = ~np.isnan(y)
    y = np.where(answered, y, 0.0)
    w = own.weights[:, None] * answered
    population = own.population[:, None]
    model = _fitted(own.weights, w, y, own.bands, population, amount, partial)
    open_share = np.where(partial, 0.0, 1 - answered.mean(axis=0))
    imputed = imputed if imputed.size else np.zeros_like(y)
    found = np.full((y.shape[1], 2, len(frame), len(COMPONENTS)), np.nan)
    for number, rows in own.members:
        cell = _Cell(
            w[rows],
            own.sampled[rows, None],
            y[rows],
            own.bands[rows],
            population[rows],
            frame[number],
            apart[number],
        )
        found[:, :, number] = _one_domain(cell, model, amount, open_share, imputed[rows])
    return found


def _fitted(
    weights: np.ndarray,
    w: np.ndarray,
    y: np.ndarray,
    bands: np.ndarray,
    population: np.ndarray,
    amount: np.ndarray,
    partial: np.ndarray,
) -> _Model:
    """Weighted mean and variance of each band; a band without an answer is taken to be the whole."""
    rate = np.where(amount, y / population, y)
    units = bands.T @ w
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (bands.T @ (w * rate)) / units
        square = (bands.T @ (w * rate**2)) / units
        asked = units / (bands.T @ weights)[:, None]
    whole = w.sum(axis=0)
    safe = np.where(whole > 0, whole, 1.0)
    overall, overall_square = (w * rate).sum(axis=0) / safe, (w * rate**2).sum(axis=0) / safe
    mean = np.where(units > 0, mean, overall)
    square = np.where(units > 0, square, overall_square)
    asked = np.where(partial & (units > 0), asked, 1.0)
    return _Model(mean, np.maximum(square - mean**2, 0.0), asked)


def _one_domain(
    cell: _Cell, model: _Model, amount: np.ndarray, open_share: np.ndarray, imputed: np.ndarray
) -> np.ndarray:
    """The components in one domain, shape (indicators, 2 statistics, components)."""
    one = _Size(np.ones_like(cell.population), 0)
    inhabitants = _Size(cell.population, 1)
    found = np.full((len(amount), 2, len(COMPONENTS)), np.nan)
    yes, some = np.flatnonzero(~amount), np.flatnonzero(amount)
    for position, x in ((0, one), (1, inhabitants)):
        found[yes, position, :] = _ratio(cell, model, yes, x, one, open_share)
    total = cell.weights[:, some]
    whole, imputed_people = np.ones(len(some)), cell.apart[:, [1]]
    found[some, 0, 0] = _model_variance(cell, model, some, total, one, inhabitants, whole, imputed_people)
    found[some, 0, 2] = (total**2 * imputed[:, some]).sum(axis=0)
    found[some, 0, 4] = (model.mean[:, some] * imputed_people).sum(axis=0)
    found[some, 0, 5] = (model.variance[:, some] * cell.apart[:, [2]]).sum(axis=0)
    heard = (cell.weights[:, some] > 0) & (imputed[:, some] == 0)
    found[some, 0, 6] = (cell.y[:, some] * heard).sum(axis=0)
    found[some, 1, :] = _ratio(cell, model, some, one, inhabitants, open_share)
    units = total.sum(axis=0)
    found[some, 1, 2] = found[some, 0, 2] / np.where(units > 0, units, np.nan) ** 2
    found[some, 0, 1] = 0.0
    found[some, :, 3] = np.nan
    found[(cell.weights > 0).sum(axis=0) == 0] = np.nan
    return found


def _ratio(
    cell: _Cell, model: _Model, chosen: np.ndarray, x: _Size, scale: _Size, open_share: np.ndarray
) -> np.ndarray:
    """Components of ``Σ w x y / Σ w x``; ``scale`` is what the model's expectation is multiplied by."""
    w, y, asked = cell.weights[:, chosen] * x.respondents, cell.y[:, chosen], model.asked[:, chosen]
    base, target = w.sum(axis=0), (asked * cell.frame[:, [x.power]]).sum(axis=0)
    base, target = np.where(base > 0, base, np.nan), np.where(target > 0, target, np.nan)
    c = w / base
    variance = _model_variance(cell, model, chosen, c, x, scale, target)
    item = open_share[chosen] * (cell.sampled * (c * (y - (c * y).sum(axis=0))) ** 2).sum(axis=0)
    left = (c**2 - 2 * c * x.respondents / target).sum(axis=0)
    left = left + (asked * cell.frame[:, [2 * x.power]]).sum(axis=0) / target**2
    # What is left to chance of a target that was answered whole is rounding.
    size = np.where(left > 1e-9, 1 / np.maximum(left, 1e-9), np.inf)
    nothing = np.zeros(len(chosen))
    unknown = np.full(len(chosen), np.nan)
    return np.column_stack([variance, item, nothing, size, nothing, nothing, unknown])


def _model_variance(
    cell: _Cell,
    model: _Model,
    chosen: np.ndarray,
    c: np.ndarray,
    x: _Size,
    scale: _Size,
    target: np.ndarray,
    imputed: np.ndarray | float = 0.0,
) -> np.ndarray:
    """``Σ_s (c² − 2ct)σ² + Σ_U t²σ² + (Σ_s cμ − Σ_U tμ)²`` with ``t = x/target``, never negative.

    What is imputed of a band counts as estimated: it is not missing from the expectation.
    """
    asked = model.asked[:, chosen]
    inside = cell.bands.T @ ((c**2 - 2 * c * x.respondents / target) * scale.respondents**2)
    both = x.power + scale.power
    whole = asked * cell.frame[:, [2 * both]] / target**2
    spread = (model.variance[:, chosen] * (inside + whole)).sum(axis=0)
    represented, due = cell.bands.T @ (c * scale.respondents) + imputed, cell.frame[:, [both]]
    off = (model.mean[:, chosen] * (represented - asked * due / target)).sum(axis=0)
    return np.maximum(spread, 0.0) + off**2


def _table(
    found: np.ndarray, names: list[str], kinds: Mapping[str, IndicatorKind], domains: pd.DataFrame
) -> pd.DataFrame:
    """One row per indicator, statistic and domain."""
    table = pd.concat([domains] * (2 * len(names)), ignore_index=True)
    statistics = [statistic for name in names for statistic in STATISTICS[kinds[name]]]
    table.insert(0, "indicator", np.repeat(np.array(names, dtype=object), 2 * len(domains)))
    table.insert(1, "statistic", np.repeat(np.array(statistics, dtype=object), len(domains)))
    for number, name in enumerate(COMPONENTS):
        table[name] = found[..., number].ravel()
    return table
