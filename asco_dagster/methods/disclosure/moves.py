"""How far a cell can move while every relation still holds and published cells stay where they are.

One linear programme per question, solved by HiGHS (simplex, one thread, fixed seed, no time limit: the same
answer on every run). ``masks`` decides which questions to ask; the attack has separate programmes.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse  # type: ignore[import-untyped]

from asco_dagster.methods.disclosure.programme import programme, settle

if TYPE_CHECKING:
    import highspy

_FAR = 1e3  # no cell need ever move more than this many times the amount asked for
_NEGLIGIBLE, _SURELY = 1e-7, 1e-4


@dataclass(frozen=True)
class System:
    """The values of one family of tables and everything that holds between them, whatever they are.

    Args:
        values: true values, shape (columns,); a column is a cell of one indicator.
        up: room above each value (a priori upper bound − value); infinite where there is none.
        down: room below each value.
        equal: relations × columns, ``equal @ values`` is known: a move keeps it.
        least: inequalities × columns, ``least @ (values + move) + constant ≥ 0``.
        slack: ``least @ values + constant``, at least 0.
    """

    values: np.ndarray
    up: np.ndarray
    down: np.ndarray
    equal: sparse.csr_matrix
    least: sparse.csr_matrix
    slack: np.ndarray

    def restricted(self, columns: np.ndarray) -> "System":
        """The system of some columns while all others stay where they are."""
        equal, least = self.equal[:, columns], self.least[:, columns]
        equal = equal[np.diff(equal.indptr) > 0]
        moved = np.diff(least.indptr) > 0
        values, up, down = (side[columns] for side in (self.values, self.up, self.down))
        return System(values, up, down, equal, least[moved], self.slack[moved])


@dataclass(frozen=True)
class Cut:
    """What every mask must satisfy to let a cell move: ``coefficients @ mask ≥ 1``.

    Args:
        columns: columns with a coefficient.
        coefficients: above 0, at most 1.
    """

    columns: np.ndarray
    coefficients: np.ndarray

    def allows(self, mask: np.ndarray) -> bool:
        """Whether a mask satisfies it."""
        return bool(self.coefficients @ mask[self.columns] >= 1.0 - 1e-9)


class Moves:
    """Moves of one system: columns upwards, then downwards, in one programme that is changed per question.

    Attributes:
        solved: programmes solved so far.
    """

    def __init__(self, system: System) -> None:
        self.system = system
        self.solved = 0
        self._solver: highspy.Highs | None = None

    def cheapest(self, column: int, move: float, cost: np.ndarray, still: np.ndarray) -> np.ndarray | None:
        """The move of least cost that changes ``column`` by ``move``.

        Args:
            column: column to move.
            move: by how much, signed.
            cost: cost of moving each column; infinite where it must not move.
            still: columns that do not move whatever their cost (what an insider knows).

        Returns:
            The move scaled to ±1 at ``column``, shape (columns,), or None when there is none.
        """
        amount = abs(move)
        free = np.isfinite(cost)
        free[still] = False
        rooms = self._rooms(free, amount)
        own, other = self._sides(column, move)
        if rooms[own] < 1.0 - 1e-9:
            return None
        # Fixed charges made linear: a cell that can only give a part of the move costs as much for it.
        charges = np.tile(np.where(free, cost, 0.0), 2) / np.clip(rooms, 1e-3, 1.0)
        lower = np.zeros(len(rooms))
        lower[own], rooms[own], rooms[other] = 1.0, 1.0, 0.0
        if not self._solve(lower, rooms, charges, amount):
            return None
        return self._move(amount)

    def reach(self, column: int, move: float, mask: np.ndarray) -> float:
        """Part of ``move`` that ``column`` can make when the columns of ``mask`` are closed, 0 to 1."""
        rooms = self._rooms(mask, abs(move))
        own, other = self._sides(column, move)
        rooms[own], rooms[other] = min(rooms[own], 1.0), 0.0
        gain = np.zeros(len(rooms))
        gain[own] = -1.0
        solved = self._solve(np.zeros(len(rooms)), rooms, gain, abs(move))
        return float(self._model().getSolution().col_value[own]) if solved else 0.0

    def movable(self, columns: np.ndarray, moves: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Which of some columns move when all are asked to at once.

        Args:
            columns: columns that have room in one direction only.
            moves: room of each in that direction, signed.
            mask: columns that may move.

        Returns:
            True where a column surely can move by a part of its room; the others may or may not.
        """
        found = np.zeros(len(columns), dtype=bool)
        amount = float(np.abs(moves).max(initial=0.0))
        sides = np.array([self._sides(c, m)[0] for c, m in zip(columns, moves, strict=True)], dtype=int)
        rooms = self._rooms(mask, amount) if amount else np.zeros(0)
        while not found.all() and amount:
            left = sides[~found]
            gain = np.zeros(len(rooms))
            gain[left] = -1.0 / np.maximum(rooms[left], 1e-9)
            if not self._solve(np.zeros(len(rooms)), rooms, gain, amount):
                break
            made = np.asarray(self._model().getSolution().col_value)[sides]
            more = (made > _SURELY) & (made > _SURELY * rooms[sides]) & ~found
            if not more.any():
                break
            found |= more
        return found

    def farthest(
        self, column: int, move: float, mask: np.ndarray, start: np.ndarray, still: np.ndarray
    ) -> np.ndarray | Cut | None:
        """Whether ``column`` can move by ``move`` within a mask: the move itself, or why not.

        Args:
            column: column to move.
            move: by how much, signed.
            mask: closed columns.
            start: columns closed under every mask.
            still: columns that do not move.

        Returns:
            A move scaled to ±1 at ``column``; else the inequality that any mask must satisfy which lets it
            move; None when no mask does.
        """
        amount = abs(move)
        free = mask.copy()
        free[still] = False
        rooms = self._rooms(free, amount)
        own, other = self._sides(column, move)
        if rooms[own] < 1.0 - 1e-9:
            return None
        rooms[own], rooms[other] = 1.0, 0.0
        gain = np.zeros(len(rooms))
        gain[own] = -1.0
        if not self._solve(np.zeros(len(rooms)), rooms, gain, amount):
            return None
        solution = self._model().getSolution()
        if solution.col_value[own] > 1.0 - 1e-7:
            return self._move(amount)
        every = np.ones(len(mask), dtype=bool)
        every[still] = False
        prices = np.maximum(0.0, -np.asarray(solution.col_dual))
        worth = prices * self._rooms(every, amount)
        worth[own], worth[other] = prices[own], 0.0
        size = len(mask)
        each = worth[:size] + worth[size:]
        fixed = start.copy()
        fixed[column] = True
        below = np.asarray(solution.row_dual)[self.system.equal.shape[0] :]
        known = float(each[fixed].sum() + np.maximum(below, 0.0) @ (self.system.slack / amount))
        needed = 1.0 - known
        if needed <= 1e-6:  # a dual of poor quality: nothing can be said
            needed = 1e-6
        each = np.minimum(np.where(fixed, 0.0, each) / needed, 1.0)
        columns = np.flatnonzero(each > _NEGLIGIBLE)
        return Cut(columns, each[columns]) if columns.size else None

    @staticmethod
    def _sign(move: float) -> int:
        return 1 if move > 0 else -1

    def _sides(self, column: int, move: float) -> tuple[int, int]:
        size = len(self.system.values)
        return (column, column + size) if move > 0 else (column + size, column)

    def _rooms(self, free: np.ndarray, amount: float) -> np.ndarray:
        up, down = self.system.up, self.system.down
        rooms = np.concatenate([np.where(free, up, 0.0), np.where(free, down, 0.0)]) / amount
        return np.minimum(rooms, _FAR)

    def _solve(self, lower: np.ndarray, upper: np.ndarray, cost: np.ndarray, amount: float) -> bool:
        import highspy

        self.solved += 1
        solver = self._model()
        every = np.arange(len(upper), dtype=np.int32)
        solver.changeColsBounds(len(upper), every, lower, upper)
        solver.changeColsCost(len(upper), every, cost)
        if len(self.system.slack):
            first = self.system.equal.shape[0]
            rows = np.arange(first, first + len(self.system.slack), dtype=np.int32)
            far = np.full(len(rows), highspy.kHighsInf)
            bounds = -self.system.slack / amount, far
            solver.changeRowsBounds(len(rows), rows, *bounds)  # type: ignore[attr-defined]
        return bool(settle(solver) == highspy.HighsModelStatus.kOptimal)

    def _move(self, amount: float) -> np.ndarray | None:
        size = len(self.system.values)
        values = np.asarray(self._model().getSolution().col_value)
        move = values[:size] - values[size:]
        move[np.abs(move) < _NEGLIGIBLE] = 0.0
        # A move too small to keep leaves a gap: such a move would prove nothing.
        return move if np.abs(self.system.equal @ move).max(initial=0.0) < 1e-6 else None

    def _model(self) -> "highspy.Highs":
        """The programme of the relations, built once: columns are moves up, then moves down."""
        if self._solver is None:
            rows = sparse.vstack([self.system.equal, self.system.least])
            both = sparse.hstack([rows, -rows]).tocsr()
            nothing = np.zeros(both.shape[1])
            below = np.zeros(both.shape[0])
            above = np.concatenate(
                [np.zeros(self.system.equal.shape[0]), np.full(len(self.system.slack), 1e30)]
            )
            self._solver = programme(both, (nothing, nothing), (below, above))
        return self._solver
