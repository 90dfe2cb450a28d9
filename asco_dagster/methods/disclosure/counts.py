"""Whole numbers of yes: what an intruder gains where all units of a cell have the same weight.

The share of such a cell is k of n, and a sum of closed cells may allow one combination of whole numbers only,
where a linear programme still sees an interval: 3.8 weighted units among three closed cells of 3, 30 and 5
respondents with weights 1.3, 1.9 and 1.8 can only be two of the thirty. The rounding of what is published
beside them is what leaves other combinations; where it does not, further cells close.
"""

from collections.abc import Iterator

import numpy as np

from asco_dagster.methods.disclosure.family import Family
from asco_dagster.methods.disclosure.inference import possible_counts
from asco_dagster.methods.disclosure.masks import Mask
from asco_dagster.methods.disclosure.moves import Moves

_ROUNDS = 8


def with_more_counts(family: Family, found: Mask, step: float) -> np.ndarray:
    """The mask with the cells that must close so that another number of yes remains possible.

    Args:
        family: of shares.
        found: its mask.
        step: rounding step of the published shares.

    Returns:
        The closed columns; those of ``found`` where nothing has to be added.
    """
    closed = found.closed.copy()
    moves = Moves(family.system)
    for _ in range(_ROUNDS):
        certain = [pair for row in _rows(family) for pair in _certain(family, row, closed, step)]
        if not certain:
            break
        for _, beside in certain:
            for column in beside:
                if not closed[column]:
                    more = _with(family, moves, column, closed)
                    if more is not None:
                        closed = more
                        break
    return closed


def _rows(family: Family) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each sum of each published table: its columns and their signs."""
    cells = len(family.layout.cells)
    for table in range(family.published):
        for row in family.layout.matrix:
            inside = np.flatnonzero(row)
            yield inside + table * cells, row[inside]


def _certain(
    family: Family, row: tuple[np.ndarray, np.ndarray], closed: np.ndarray, step: float
) -> Iterator[tuple[int, list[int]]]:
    """Sensitive columns of a sum whose number of yes is certain, each with the open columns beside it."""
    values, whole, respondents = (family.stacked(name) for name in ("values", "whole", "respondents"))
    columns, signs = row
    hidden, shown = columns[closed[columns]], columns[~closed[columns]]
    wanted = [one for one in hidden if family.sensitive[one] and not family.implied[one]]
    if not wanted or not family.equal_weights[hidden].all():
        return
    weights = whole[hidden] / np.maximum(respondents[hidden], 1.0)
    known = float(signs[~closed[columns]] @ values[shown])
    off = step / 2 * float(whole[shown].sum()) + 1e-6 * float(whole[columns].max(initial=1.0))
    possible = possible_counts(respondents[hidden], weights, signs[closed[columns]], known, off)
    if possible is None:
        return
    beside = sorted(map(int, shown), key=lambda one: (family.cost[one], one))
    for place, one in enumerate(hidden):
        if one in wanted and len(possible[place]) <= 1:
            yield int(one), [column for column in beside if np.isfinite(family.cost[column])]


def _with(family: Family, moves: Moves, column: int, closed: np.ndarray) -> np.ndarray | None:
    """The mask with one more column, and what must close with it so that it cannot be recomputed."""
    unit = family.stacked("whole")[column] / max(family.stacked("respondents")[column], 1.0)
    price = np.where(closed, 1e-4, family.cost)
    price[column] = 1e-4
    nobody = np.zeros(0, dtype=int)
    for move in (unit, -unit):
        found = moves.cheapest(column, move, price, nobody)
        if found is not None:
            return np.asarray(closed | (found != 0))
    return None
