"""What follows from tables with holes: the interval of every hole, by linear programming.

The intruder's own arithmetic, shared with the suppression in nothing but the sums and the links: known values
within their rounding on one side, holes between 0 and what they can be at most on the other. What counts as a
breach is decided in ``attack``.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from scipy import sparse  # type: ignore[import-untyped]

from asco_dagster.errors import DisclosureError
from asco_dagster.methods.disclosure.programme import programme, settle

_SLACK = 1e-9  # relative: sums of floats do not close exactly
_FAR = 1e12  # stands for "without bound"
_MOST = 300_000  # combinations of whole numbers that are tried


@dataclass(frozen=True)
class Relations:
    """What holds between the columns of one system: ``low ≤ matrix @ values ≤ high``.

    Args:
        matrix: relations × columns.
        low: shape (relations,).
        high: likewise; infinite where only ``low`` counts.
        name: for messages.
    """

    matrix: sparse.csr_matrix
    low: np.ndarray
    high: np.ndarray
    name: str


class Inference:
    """Intervals of the values of one system.

    Args:
        relations: what holds.
        low: least value of each column that is known beforehand, shape (columns,).
        high: largest value; equal to ``low`` where it is known exactly.
    """

    def __init__(self, relations: Relations, low: np.ndarray, high: np.ndarray) -> None:
        self.name = relations.name
        self.low, self.high = low.astype(float).copy(), high.astype(float).copy()
        self.scale = max(float(np.max(np.where(high < _FAR, high, 0.0), initial=0.0)), 1.0)
        self.tolerance = 10 * _SLACK * self.scale  # narrower intervals are points
        # Columns known to the last digit go to the right-hand side.
        loose = self.high - self.low > _SLACK * self.scale
        self.place = {int(column): number for number, column in enumerate(np.flatnonzero(loose))}
        known = np.where(loose, 0.0, (self.low + self.high) / 2)
        off = np.where(loose, 0.0, (self.high - self.low) / 2)
        part = relations.matrix[:, loose]
        used = np.diff(part.indptr) > 0
        sums = relations.matrix @ known
        slack = _SLACK * self.scale + abs(relations.matrix) @ off
        rows = (relations.low - sums - slack)[used], (relations.high - sums + slack)[used]
        bounds = self.low[loose], np.minimum(self.high[loose], _FAR)
        self._solver = programme(part[used], bounds, rows)
        # Least and largest value of each column in any solution so far: at its bound no programme is needed.
        self._least, self._most = np.full(len(self.place), np.inf), np.full(len(self.place), -np.inf)

    def enclose(self, columns: Iterable[int]) -> None:
        """Narrow ``low`` and ``high`` of some columns to what the relations allow.

        Raises:
            DisclosureError: the known values contradict each other.
        """
        for column in columns:
            if column in self.place:
                number, near = self.place[column], _SLACK * self.scale
                if self._least[number] > self.low[column] + near:
                    self.low[column] = max(self.low[column], self._extreme(column, 1.0))
                if self._most[number] < min(self.high[column], _FAR) - near:
                    self.high[column] = min(self.high[column], self._extreme(column, -1.0))

    @contextmanager
    def given(self, known: Mapping[int, float]) -> "Iterator[Inference]":
        """The same for one who also knows the values of some columns; afterwards all is as before."""
        before, seen = (self.low.copy(), self.high.copy()), (self._least, self._most)
        self._least, self._most = np.full_like(seen[0], np.inf), np.full_like(seen[1], -np.inf)
        inside = [column for column in known if column in self.place]
        near = _SLACK * self.scale
        for column in inside:
            self._bound(column, max(known[column] - near, 0.0), known[column] + near)
        yield self
        self.low, self.high = before
        self._least, self._most = np.minimum(seen[0], self._least), np.maximum(seen[1], self._most)
        for column in inside:
            self._bound(column, float(self.low[column]), float(self.high[column]))

    def _bound(self, column: int, low: float, high: float) -> None:
        self._solver.changeColBounds(self.place[column], low, min(high, _FAR))

    def _extreme(self, column: int, cost: float) -> float:
        import highspy

        number, solver = self.place[column], self._solver
        solver.changeColCost(number, cost)
        status = settle(solver)
        values = solver.getSolution().col_value
        solver.changeColCost(number, 0.0)
        if status != highspy.HighsModelStatus.kOptimal:
            raise DisclosureError(
                f"{self.name}: the published values contradict each other "
                f"({solver.modelStatusToString(status)})",
                expected="totals equal to the sums of their parts within the rounding of the release",
                remedy="Check that the cells are those of one version, with all parts of each total",
            )
        self._least, self._most = np.minimum(self._least, values), np.maximum(self._most, values)
        return np.inf if values[number] >= 0.9 * _FAR else float(values[number])


def possible_counts(
    respondents: np.ndarray, weights: np.ndarray, signs: np.ndarray, known: float, off: float
) -> list[np.ndarray] | None:
    """The numbers of yes that each hidden cell of a sum can have, where its units all weigh the same.

    Args:
        respondents: of each hidden cell, shape (cells,).
        weights: of one unit of each.
        signs: +1 for a total, −1 for a part.
        known: what the published cells of the sum come to, with their signs.
        off: how far that may be off by rounding.

    Returns:
        For each cell the numbers that occur in some combination; None where there are more combinations than
        are tried, which leaves more than one number to each.
    """
    if np.prod(respondents + 1.0) > _MOST:
        return None
    grid = np.array(list(itertools.product(*[range(int(n) + 1) for n in respondents])), dtype=float)
    fits = grid[np.abs(grid @ (signs * weights) + known) <= off]
    return [np.unique(column) for column in fits.T]
