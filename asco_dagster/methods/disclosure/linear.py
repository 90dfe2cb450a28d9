"""Alternative tables: how far a cell can move while every relation still holds and released cells stay put.

One linear programme per question, solved by HiGHS (simplex, one thread, fixed seed, no time limit: the same
answer on every run). Which questions to ask is decided in ``secondary``; the attack has its own programme.
"""

from typing import TYPE_CHECKING

import numpy as np

from asco_dagster.methods.disclosure.programme import programme, settle

if TYPE_CHECKING:
    import highspy

_FAR = 1e4  # no cell need ever move more than this many times the amount asked for
_NEGLIGIBLE = 1e-7


class AlternativeTables:
    """Directions in which a table can move, for one set of relations.

    A *ray* is a vector d with ``matrix @ d = 0``: a table moved along it is another possible table, which is
    the certificate that the cells it moves cannot be told. Rays belong to the relations alone, so those found
    for one table are tried first on the next.

    Args:
        matrix: relations × columns.
        cell_of: for each column the cell whose mask covers it, shape (columns,).
    """

    def __init__(self, matrix: np.ndarray, cell_of: np.ndarray) -> None:
        self.matrix = matrix
        self.cell_of = cell_of
        self.cells = int(cell_of.max()) + 1
        self.rays = np.zeros((0, matrix.shape[1]))
        self.touched = np.zeros((0, self.cells), dtype=bool)
        self._solver: highspy.Highs | None = None

    def remember(self, ray: np.ndarray) -> int:
        """Keep a ray for later tables; returns its number."""
        touched = np.zeros(self.cells, dtype=bool)
        touched[self.cell_of[np.abs(ray) > 0]] = True
        self.rays = np.vstack([self.rays, ray])
        self.touched = np.vstack([self.touched, touched])
        return len(self.rays) - 1

    def known(
        self, column: int, move: float, up: np.ndarray, down: np.ndarray, mask: np.ndarray
    ) -> np.ndarray:
        """Numbers of remembered rays that move ``column`` by ``move`` within the room and the mask."""
        usable = np.flatnonzero((self.rays[:, column] != 0) & ~(self.touched & ~mask).any(axis=1))
        if not usable.size:
            return usable
        moved = self.rays[usable] * (move / self.rays[usable, column])[:, None]
        slack = 1e-9 * abs(move)
        return usable[((moved <= up + slack) & (moved >= -down - slack)).all(axis=1)]

    def cheapest(
        self,
        column: int,
        move: float,
        up: np.ndarray,
        down: np.ndarray,
        cost: np.ndarray,
        still: int | None = None,
    ) -> np.ndarray | None:
        """The ray of least cost that moves ``column`` by ``move``.

        Args:
            column: column to move.
            move: by how much, in the table's unit, signed.
            up: room above each column, shape (columns,).
            down: room below each column.
            cost: cost of touching each column; infinite where it must not move.
            still: cell that does not move (an insider's own value).

        Returns:
            The ray scaled to ±1 at ``column``, or None when there is none.
        """
        import highspy

        size, amount = len(cost), abs(move)
        open_ = np.isfinite(cost)
        rooms = np.concatenate([np.where(open_, up, 0.0), np.where(open_, down, 0.0)]) / amount
        # Fixed charges made linear: a cell that can only give a part of the move costs as much for it.
        charges = np.tile(np.where(open_, cost, 0.0), 2) / np.clip(rooms, 1e-3, 1.0)
        lower = np.zeros(2 * size)
        rooms = np.minimum(rooms, _FAR)
        if still is not None:
            rooms[np.tile(self.cell_of == still, 2)] = 0.0
        own, other = (column, column + size) if move > 0 else (column + size, column)
        if rooms[own] < 1.0 - 1e-9:
            return None
        lower[own], rooms[own], rooms[other] = 1.0, 1.0, 0.0
        solver = self._model()
        every = np.arange(2 * size, dtype=np.int32)
        solver.changeColsBounds(2 * size, every, lower, rooms)
        solver.changeColsCost(2 * size, every, charges)
        if settle(solver) != highspy.HighsModelStatus.kOptimal:
            return None
        values = np.asarray(solver.getSolution().col_value)
        ray = values[:size] - values[size:]
        ray[np.abs(ray) < _NEGLIGIBLE] = 0.0
        # A move too small to keep leaves a gap: such a ray would prove nothing.
        return ray if np.abs(self.matrix @ ray).max(initial=0.0) < 1e-6 else None

    def _model(self) -> "highspy.Highs":
        """The programme of the relations, built once: columns are moves up, then moves down."""
        if self._solver is None:
            both = np.hstack([self.matrix, -self.matrix])
            nothing = np.zeros(both.shape[1])
            none = np.zeros(both.shape[0])
            self._solver = programme(both, (nothing, nothing), (none, none))
        return self._solver
