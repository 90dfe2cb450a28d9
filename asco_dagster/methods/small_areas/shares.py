"""Modelled shares of a finite population: what the model of ``binomial_logit`` says of départements.

Belongs here: effective counts of cells, the prediction of units that did not answer, errors and intervals.
Does not belong here: which areas and indicators are modelled, benchmarking, what is released.

Respondents count as themselves, all others are predicted: the share of an area is
``(Σ_s t_i y_i + Σ_{U∖s} t_i p_i)/Σ_U t_i`` with ``t_i`` 1, or the inhabitants for shares of population, where
each large town that did not answer thus errs by itself. Its error has what is unknown of ``p`` (from the
posterior, the variance components included) and the chance of each answer, ``Σ_{U∖s} t_i² p_i(1 − p_i)``.

Source: Rao & Molina, *Small Area Estimation* (2015), sections 9.5.2 and 9.6; Kish, *Survey Sampling* (1965),
section 11.7 (effective size of uneven weights).
"""

from typing import NamedTuple

import numpy as np
from scipy import stats  # type: ignore[import-untyped]
from scipy.special import expit  # type: ignore[import-untyped]

from asco_dagster.methods.intervals import CONFIDENCE
from asco_dagster.methods.small_areas.binomial_logit import (
    NUMBERS,
    Cells,
    Posterior,
    grid_of_deviations,
    posterior,
)
from asco_dagster.methods.small_areas.cells import Sums, pooled_answers, pools, without

NODES = 9
"""Of the Gauss–Hermite quadrature over a normal logit."""
EXACT = 1e-9
"""An error this small is none: every unit answered."""


class Answers(NamedTuple):
    """Answers and units of the cells, areas × classes.

    Attributes:
        yes: effective number of yes, ``n·Σ w y/Σ w``, shape (K, D, G).
        size: effective number of answers n = ``(Σ w)²/Σ w²``, shape (K, D, G).
        known: ``Σ_s t y`` over the respondents, shape (K, D, G).
        open: ``Σ t`` over units that did not answer, shape (K, D, G).
        open_squares: ``Σ t²`` over the same.
        total: ``Σ t`` over all units, shape (K, D).
    """

    yes: np.ndarray
    size: np.ndarray
    known: np.ndarray
    open: np.ndarray
    open_squares: np.ndarray
    total: np.ndarray


class Modelled(NamedTuple):
    """Modelled estimates, each of shape (K, D).

    Attributes:
        estimate: posterior means.
        rmse: their root mean squared errors.
        weight: of the own answers of the area in its effect, 0 to 1.
    """

    estimate: np.ndarray
    rmse: np.ndarray
    weight: np.ndarray


def departement_shares(
    sums: Sums, units: np.ndarray, cells: Cells, *, closed: np.ndarray, whole: np.ndarray, few: int, many: int
) -> Modelled:
    """Modelled shares that use no more of an area's answers than may be known of them.

    Args:
        sums: sums over respondents by area and class.
        units: units of the frame, shape (D, G).
        cells: fixed effects and régions.
        closed: areas whose direct share is suppressed, shape (K, D): they are predicted as if nobody had
            answered there.
        whole: areas whose classes are pooled to one, shape (D,).
        few: fewest respondents of a pool beside two large ones, see ``pools``.
        many: fewest respondents of any other pool.

    Returns:
        Estimates, errors and the weight of the own answers.
    """
    used = without(sums, closed)
    share, size = pooled_answers(used, pools(used, few, many, whole))
    silent = np.maximum(units - used.answers, 0.0)
    total = np.broadcast_to(units.sum(axis=1), closed.shape)
    return modelled_shares(Answers(size * share, size, used.answers * share, silent, silent, total), cells)


