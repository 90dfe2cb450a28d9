"""The cells of the released breakdowns, the areas that are published as one, and the sums among them.

Released are France, régions and départements over all sizes, and France and régions by size class. Areas that
are too small to be published alone are recoded first (``AreaGroup``): the overseas régions by size class as
one, Paris with a neighbour. Both the suppression and the attack read cells and sums from here; rules and
solving are elsewhere.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from asco_dagster.errors import DisclosureError
from asco_dagster.methods.disclosure.rules import CELL, TOTAL

Cell = tuple[str, str, str]
FRANCE = "FR"
_ORDER = {"france": 0, "region": 1, "departement": 2}


@dataclass(frozen=True)
class AreaGroup:
    """Areas that a release shows only together.

    Args:
        code: area code of the group.
        geography: ``region``: the régions' cells by size class are replaced by the group's, their totals
            stay; ``departement``: the départements' cells are replaced by the group's.
        areas: codes of its areas.
    """

    code: str
    geography: Literal["region", "departement"]
    areas: tuple[str, ...]


@dataclass(frozen=True)
class Areas:
    """The public geography of a release.

    Args:
        regions: département code → région code.
        groups: areas that are shown together.
    """

    regions: Mapping[str, str]
    groups: tuple[AreaGroup, ...] = ()

    def shown_region(self, region: str) -> str:
        """Code under which a région's cells by size class are released."""
        return self._shown("region").get(region, region)

    def shown_departement(self, departement: str) -> str:
        """Code under which a département's cell is released."""
        return self._shown("departement").get(departement, departement)

    def region_of(self, departement: str) -> str:
        """Région of a département or of a group of départements.

        Raises:
            DisclosureError: it belongs to no région, or its départements belong to several.
        """
        own = {group.code: group.areas for group in self.groups if group.geography == "departement"}
        found = {self.regions.get(code) for code in own.get(departement, (departement,))}
        if len(found) > 1:
            raise DisclosureError(
                f"the départements of {departement} are in several régions",
                remedy="Group départements of one région in disclosure.recoding of the wave file",
            )
        region = found.pop()
        if region is None:
            raise DisclosureError(
                f"département {departement} belongs to no région",
                remedy="Complete the territory's list of départements and régions",
            )
        return region

    def _shown(self, geography: str) -> dict[str, str]:
        return {a: group.code for group in self.groups if group.geography == geography for a in group.areas}


def partitions(units: pd.DataFrame, areas: Areas) -> Iterator[pd.DataFrame]:
    """The released cell of each unit in each of the five breakdowns.

    Args:
        units: ``region_code``, ``departement_code``, ``size_class``.
        areas: which of them are shown together.

    Yields:
        ``geography``, ``area_code``, ``size_class``, with the index of ``units``.
    """
    region, departement = units["region_code"].astype(str), units["departement_code"].astype(str)
    size = units["size_class"].astype(str)
    shown = {code: areas.shown_region(code) for code in region.unique()}
    merged = {code: areas.shown_departement(code) for code in departement.unique()}
    for geography, area, by_size in (
        ("france", FRANCE, False),
        ("france", FRANCE, True),
        ("region", region, False),
        ("region", region.map(shown), True),
        ("departement", departement.map(merged), False),
    ):
        yield pd.DataFrame(
            {"geography": geography, "area_code": area, "size_class": size if by_size else TOTAL},
            index=units.index,
        )


def is_released(cells: pd.DataFrame, areas: Areas) -> pd.Series:
    """Which rows are in a released breakdown.

    Shares of population are released for France and its size classes only: elsewhere the population of a
    single town, which is public, would decide its answer.
    """
    over_all_sizes = cells["size_class"] == TOTAL
    grouped = {geography: areas._shown(geography) for geography in ("region", "departement")}
    codes = {group.code for group in areas.groups}
    region = (cells["geography"] == "region") & np.where(
        over_all_sizes, ~cells["area_code"].isin(codes), ~cells["area_code"].isin(grouped["region"])
    )
    departement = (cells["geography"] == "departement") & over_all_sizes
    departement &= ~cells["area_code"].isin(grouped["departement"])
    france = cells["geography"] == "france"
    return france | ((region | departement) & (cells["statistic"] != "population_share"))


