"""Answers of an area by size class, pooled until no sum is of few respondents.

Belongs here: what the models are given of the answers. Does not belong here: the models.

A modelled share is a second number about the answers of a département. If it knew the classes by themselves,
it and the direct share would be two equations, and a town alone in its class would be an unknown of two. So
classes of an area are pooled, from the largest down, until ``minimum`` respondents answered; of a pool only
the weighted share is used, and the classes in it are taken to differ as they do in all of France. An area in
one pool contributes the direct share and nothing else. Pooling all classes to 10 respondents costs 2 % of the
gain in error for communes and 3 % for EPCI (``docs/methods/small_areas.md``).
"""

from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit  # type: ignore[import-untyped]

NEVER = 1e-3
"""Shares of a class in France are taken as this far from 0 and 1 when a pool is divided by class."""
BISECTIONS, FARTHEST = 50, 20.0
ROOM = 2.0
"""How many of the rarer answers of large pools there must be for each respondent of small ones."""


class Sums(NamedTuple):
    """Sums over the respondents that answered, areas × classes, each of shape (K, D, G).

    Attributes:
        answers: how many.
        weight: ``Σ w``.
        squares: ``Σ w²``.
        yes: ``Σ w y``.
    """

    answers: np.ndarray
    weight: np.ndarray
    squares: np.ndarray
    yes: np.ndarray


def without(sums: Sums, areas: np.ndarray) -> Sums:
    """The sums as if nobody had answered in some areas; ``areas`` is True there, shape (K, D)."""
    return Sums(*(np.where(areas[..., None], 0.0, part) for part in sums))


def pools(sums: Sums, few: int, many: int, whole: np.ndarray) -> np.ndarray:
    """The pool of each class of each area, numbered from 0 at the largest class.

    Pools have ``few`` respondents and more where two of them have ``many``: a modelled and a direct share are
    two equations, in which small pools move freely as long as the large ones can make up for it: while at
    least ``ROOM`` of these say yes, and no, for each respondent of the small ones (weighted shares).

    Args:
        sums: sums by area and class.
        few: fewest respondents of a pool beside two large ones.
        many: fewest respondents of any other pool; an area with fewer is one pool.
        whole: areas that are one pool anyhow, shape (D,).

    Returns:
        Numbers of pools, shape (K, D, G). What is too few at the end joins the pool before.
    """
    fine, coarse = _pools_of(sums.answers, few), _pools_of(sums.answers, many)
    inside = _of_pool(sums.answers, fine)
    classes = _of_pool(np.ones(inside.shape), fine)
    is_large = inside >= many
    large = (is_large / classes).sum(axis=2) > 1.5  # a pool of k classes counts k times 1/k
    share = _ratio(sums.yes.sum(axis=2), sums.weight.sum(axis=2))
    rarer = np.minimum(share, 1 - share)
    of_large = (is_large * sums.answers).sum(axis=2)
    of_small = (~is_large * sums.answers).sum(axis=2)
    # At the threshold, the last bit of a sum must not decide.
    free = large & (np.round(rarer * of_large, 9) >= ROOM * of_small)
    return np.where(whole[:, None], 0, np.where(free[..., None], fine, coarse))


def _pools_of(count: np.ndarray, minimum: int) -> np.ndarray:
    pool = np.zeros(count.shape, dtype=int)
    number = np.zeros(count.shape[:2], dtype=int)
    inside = np.zeros(count.shape[:2])
    for size_class in reversed(range(count.shape[2])):
        pool[..., size_class] = number
        inside = inside + count[..., size_class]
        full = inside >= minimum
        number, inside = number + full, np.where(full, 0.0, inside)
    return np.minimum(pool, np.maximum(number - 1, 0)[..., None])


def pooled_answers(sums: Sums, pool: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The answers of every class as its pool and the pattern of France give them.

    The share of a class in a pool is ``expit(logit P_g + δ)``, P_g that of the class in France and δ of the
    pool such that its weighted share is met. A pool counts for ``(Σ w)²/Σ w²`` answers (Kish), divided by
    respondents.

    Args:
        sums: sums by area and class.
        pool: the pool of each class.

    Returns:
        Shares of yes and effective numbers of answers, both (K, D, G); 0 answers where nobody answered.
    """
    weight = _of_pool(sums.weight, pool)
    target = _ratio(_of_pool(sums.yes, pool), weight)
    national = _ratio(sums.yes.sum(axis=1), sums.weight.sum(axis=1))[:, None]
    pattern = logit(np.clip(national, NEVER, 1 - NEVER))
    low, high = np.full(pool.shape, -FARTHEST), np.full(pool.shape, FARTHEST)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        above = _of_pool(sums.weight * expit(pattern + middle), pool) > target * weight
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    alone = _of_pool((sums.answers > 0).astype(float), pool) == 1
    share = np.where(alone, target, expit(pattern + (low + high) / 2))
    effective = _ratio(weight**2, _of_pool(sums.squares, pool))
    return share, sums.answers * _ratio(effective, _of_pool(sums.answers, pool))


def _of_pool(parts: np.ndarray, pool: np.ndarray) -> np.ndarray:
    """The sum over the pool of each class."""
    same = pool[..., :, None] == pool[..., None, :]
    return (same * parts[..., None, :]).sum(axis=-1)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part, dtype=float), where=whole > 0)
