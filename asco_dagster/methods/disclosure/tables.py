"""The released tables as cells and the linear relations between them.

France is the sum of its size classes and of its régions, a région the sum of its classes and of its
départements, a class of France the sum of the régions' classes; numerators (share × denominator) add up as
totals do, and indicators of an additive set add up in every cell. Both the suppression and the attack read
the relations from here; neither rules nor solving belong here.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from asco_dagster.errors import DisclosureError
from asco_dagster.methods.disclosure.rules import CELL, TOTAL, AdditiveSet

Cell = tuple[str, str, str]
_ORDER = {"france": 0, "region": 1, "departement": 2}


@dataclass(frozen=True)
class Layout:
    """The cells of one unit type in their fixed order, and their relations.

    Args:
        cells: (geography, area_code, size_class), France first.
        matrix: relations × cells; +1 for the total, −1 for its parts; matrix @ values = 0.
    """

    cells: tuple[Cell, ...]
    matrix: np.ndarray

    def index(self) -> dict[Cell, int]:
        """Position of each cell."""
        return {cell: position for position, cell in enumerate(self.cells)}

    @functools.cached_property
    def within(self) -> np.ndarray:
        """Which cells lie in which by the relations: [whole, part], at any depth; cells × cells, boolean."""
        found = np.zeros((len(self.cells), len(self.cells)), dtype=bool)
        for row in self.matrix:
            found[np.ix_(row > 0, row < 0)] = True
        while True:
            deeper = found | (found.astype(int) @ found.astype(int) > 0)
            if (deeper == found).all():
                return found
            found = deeper


def label(cell: Cell) -> str:
    """A cell as messages show it."""
    return " × ".join(cell)


def layout(cells: Iterable[Cell], regions: Mapping[str, str]) -> Layout:
    """Order the cells and find every relation among them.

    Args:
        cells: cells of one unit type, in any order.
        regions: département code → région code (public).

    Returns:
        The layout; the same for any order of ``cells``.

    Raises:
        DisclosureError: a geography is unknown or a département has no région.
    """
    known = sorted(set(cells), key=lambda cell: (_ORDER.get(cell[0], 9), cell[1], cell[2] != TOTAL, cell[2]))
    position = {cell: number for number, cell in enumerate(known)}
    for cell in known:
        if cell[0] not in _ORDER:
            raise DisclosureError(
                f"the geography “{cell[0]}” of cell {label(cell)} is unknown", expected=", ".join(_ORDER)
            )
        if cell[0] == "departement" and cell[1] not in regions:
            raise DisclosureError(
                f"département {cell[1]} belongs to no région",
                remedy="Complete the territory's list of départements and régions",
            )
    rows = []
    for total, parts in _sums(known, regions):
        if total in position and parts:
            row = np.zeros(len(known))
            row[position[total]] = 1.0
            row[[position[part] for part in parts]] = -1.0
            rows.append(row)
    return Layout(tuple(known), np.array(rows).reshape(len(rows), len(known)))


def _sums(known: Sequence[Cell], regions: Mapping[str, str]) -> list[tuple[Cell, list[Cell]]]:
    """Every total with its parts, in a fixed order."""
    sums: list[tuple[Cell, list[Cell]]] = []
    areas = dict.fromkeys(cell[:2] for cell in known if cell[0] != "departement")
    for geography, area in areas:
        total = (geography, area, TOTAL)
        sums.append((total, [cell for cell in known if cell[:2] == total[:2] and cell != total]))
        if geography == "region":
            sums.append((total, [c for c in known if c[0] == "departement" and regions[c[1]] == area]))
            continue
        for size_class in dict.fromkeys(cell[2] for cell in known):
            parts = [cell for cell in known if cell[0] == "region" and cell[2] == size_class]
            sums.append(((geography, area, size_class), parts))
    return sums


def stacked(matrix: np.ndarray, members: Sequence[str], sets: Sequence[AdditiveSet]) -> np.ndarray:
    """Relations of several indicators' tables at once: each its own, and the sets cell by cell.

    Args:
        matrix: relations × cells of one table.
        members: indicators in the order of their blocks of columns.
        sets: additive sets among the members. A set without a total adds up to the denominator, which the
            intruder is taken to know: its differences add up to 0.

    Returns:
        (relations × members + cells × sets) × (cells × members).
    """
    cells = matrix.shape[1]
    blocks = [np.kron(np.eye(len(members)), matrix)]
    for additive in sets:
        row = np.zeros(len(members))
        row[[members.index(part) for part in additive.parts]] = -1.0
        if additive.total is not None:
            row[members.index(additive.total)] = 1.0
        blocks.append(np.kron(row, np.eye(cells)))
    return np.vstack(blocks)


def families(
    indicators: Iterable[str], together: Iterable[Sequence[str]], sets: Iterable[AdditiveSet]
) -> list[tuple[str, ...]]:
    """Indicators that must share one mask, because one would give the other away.

    Args:
        indicators: all that are released.
        together: groups that share a mask, for example a yes/no question and the amount asked if yes.
        sets: additive sets; their members share a mask too.

    Returns:
        A partition of ``indicators``, each family and the list sorted.
    """
    leader = {indicator: indicator for indicator in sorted(set(indicators))}

    def find(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    for group in [*together, *(additive.members() for additive in sets)]:
        present = sorted(find(name) for name in group if name in leader)
        for name in present[1:]:
            leader[find(name)] = find(present[0])
    members: dict[str, list[str]] = {}
    for name in leader:
        members.setdefault(find(name), []).append(name)
    return sorted(tuple(sorted(family)) for family in members.values())


def kin(table: Layout, respondents: np.ndarray) -> np.ndarray:
    """Classes of cells that hold the same respondents: a total with one single part that has any."""
    classes = np.arange(len(table.cells))
    for row in table.matrix:
        parts = np.flatnonzero((row < 0) & (respondents > 0))
        if len(parts) == 1:
            total = int(np.flatnonzero(row > 0)[0])
            classes[classes == classes[parts[0]]] = classes[total]
    return classes


def inside(table: Layout, classes: np.ndarray) -> np.ndarray:
    """Which cells lie in which: [whole, part] is true for a total and its parts, at any depth.

    Cells of one class of ``kin`` hold the same respondents: what lies in one lies in all.
    """
    _, number = np.unique(classes, return_inverse=True)
    whole, part = np.nonzero(table.within)
    linked = np.zeros((number.max(initial=-1) + 1,) * 2, dtype=bool)
    linked[number[whole], number[part]] = True
    return linked[np.ix_(number, number)]


def column(cells: pd.DataFrame, name: str, order: Mapping[Cell, int], missing: float = 0.0) -> np.ndarray:
    """One column of a table's rows in the layout's order; cells without a row get ``missing``."""
    values = np.full(len(order), missing)
    positions = [order[cell] for cell in zip(*(cells[key] for key in CELL), strict=True)]
    values[positions] = cells[name].to_numpy(float)
    return values


def demand_additive(matrix: np.ndarray, values: np.ndarray, cells: Sequence[Cell], table: str) -> None:
    """Refuse a table whose totals are not the sums of their parts, or that holds negative values.

    Raises:
        DisclosureError: names the table and the first total.
    """
    if (values < 0).any():
        worst = cells[int(np.argmin(values)) % len(cells)]
        raise DisclosureError(
            f"{table}: cell {label(worst)} is negative",
            expected="values of at least 0: the protection rests on it",
        )
    scale = np.abs(matrix) @ np.abs(values) + 1.0
    gaps = np.abs(matrix @ values) / scale
    if gaps.size and gaps.max() > 1e-6:
        row = matrix[int(np.argmax(gaps))]
        total = cells[int(np.argmax(row > 0)) % len(cells)]
        raise DisclosureError(
            f"{table}: the parts of {label(total)} do not add up to it (relative gap {gaps.max():.1e})",
            expected="unrounded numerators and denominators of one set of weights",
            remedy="Give the cells as estimated, before any rounding, with all parts of each total",
        )
