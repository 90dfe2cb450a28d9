"""What follows from a table with holes: the interval of every hole, by elimination and linear programming.

The intruder's own arithmetic, shared with the suppression in nothing but the relations: known values with
their rounding error on one side, holes bounded by 0 and what may be known above on the other. What counts as
a breach is decided in ``attack``.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from asco_dagster.errors import DisclosureError
from asco_dagster.methods.disclosure.programme import programme, settle

if TYPE_CHECKING:
    import highspy

_SLACK = 1e-9  # of a component's scale: sums of floats do not close exactly
_POINTS = 40
_FAR = 1e5  # scaled values up here stand for "without bound": no solver status has to be told apart


class Inference:
    """Intervals of the unknown values of one table.

    Args:
        matrix: relations × columns, ``matrix @ values = right``.
        values: known values, NaN where unknown.
        error: half-width of the rounding of each known value.
        upper: a priori upper bound of each unknown value (the lower one is 0).
        right: right-hand side of each relation.
        name: for messages.
    """

    def __init__(
        self,
        matrix: np.ndarray,
        values: np.ndarray,
        error: np.ndarray,
        upper: np.ndarray,
        right: np.ndarray,
        name: str,
    ) -> None:
        self.matrix, self.right, self.name = matrix, right, name
        self.values, self.error = values.copy(), np.where(np.isnan(values), 0.0, error)
        self.unknown = np.flatnonzero(np.isnan(values))
        self.low, self.high, self.ceiling = np.zeros(len(values)), upper.copy(), upper
        self.points: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._eliminate()
        for columns in self._components():
            self._enclose(columns)

    def _known(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the known values leave for the unknown ones in each relation, and how far it may be off."""
        filled = np.nan_to_num(self.values)
        part = np.where(np.isnan(self.values), 0.0, self.matrix[rows])
        left = self.right[rows] - part @ filled
        return left, np.abs(part) @ self.error + _SLACK * (np.abs(part) @ np.abs(filled))

    def _eliminate(self) -> None:
        """Solve every relation with a single unknown, again and again: recovered values are then known."""
        while True:
            holes = np.isnan(self.values)
            lonely = np.flatnonzero(((self.matrix != 0) & holes).sum(axis=1) == 1)
            if not lonely.size:
                return
            row = lonely[:1]
            column = int(np.flatnonzero((self.matrix[row[0]] != 0) & holes)[0])
            left, error = self._known(row)
            value = float(left[0] / self.matrix[row[0], column])
            self.low[column] = max(0.0, value - error[0])
            self.high[column] = min(self.high[column], max(0.0, value + error[0]))
            self.values[column], self.error[column] = max(value, 0.0), error[0]

    def _components(self) -> Iterator[np.ndarray]:
        """Unknown columns that relations tie together, each group once."""
        holes = np.isnan(self.values)
        links = (self.matrix != 0) & holes
        group = np.where(holes, np.arange(len(holes)), -1)
        changed = True
        while changed:
            changed = False
            for row in links[links.any(axis=1)]:
                least = group[row].min()
                if (group[row] != least).any():
                    group[row], changed = least, True
        for number in np.unique(group[holes]):
            yield np.flatnonzero(group == number)

    def _enclose(self, columns: np.ndarray) -> None:
        """Least and largest value of each unknown of a component, and the tables that attain them."""
        solver, scale = self._model(columns)
        points = []
        for position, column in enumerate(columns):
            for largest in (False, True):
                value, point = _extreme(solver, position, largest, self.name)
                if point is not None:
                    points.append(point)
                if largest:
                    self.high[column] = min(self.high[column], value * scale)
                else:
                    self.low[column] = max(0.0, value * scale)
        for column in columns:
            self.points[int(column)] = (columns, np.array(points) * scale)

    def given(
        self, fixed: np.ndarray, enough: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    ) -> dict[int, tuple[float, float]]:
        """Intervals that become too narrow for one who also knows the true values of some columns.

        Tables already found are mixed first: if a mixture keeps the known values and leaves an interval that
        is wide enough, no programme is needed.

        Args:
            fixed: known values, NaN elsewhere.
            enough: for columns, lows and highs whether each interval is wide enough.

        Returns:
            column → (low, high) for the columns whose interval is too narrow.
        """
        narrow: dict[int, tuple[float, float]] = {}
        done: set[int] = set()
        for own in np.flatnonzero(~np.isnan(fixed)):
            if int(own) not in self.points or int(own) in done:
                continue
            columns, points = self.points[int(own)]
            done |= set(map(int, columns))
            wanted = np.flatnonzero(np.isnan(fixed[columns]))
            known = np.flatnonzero(~np.isnan(fixed[columns]))
            if len(known) == 1:
                low, high = _mixtures(points, int(known[0]), float(fixed[columns[known[0]]]))
                wanted = wanted[~enough(columns[wanted], low[wanted], high[wanted])]
            if not wanted.size:
                continue
            solver, scale = self._model(columns, fixed)
            for position in map(int, wanted):
                low_, high_ = (
                    _extreme(solver, position, largest, self.name)[0] * scale for largest in (False, True)
                )
                column = columns[position : position + 1]
                if not enough(column, np.array([low_]), np.array([high_]))[0]:
                    narrow[int(column[0])] = (max(low_, 0.0), high_)
        return narrow

    def _model(self, columns: np.ndarray, fixed: np.ndarray | None = None) -> tuple["highspy.Highs", float]:
        """The HiGHS model of a component, scaled to values near 1, and the scale."""
        rows = np.flatnonzero((self.matrix[:, columns] != 0).any(axis=1))
        left, error = self._known(rows)
        scale = max(float(np.abs(left).max(initial=0.0)), 1e-6)
        part = self.matrix[np.ix_(rows, columns)]
        lower, upper = np.zeros(len(columns)), np.minimum(self.ceiling[columns] / scale, _FAR)
        if fixed is not None:
            own = ~np.isnan(fixed[columns])
            lower[own] = upper[own] = fixed[columns][own] / scale
        slack = error / scale + _SLACK
        bounds = left / scale - slack, left / scale + slack
        return programme(part, (lower, upper), bounds), scale