def modelled_shares(answers: Answers, cells: Cells) -> Modelled:
    """Modelled shares of all areas.

    Args:
        answers: answers and units; ``t`` is 1 for shares, the inhabitants for shares of population.
        cells: fixed effects and régions.

    Returns:
        Estimates, errors and the weight of the own answers.
    """
    deviations = grid_of_deviations()
    count, areas, _ = answers.yes.shape
    columns = cells.x.shape[2] + int(cells.region.max()) + 1
    at_once = max(1, NUMBERS // (len(deviations) * columns * max(areas, columns)))
    parts = []
    for first in range(0, count, at_once):
        some = Answers(*(part[first : first + at_once] for part in answers))
        parts.append(predicted(posterior(some.yes, some.size, cells, deviations), some))
    return Modelled(*(np.concatenate(one) for one in zip(*parts, strict=True)))


def predicted(found: Posterior, answers: Answers) -> Modelled:
    """What a posterior says of the shares of a finite population."""
    mean, slope, doubt = _moments(found.mean, np.diagonal(found.shared, axis1=3, axis2=4))
    total = answers.total
    inside = (answers.known + answers.open * mean).sum(axis=3) / total
    moved = answers.open * slope
    variance = (moved[..., None, :] @ found.shared @ moved[..., None])[..., 0, 0]
    variance += (answers.open_squares * doubt).sum(axis=3)
    variance /= total**2
    weight = found.weight[..., None]
    estimate = (weight * inside).sum(axis=0)
    between = (weight * (inside - estimate) ** 2).sum(axis=0)
    own = (weight * found.own).sum(axis=0)
    return Modelled(estimate, np.sqrt((weight * variance).sum(axis=0) + between), own)


def _moments(mean: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of p = expit(normal): its mean, the mean slope dp/dlogit, and the mean of p(1 − p)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = weights / weights.sum()
    deviation = np.sqrt(variance)
    expected, slope = np.zeros_like(mean), np.zeros_like(mean)
    for node, weight in zip(nodes, weights, strict=True):
        chance = expit(mean + node * deviation)
        expected += weight * chance
        slope += weight * chance * (1 - chance)
    return expected, slope, slope


def share_limits(
    estimate: np.ndarray, rmse: np.ndarray, units: np.ndarray, confidence: float = CONFIDENCE
) -> tuple[np.ndarray, np.ndarray]:
    """Limits of a modelled share: a beta distribution with its mean and error, read at whole units.

    Of twenty EPCI with an expected half yes, none is likely, and no quantile of a beta distribution is 0. So
    the limits are numbers of yes k whose mid-distribution ``(F((k + ½)/N) + F((k − ½)/N))/2`` is above 2.5 %
    and below 97.5 %.

    Args:
        estimate: shares, any shape.
        rmse: their errors; 0 gives a point.
        units: units of the population that the share is of, same shape.
        confidence: coverage aimed at.

    Returns:
        Lower and upper limits, within 0 and 1.

    Source: Lancaster, JASA 56 (1961) (mid-P).
    """
    possible = np.clip(estimate, 1e-9, 1 - 1e-9)
    variance = np.maximum(rmse**2, 1e-18)
    size = np.maximum(possible * (1 - possible) / variance - 1, 1e-3)
    tail = (1 - confidence) / 2
    low = _lower(possible * size, (1 - possible) * size, units, tail)
    high = 1 - _lower((1 - possible) * size, possible * size, units, tail)
    exact = rmse <= EXACT
    low, high = np.where(exact, estimate, low), np.where(exact, estimate, high)
    return np.clip(low, 0.0, estimate), np.clip(high, estimate, 1.0)


def _lower(yes: np.ndarray, no: np.ndarray, units: np.ndarray, tail: float) -> np.ndarray:
    """The first k/N whose mid-distribution is above the tail."""
    first = np.maximum(np.floor(units * stats.beta.ppf(tail, yes, no) + 0.5), 0.0)
    upper, lower = (stats.beta.cdf(np.clip((first + half) / units, 0, 1), yes, no) for half in (0.5, -0.5))
    return (first + ((upper + lower) / 2 <= tail)) / units
