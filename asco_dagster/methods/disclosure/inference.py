"""What follows from tables with holes: the interval of every hole, by linear programming.

The intruder's arithmetic, shared with the suppression in nothing but the sums and the links: known values
within their rounding on one side, holes between 0 and what they can be at most on the other. What counts as a
breach is decided in ``attack``.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from scipy import sparse  # type: ignore[import-untyped]

from asco_dagster.errors import DisclosureError
from asco_dagster.methods.disclosure.programme import programme, settle

_SLACK = 1e-9  # relative: sums of floats do not close exactly
_FAR = 1e4  # relative: the bound of what has none, and leaves the solver its digits
_SMALL = 1e-4  # relative: smaller cells do not weigh more when many are asked for at once
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
        given: largest value that will be given in ``given``.
    """

    def __init__(self, relations: Relations, low: np.ndarray, high: np.ndarray, given: float = 0.0) -> None:
        self.name = relations.name
        self.low, self.high = low.astype(float).copy(), high.astype(float).copy()
        self.scale = max(float(np.max(np.where(np.isfinite(high), high, 0.0), initial=0.0)), 1.0)
        self._unit = max(
            self.scale, given
        )  # of the programme: amounts of 10⁹ euros leave the solver no digits
        self._far = _FAR * self._unit
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
        bounds = self.low[loose], np.minimum(self.high[loose], self._far)
        sides = [(low / self._unit, high / self._unit) for low, high in (bounds, rows)]
        self._solver = programme(part[used], sides[0], sides[1], precision=_SLACK)
        self._feasible = False  # whether the programme's last solution still is a solution
        # Least and largest value of each column in any solution so far: at its bound no programme is needed.
        self._least, self._most = np.full(len(self.place), np.inf), np.full(len(self.place), -np.inf)

    def enclose(self, columns: Iterable[int]) -> None:
        """Narrow ``low`` and ``high`` of some columns to what the relations allow.

        Raises:
            DisclosureError: the known values contradict each other.
        """
        wanted, near = [column for column in columns if column in self.place], _SLACK * self.scale
        self._seek_together(wanted, self.low[wanted] + near, self.high[wanted] - near)
        for column in wanted:
            self._find_low(column)
            self._find_high(column)

    def spanned(self, columns: Sequence[int], low: np.ndarray, high: np.ndarray) -> list[bool]:
        """Whether each of some columns can be as small as ``low`` and as large as ``high``.

        Cheaper than their intervals: no programme is needed for what some solution so far has shown.

        Raises:
            DisclosureError: the known values contradict each other.
        """
        inside = np.array([column in self.place for column in columns], dtype=bool)
        self._seek_together(np.array(columns, dtype=int)[inside], low[inside], high[inside])
        return [self._spans(*one) for one in zip(columns, low, high, strict=True)]

    def _spans(self, column: int, low: float, high: float) -> bool:
        number = self.place.get(column)
        if number is None:
            return bool(self.low[column] <= low and self.high[column] >= high)
        if self._least[number] > low:
            self._find_low(column)
        if self._most[number] < high:
            self._find_high(column)
        least, most = min(self._least[number], self.low[column]), max(self._most[number], self.high[column])
        return bool(least <= low and most >= high)

    def _seek_together(self, columns: Sequence[int] | np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
        """Ask for all columns in one programme, as long as it shows what is sought of any of them."""
        own = np.array(columns, dtype=int)
        numbers = np.array([self.place[column] for column in own], dtype=int)
        bounded = self.high[own] < self._far
        weights = self._unit / np.maximum(np.where(bounded, self.high[own], 1.0), _SMALL * self._unit)
        for sign, sought in ((1.0, low), (-1.0, high)):
            missing = bounded & self._missing(numbers, sign, sought)
            while missing.sum() > 1:
                self._solve(numbers[missing], sign * weights[missing])
                left = missing & self._missing(numbers, sign, sought)
                if left.sum() == missing.sum():
                    break
                missing = left

    def _missing(self, numbers: np.ndarray, sign: float, sought: np.ndarray) -> np.ndarray:
        """Which columns no solution so far has shown as small, or for a negative sign as large, as sought."""
        return self._least[numbers] > sought if sign > 0 else self._most[numbers] < sought

    def _find_low(self, column: int) -> None:
        number = self.place[column]
        if self._least[number] > self.low[column] + _SLACK * self.scale:
            self.low[column] = max(self.low[column], self._extreme(number, 1.0))

    def _find_high(self, column: int) -> None:
        number = self.place[column]
        if self._most[number] < min(self.high[column], self._far) - _SLACK * self.scale:
            found = self._extreme(number, -1.0)
            self.high[column] = min(self.high[column], np.inf if found >= 0.9 * self._far else found)

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
        self._solver.changeColBounds(self.place[column], low / self._unit, min(high, self._far) / self._unit)
        self._feasible = False

    def _extreme(self, number: int, cost: float) -> float:
        return float(self._solve(np.array([number]), np.array([cost]))[number])

    def _solve(self, numbers: np.ndarray, costs: np.ndarray) -> np.ndarray:
        """Values of the programme's columns at the least cost."""
        import highspy

        solver, own = self._solver, numbers.astype(np.int32)
        solver.changeColsCost(len(own), own, costs)
        status = settle(solver, only_costs_changed=self._feasible)
        self._feasible = status == highspy.HighsModelStatus.kOptimal
        values = self._unit * np.asarray(solver.getSolution().col_value)
        solver.changeColsCost(len(own), own, np.zeros(len(own)))
        if status != highspy.HighsModelStatus.kOptimal:
            raise DisclosureError(
                f"{self.name}: the published values contradict each other "
                f"({solver.modelStatusToString(status)})",
                expected="totals equal to the sums of their parts within the rounding of the release",
                remedy="Check that the cells are those of one version, with all parts of each total",
            )
        self._least, self._most = np.minimum(self._least, values), np.maximum(self._most, values)
        return values


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
