"""Hot-deck imputation of quantities: a missing amount, count or number of posts is taken from a donor.

Belongs here: the choice of donors and the values taken from them. Does not belong here: which answers are
missing and why (``estimation``). No dagster, no duckdb.

Method: random hot deck among the nearest neighbours within classes (Andridge and Little, 2010, "A Review of
Hot Deck Imputation for Survey Non-response", International Statistical Review 78(1), sections 3 and 4).
Donors are the units of the recipient's class that answered its whole block of questions; among the
``neighbours`` nearest in log population one is drawn, and its value an inhabitant is carried over to the
recipient. Missing questions of one block take the same donor, so that euros and people go together. A class
without enough donors gives way to the next, wider one.

The error of a donated value, for the standard errors: recipient and donor are two draws from the units of
about that population, so ``E(donated − true)² ≈ 2·S²``, with S² the spread among the ``SPREAD_OF`` able units
nearest in population, of every class (a stratum's own handful of donors often shows none). Two recipients of
one donor err together, which this leaves out.

Limit: an imputed block is not edited again.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from asco_dagster.errors import EstimationError

RESULT_COLUMNS = ("unit", "question", "value", "method", "donor", "donor_class", "donors", "error_variance")
SPREAD_OF = 50


@dataclass(frozen=True)
class Deck:
    """What donors and recipients are taken from.

    Attributes:
        population: inhabitants of each unit, shape (n,).
        classes: imputation classes from the narrowest to the widest: name and label of each unit, shape (n,).
        values: shape (n, q), NaN where to impute; zero where a question does not arise.
        asked: shape (n, q), 1 where the question arises, 0 where it does not, NaN where its filter is open.
        questions: codes of the q columns.
        blocks: block of each question.
        digits: decimals of each question's values.
    """

    population: np.ndarray
    classes: Mapping[str, np.ndarray]
    values: np.ndarray
    asked: np.ndarray
    questions: Sequence[str]
    blocks: Mapping[str, str]
    digits: Mapping[str, int]


def impute(deck: Deck, *, seed: int, neighbours: int = 5, minimum_donors: int = 5) -> pd.DataFrame:
    """Fill every NaN of the deck.

    Args:
        deck: units, classes and values.
        seed: seed of the draws; neither the order of the units nor their names change what is drawn.
        neighbours: donors that one is drawn among.
        minimum_donors: fewest donors of a class; the widest class does with one.

    Returns:
        One row per imputed value, by unit and question: ``unit`` (row in the deck), ``question``, ``value``,
        ``method`` (``deductive``: the question does not arise, zero; ``donor``), ``donor`` (row; -1 without
        one), ``donor_class`` (name of the class), ``donors`` (how many it has), ``error_variance`` (of the
        value, in its unit squared; 0 of a deduced one).

    Raises:
        EstimationError: no unit at all can give a value.
    """
    rows: list[tuple[object, ...]] = []
    blocks: dict[str, list[int]] = {}
    for column, question in enumerate(deck.questions):
        blocks.setdefault(deck.blocks[question], []).append(column)
    for block in sorted(blocks):
        columns = np.array(blocks[block])
        rows += _deduced(deck, columns)
        rows += _donated(deck, block, columns, seed, neighbours, minimum_donors)
    table = pd.DataFrame(rows, columns=list(RESULT_COLUMNS))
    return table.sort_values(["unit", "question"], ignore_index=True)


def _deduced(deck: Deck, columns: np.ndarray) -> list[tuple[object, ...]]:
    """Zeros, where a filter answered no leaves only that."""
    certain = np.isnan(deck.values[:, columns]) & (deck.asked[:, columns] == 0)
    return [
        (int(unit), deck.questions[columns[column]], 0.0, "deductive", -1, "none", 0, 0.0)
        for unit, column in np.argwhere(certain)
    ]


def _donated(
    deck: Deck, block: str, columns: np.ndarray, seed: int, neighbours: int, minimum: int
) -> list[tuple[object, ...]]:
    values, asked = deck.values[:, columns], deck.asked[:, columns]
    open_ = np.isnan(values) & (asked != 0)
    ranks = np.array([_uniform(f"{seed}:{block}", row.tobytes()) for row in _seen_values(deck, values)])
    donors = np.flatnonzero(~np.isnan(values).any(axis=1) & ~np.isnan(asked).any(axis=1))
    pools: dict[bytes, tuple[_Donors, _Spread]] = {}
    rows: list[tuple[object, ...]] = []
    for unit in np.flatnonzero(open_.any(axis=1)):
        wanted = np.flatnonzero(open_[unit])
        # Who is known to be asked takes from those who were; where the filter is open, from anyone.
        known = wanted[asked[unit, wanted] == 1]
        if known.tobytes() not in pools:
            pool = donors[(asked[donors][:, known] == 1).all(axis=1)]
            spread = _Spread(deck.population[pool], values[pool], ranks[pool])
            pools[known.tobytes()] = _Donors(deck.classes, pool), spread
        givers, spread = pools[known.tobytes()]
        name, able = givers.narrowest_class(int(unit), minimum, block)
        donor = _drawn(deck, int(unit), able, ranks, neighbours, f"{seed}:{block}")
        scale = max(deck.population[unit], 1.0) / max(deck.population[donor], 1.0)
        errors = 2 * spread.around(float(deck.population[unit]))
        for column in wanted:
            question = deck.questions[columns[column]]
            value = round(float(values[donor, column] * scale), deck.digits[question])
            error = float(errors[column])
            rows.append((int(unit), question, value, "donor", donor, name, len(able), error))
    return rows


class _Donors:
    """Units that can give, by class: looked up, since searching all of them for each recipient is quadratic.

    Args:
        classes: as those of the deck.
        able: the units, shape (m,).
    """

    def __init__(self, classes: Mapping[str, np.ndarray], able: np.ndarray) -> None:
        self._classes = classes
        self._inside = {name: _by_label(labels, able) for name, labels in classes.items()}

    def narrowest_class(self, unit: int, minimum: int, block: str) -> tuple[str, np.ndarray]:
        """The narrowest class of a unit with enough donors, and these donors."""
        name, inside = "", np.empty(0, dtype=int)
        for name, labels in self._classes.items():
            inside = self._inside[name].get(labels[unit], inside[:0])
            if len(inside) >= minimum:
                return name, inside
        if not len(inside):
            raise EstimationError(
                f"no unit can give a value of {block} to impute",
                expected="at least one complete answer",
                remedy="Look at why nobody answered it",
            )
        return name, inside


def _by_label(labels: np.ndarray, able: np.ndarray) -> dict[object, np.ndarray]:
    """Able units of each label, in their order."""
    places = pd.Series(able).groupby(labels[able]).indices
    return {label: able[rows] for label, rows in places.items()}


class _Spread:
    """How much units of about one population differ in what they answer.

    Args:
        population: inhabitants of the units that can give, shape (m,).
        values: their answers, shape (m, q).
        ranks: what breaks ties of population, shape (m,).
    """

    def __init__(self, population: np.ndarray, values: np.ndarray, ranks: np.ndarray) -> None:
        order = np.lexsort((ranks, population))
        self._size = np.log1p(population[order])
        self._rates = values[order] / np.maximum(population[order], 1.0)[:, None]

    def around(self, population: float) -> np.ndarray:
        """Variance of each answer among the nearest units, carried over to that population, shape (q,)."""
        middle = int(np.searchsorted(self._size, np.log1p(population)))
        first = max(0, middle - SPREAD_OF)
        near = slice(first, middle + SPREAD_OF)
        distance = np.abs(self._size[near] - np.log1p(population))
        nearest = first + np.argsort(np.round(distance, 12), kind="stable")[:SPREAD_OF]
        if len(nearest) < 2:
            return np.zeros(self._rates.shape[1])
        return self._rates[nearest].var(axis=0, ddof=1) * max(population, 1.0) ** 2


def _drawn(deck: Deck, unit: int, able: np.ndarray, ranks: np.ndarray, neighbours: int, stream: str) -> int:
    """One of the nearest donors. Ties are broken at random by what donors answered, never by who they are."""
    distance = np.abs(np.log1p(deck.population[able]) - np.log1p(deck.population[unit]))
    order = np.lexsort((ranks[able], np.round(distance, 12)))
    nearest = able[order[:neighbours]]
    label = str(next(iter(deck.classes.values()))[unit])
    own = np.append(deck.population[unit], deck.values[unit])
    return int(nearest[int(_uniform(f"{stream}:{label}", own.tobytes()) * len(nearest))])


def _seen_values(deck: Deck, values: np.ndarray) -> np.ndarray:
    """What distinguishes donors: population and answers."""
    return np.ascontiguousarray(np.column_stack([deck.population, values]))


def _uniform(stream: str, content: bytes) -> float:
    """A number in [0, 1) that depends on the stream and the content alone."""
    return int.from_bytes(hashlib.sha256(stream.encode() + content).digest()[:8], "big") / 2**64