def _extreme(
    solver: "highspy.Highs", position: int, largest: bool, name: str
) -> tuple[float, np.ndarray | None]:
    """Extreme value of one column and the table that attains it (None when unbounded)."""
    import highspy

    solver.changeColCost(position, -1.0 if largest else 1.0)
    status = settle(solver)
    solver.changeColCost(position, 0.0)
    if status != highspy.HighsModelStatus.kOptimal:
        raise DisclosureError(
            f"{name}: the published values contradict each other ({solver.modelStatusToString(status)})",
            expected="totals equal to the sums of their parts within the rounding given",
            remedy="Give the attack the rounding steps of the release, and check that all parts are there",
        )
    point = np.asarray(solver.getSolution().col_value)
    if point[position] >= 0.9 * _FAR:
        return np.inf, None
    return float(point[position]), point


def _mixtures(points: np.ndarray, column: int, value: float) -> tuple[np.ndarray, np.ndarray]:
    """Range of each column over mixtures of two tables that hold ``value`` in ``column``."""
    width = points.shape[1]
    above = points[points[:, column] >= value][:_POINTS]
    below = points[points[:, column] <= value][:_POINTS]
    if not len(above) or not len(below):
        return np.full(width, np.nan), np.full(width, np.nan)
    gap = above[:, None, column] - below[None, :, column]
    part = np.where(gap > 0, (value - below[None, :, column]) / np.where(gap > 0, gap, 1.0), 0.0)[..., None]
    mixed = (part * above[:, None] + (1 - part) * below[None]).reshape(-1, width)
    return mixed.min(axis=0), mixed.max(axis=0)