@dataclass(frozen=True)
class Layout:
    """The cells of one unit type in their fixed order, and their sums.

    Args:
        cells: (geography, area_code, size_class), France first.
        matrix: sums × cells; +1 for the total, −1 for its parts; matrix @ values = 0.
    """

    cells: tuple[Cell, ...]
    matrix: np.ndarray

    def index(self) -> dict[Cell, int]:
        """Position of each cell."""
        return {cell: position for position, cell in enumerate(self.cells)}

    def parts(self) -> np.ndarray:
        """Which cells are part of which by the sums: [whole, part], at any depth; cells × cells, boolean."""
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


def layout(cells: Iterable[Cell], areas: Areas) -> Layout:
    """Order the cells and find every sum among them.

    Args:
        cells: cells of one unit type, in any order.
        areas: the public geography.

    Returns:
        The layout; the same for any order of ``cells``.

    Raises:
        DisclosureError: a geography is unknown or a département has no région.
    """
    known = sorted(set(cells), key=lambda cell: (_ORDER.get(cell[0], 9), cell[1], cell[2] != TOTAL, cell[2]))
    for cell in known:
        if cell[0] not in _ORDER:
            raise DisclosureError(
                f"the geography “{cell[0]}” of cell {label(cell)} is unknown", expected=", ".join(_ORDER)
            )
    position = {cell: number for number, cell in enumerate(known)}
    rows = []
    for totals, parts in _sums(known, areas):
        if parts and all(total in position for total in totals):
            row = np.zeros(len(known))
            row[[position[total] for total in totals]] = 1.0
            row[[position[part] for part in parts]] = -1.0
            rows.append(row)
    return Layout(tuple(known), np.array(rows).reshape(len(rows), len(known)))


def _sums(known: Sequence[Cell], areas: Areas) -> Iterator[tuple[list[Cell], list[Cell]]]:
    """Every total, or totals that add up to the same, with its parts, in a fixed order."""
    sizes = [cell[2] for cell in known if cell[0] == "france" and cell[2] != TOTAL]
    regions = [cell for cell in known if cell[0] == "region" and cell[2] == TOTAL]
    by_size = [cell for cell in known if cell[0] == "region" and cell[2] != TOTAL]
    france = ("france", FRANCE, TOTAL)
    yield [france], [("france", FRANCE, size) for size in sizes]
    yield [france], regions
    for size in sizes:
        yield [("france", FRANCE, size)], [cell for cell in by_size if cell[2] == size]
    for region in regions:
        if areas.shown_region(region[1]) == region[1]:
            yield [region], [cell for cell in by_size if cell[1] == region[1]]
        below = [c for c in known if c[0] == "departement" and areas.region_of(c[1]) == region[1]]
        yield [region], below
    for group in areas.groups:
        if group.geography == "region":
            totals = [cell for cell in regions if cell[1] in group.areas]
            yield totals, [cell for cell in by_size if cell[1] == group.code]


def column(cells: pd.DataFrame, name: str, order: Mapping[Cell, int], missing: float = 0.0) -> np.ndarray:
    """One column of a table's rows in the layout's order; cells without a row get ``missing``."""
    values = np.full(len(order), missing)
    positions = [order[cell] for cell in zip(*(cells[key] for key in CELL), strict=True)]
    values[positions] = cells[name].to_numpy(float)
    return values


def require_additive(matrix: np.ndarray, values: np.ndarray, cells: Sequence[Cell], table: str) -> None:
    """Refuse a table whose totals are not the sums of their parts, or that holds negative values.

    Raises:
        DisclosureError: names the table and the first total.
    """
    if (values < 0).any():
        worst = cells[int(np.argmin(values))]
        raise DisclosureError(
            f"{table}: cell {label(worst)} is negative",
            expected="values of at least 0: the protection rests on it",
        )
    scale = np.abs(matrix) @ np.abs(values) + 1.0
    gaps = np.abs(matrix @ values) / scale
    if gaps.size and gaps.max() > 1e-6:
        row = matrix[int(np.argmax(gaps))]
        total = cells[int(np.argmax(row > 0))]
        raise DisclosureError(
            f"{table}: the parts of {label(total)} do not add up to it (relative gap {gaps.max():.1e})",
            expected="unrounded numerators and denominators of one set of weights",
            remedy="Give the cells as estimated, before any rounding, with all parts of each total",
        )
