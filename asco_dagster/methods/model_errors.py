"""Errors of estimates that their linearised sampling error leaves out, from a plain model of the answers.

Belongs here: the model, the error of an estimate under it, and what unanswered questions and imputed values
add. Does not belong here: the linearised error (``precision``), which of the two errors counts and the
intervals (``total_error``).

The model. Units of one size class answer independently of one another. A yes has the probability ``μ_g`` of
the class g and variance ``μ_g(1 − μ_g)``; an amount has expectation ``μ_g·N_i`` and variance ``σ²_g·N_i²``,
with ``N_i`` the inhabitants of the unit. Both are read from the weighted answers of the whole country, so a
cell without one yes still knows how often its classes say yes elsewhere.

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

COMPONENTS = ("model_variance", "item_variance", "imputation_variance", "model_size")


@dataclass(frozen=True)
class Units:
    """Units that the model speaks of: respondents, or all of the frame.

    Attributes:
        size_class: class of each unit, shape (n,).
        population: inhabitants, shape (n,).
        domains: domains of estimation that they lie in; respondents and frame have the same table of them.
    """

    size_class: np.ndarray
    population: np.ndarray
    domains: EstimationDomains


class _Model(NamedTuple):
    """What one class of units is expected to answer; each of shape (classes, indicators)."""

    mean: np.ndarray
    variance: np.ndarray
    asked: np.ndarray  # share of the class that the indicator is about


class _Size(NamedTuple):
    """What units count for: one each, or their inhabitants."""

    respondents: np.ndarray  # (m, 1)
    power: int  # of the inhabitants: 0 or 1


class _Cell(NamedTuple):
    """Respondents and frame of one domain."""

    weights: np.ndarray  # (m, k), 0 where not answered
    sampled: np.ndarray  # (m, 1), share of the unit's variance stratum that answered the questionnaire
    y: np.ndarray  # (m, k)
    classes: np.ndarray  # (m, classes), 0 or 1
    population: np.ndarray  # (m, 1)
    frame: np.ndarray  # (classes, 3), units of the frame, their inhabitants, these squared


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
    - ``model_size``: ``1/(Σ_s (c² − 2ct) + Σ_U t²)``, the size of a simple random sample without finite
      population that is as precise; infinite where nothing is left to chance. NaN for totals and means.

    Args:
        weights: final weights, shape (n,).
        unsampled: one minus the share of each unit's variance stratum that answered, shape (n,).
        values: one row a respondent, one column an indicator; NaN where open.
        kinds: kind of each indicator.
        respondents: the n respondents.
        frame: every unit of the population.
        conditional: indicators about part of the units only (communes with a CCAS): how many there are is
            taken from the respondents, and no open answer is told from a unit outside (ρ = 1).
        imputation_variance: error variance of each imputed value, 0 elsewhere, shape (n, k).

    Returns:
        One row per indicator, statistic and domain, as ``estimate`` orders them: ``indicator``,
        ``statistic``, the columns of the domains, and the four components; NaN where nobody answered.
    """
    imputed = np.zeros((0, 0)) if imputation_variance is None else imputation_variance
    frame_classes, sums = _frame_sums(frame)
    place = np.searchsorted(frame_classes, respondents.size_class.astype(str))
    own = _Respondents(
        weights,
        1 - unsampled,
        np.maximum(respondents.population.astype(float), 1.0),
        np.eye(len(frame_classes))[place],
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
        found[chosen] = _some_indicators(own, sums, y, amount, partial, imputed[:, chosen])
    return _table(found, [str(name) for name in values.columns], kinds, respondents.domains.table)


class _Respondents(NamedTuple):
    """What is known of the respondents whatever they are asked."""

    weights: np.ndarray  # (n,)
    sampled: np.ndarray  # (n,)
    population: np.ndarray  # (n,)
    classes: np.ndarray  # (n, classes), 0 or 1
    members: list[tuple[int, np.ndarray]]


def _frame_sums(frame: Units) -> tuple[np.ndarray, np.ndarray]:
    """The size classes of the frame, and per domain and class its units, inhabitants and these squared."""
    known, place = np.unique(frame.size_class.astype(str), return_inverse=True)
    population = np.maximum(frame.population.astype(float), 1.0)
    shape = len(frame.domains.table), len(known)
    sums = np.zeros((*shape, 3))
    for partition in frame.domains.membership.T:
        within = partition >= 0
        cell = (partition * len(known) + place)[within]
        for number in range(3):
            added = np.bincount(cell, weights=population[within] ** number, minlength=shape[0] * shape[1])
            sums[..., number] += added.reshape(shape)
    return known, sums


def _some_indicators(
    own: _Respondents,
    frame: np.ndarray,
    y: np.ndarray,
    amount: np.ndarray,
    partial: np.ndarray,
    imputed: np.ndarray,
) -> np.ndarray:
    """The components of some indicators, shape (indicators, 2 statistics, domains, 4)."""
    answered = ~np.isnan(y)
    y = np.where(answered, y, 0.0)
    w = own.weights[:, None] * answered
    population = own.population[:, None]
    model = _fitted(own.weights, w, y, own.classes, population, amount, partial)
    open_share = np.where(partial, 0.0, 1 - answered.mean(axis=0))
    imputed = imputed if imputed.size else np.zeros_like(y)
    found = np.full((y.shape[1], 2, len(frame), len(COMPONENTS)), np.nan)
    for number, rows in own.members:
        cell = _Cell(
            w[rows],
            own.sampled[rows, None],
            y[rows],
            own.classes[rows],
            population[rows],
            frame[number],
        )
        found[:, :, number] = _one_domain(cell, model, amount, open_share, imputed[rows])
    return found


def _fitted(
    weights: np.ndarray,
    w: np.ndarray,
    y: np.ndarray,
    classes: np.ndarray,
    population: np.ndarray,
    amount: np.ndarray,
    partial: np.ndarray,
) -> _Model:
    """Weighted mean and variance of each class; a class without an answer is taken to be the whole."""
    rate = np.where(amount, y / population, y)
    units = classes.T @ w
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (classes.T @ (w * rate)) / units
        square = (classes.T @ (w * rate**2)) / units
        asked = units / (classes.T @ weights)[:, None]
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
    """The components in one domain, shape (indicators, 2 statistics, 4); NaN where nobody answered."""
    one = _Size(np.ones_like(cell.population), 0)
    inhabitants = _Size(cell.population, 1)
    found = np.full((len(amount), 2, len(COMPONENTS)), np.nan)
    yes, some = np.flatnonzero(~amount), np.flatnonzero(amount)
    for position, x in ((0, one), (1, inhabitants)):
        found[yes, position, :] = _ratio(cell, model, yes, x, one, open_share)
    total = cell.weights[:, some]
    found[some, 0, 0] = _model_variance(cell, model, some, total, one, inhabitants, np.ones(len(some)))
    found[some, 0, 2] = (total**2 * imputed[:, some]).sum(axis=0)
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
    return np.column_stack([variance, item, np.zeros(len(chosen)), size])


def _model_variance(
    cell: _Cell,
    model: _Model,
    chosen: np.ndarray,
    c: np.ndarray,
    x: _Size,
    scale: _Size,
    target: np.ndarray,
) -> np.ndarray:
    """``Σ_s (c² − 2ct)σ² + Σ_U t²σ² + (Σ_s cμ − Σ_U tμ)²`` with ``t = x/target``, never negative."""
    asked = model.asked[:, chosen]
    inside = cell.classes.T @ ((c**2 - 2 * c * x.respondents / target) * scale.respondents**2)
    both = x.power + scale.power
    whole = asked * cell.frame[:, [2 * both]] / target**2
    spread = (model.variance[:, chosen] * (inside + whole)).sum(axis=0)
    told, due = cell.classes.T @ (c * scale.respondents), cell.frame[:, [both]]
    off = (model.mean[:, chosen] * (told - asked * due / target)).sum(axis=0)
    return np.maximum(spread, 0.0) + off**2


def _table(
    found: np.ndarray, names: list[str], kinds: Mapping[str, IndicatorKind], domains: pd.DataFrame
) -> pd.DataFrame:
    """One row an indicator, statistic and domain."""
    table = pd.concat([domains] * (2 * len(names)), ignore_index=True)
    statistics = [statistic for name in names for statistic in STATISTICS[kinds[name]]]
    table.insert(0, "indicator", np.repeat(np.array(names, dtype=object), 2 * len(domains)))
    table.insert(1, "statistic", np.repeat(np.array(statistics, dtype=object), len(domains)))
    for number, name in enumerate(COMPONENTS):
        table[name] = found[..., number].ravel()
    return table
