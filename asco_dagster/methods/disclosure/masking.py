"""From rows to tables under a mask: the families of one unit type and the masks they start from.

Gathers what the programme in ``secondary`` needs: which tables share a mask, which cells are sensitive in
them, who looks on. How far each must move stands in ``levels``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from asco_dagster.errors import DisclosureError
from asco_dagster.methods.disclosure.levels import count_tables, room_and_levels, spared, targets, weights
from asco_dagster.methods.disclosure.linear import AlternativeTables
from asco_dagster.methods.disclosure.rules import CELL, STATISTICS, AdditiveSet, DisclosureRules
from asco_dagster.methods.disclosure.secondary import Search, Table, Unprotected, search
from asco_dagster.methods.disclosure.tables import Layout, column, inside, kin, label, stacked

EARLIER = "closed in an earlier release"
WITHHELD = "withheld whole"
LINKED = "masked with another statistic or indicator of the same cell"


@dataclass
class Unit:
    """One unit type: its cells, relations, rows and rules."""

    unit_type: str
    layout: Layout
    rows: pd.DataFrame
    rules: DisclosureRules

    def families(
        self,
        groups: Sequence[tuple[str, ...]],
        sets: Sequence[AdditiveSet],
        closed: pd.DataFrame | None,
        public: pd.DataFrame | None,
    ) -> list["Family"]:
        """Protect the counts once for each set of respondents and hand the masks to the families.

        Counts that no other family repeats need no mask of their own: the family protects them with its
        values, at a smaller loss.
        """
        by_indicator = dict(list(self.rows.groupby("indicator", sort=True)))
        made: list[Family] = []
        users: dict[bytes, list[tuple[Family, str]]] = {}
        for group in groups:
            rows = {member: by_indicator[member] for member in group}
            family = Family(self, group, rows, [s for s in sets if set(s.members()) <= set(group)])
            family.mask = np.zeros(len(self.layout.cells), dtype=bool)
            family.earlier, family.public = self.listed(closed, group), self.listed(public, group)
            then = _sensitive_then(closed)
            family.former = {member: self.listed(then, [member]) for member in group}
            for signature, member in family.signatures().items():
                users.setdefault(signature, []).append((family, member))
            made.append(family)
        for sharing in users.values():
            if len(sharing) > 1:
                shown = [member for family, _ in sharing for member in family.members]
                base = self._base(*sharing[0], self.listed(public, shown))
                for family, _ in sharing:
                    family.adopt(base)
        for family in made:  # what a process needs, and no more
            family.unit = Unit(self.unit_type, self.layout, self.rows.iloc[:0], self.rules)
        return made

    def listed(self, cells: pd.DataFrame | None, members: Sequence[str]) -> np.ndarray:
        """Which cells of the layout a list of cells names for some indicators."""
        hit = np.zeros(len(self.layout.cells), dtype=bool)
        if cells is None:
            return hit
        own = cells[(cells["unit_type"] == self.unit_type) & cells["indicator"].isin(members)]
        order = self.layout.index()
        keys = zip(*(own[key] for key in CELL), strict=True)
        hit[[order[cell] for cell in keys if cell in order]] = True
        return hit

    def _base(self, family: "Family", member: str, public: np.ndarray) -> "Base":
        """The mask that frequency alone requires, on respondents and weighted units."""
        counts = family.counts(member)
        system = AlternativeTables(self.layout.matrix, np.arange(len(self.layout.cells)))
        sensitive = (counts[0] > 0) & (counts[0] < self.rules.threshold)
        tables = family.count_tables(member, system, counts, sensitive)
        return Base.of(solve(self, tables, sensitive, counts[1], public))


@dataclass(frozen=True)
class Base:
    """A mask that families start from; of a search what another process can be sent.

    Attributes:
        mask: cells that are closed, shape (cells,).
        protects: secondary cell → the cell that it protects.
        rays: alternative tables that prove it, shape (rays, cells).
    """

    mask: np.ndarray
    protects: dict[int, int]
    rays: np.ndarray

    @classmethod
    def of(cls, search: Search) -> "Base":
        """What a search found."""
        return cls(search.mask, search.protects, search.tables[0].system.rays)


@dataclass
class Family:
    """Indicators under one mask.

    Args:
        unit: the unit type they belong to.
        members: indicators.
        rows: per indicator its rows.
        sets: additive sets among them.
    """

    unit: Unit
    members: tuple[str, ...]
    rows: dict[str, pd.DataFrame]
    sets: list[AdditiveSet]
    mask: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    earlier: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    former: dict[str, np.ndarray] = field(default_factory=dict)
    public: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    protects: dict[int, int] = field(default_factory=dict)
    rays: list[np.ndarray] = field(default_factory=list)
    counted: dict[str, np.ndarray] = field(default_factory=dict)

    def counts(self, member: str) -> np.ndarray:
        """Respondents and weighted units of each cell, shape (2, cells); made once, for all who ask."""
        if member not in self.counted:
            rows, order = self.rows[member], self.unit.layout.index()
            first = rows.drop_duplicates(list(CELL))
            names = ("respondents", "weighted_units")
            # Rounded, so that sums taken in another order are not taken for other respondents.
            self.counted[member] = np.array([column(first, name, order).round(6) for name in names])
        return self.counted[member]

    def signatures(self) -> dict[bytes, str]:
        """The different counts under the members, each with the first member that has them."""
        return {self.counts(member).tobytes(): member for member in reversed(self.members)}

    def adopt(self, base: Base) -> None:
        """Start from the mask and the certificates of the counts."""
        self.mask = base.mask | self.mask
        self.protects = {**base.protects, **self.protects}
        self.rays.append(base.rays)

    def sensitive(self, member: str) -> np.ndarray:
        """Cells of an indicator that any statistic makes primary, or made so in an earlier release."""
        rows, order = self.rows[member], self.unit.layout.index()
        primary = rows[rows["status"] != "V"]
        hit = np.zeros(len(order), dtype=bool)
        hit[[order[cell] for cell in zip(*(primary[key] for key in CELL), strict=True)]] = True
        return (hit | self.former[member]) & (self.counts(member)[0] > 0)

    def count_tables(
        self, member: str, system: AlternativeTables, counts: np.ndarray, sensitive: np.ndarray
    ) -> list[Table]:
        """Respondents and weighted units as tables of their own."""
        title = f"{self.unit.unit_type}, {member}"
        return count_tables(title, self.unit.layout, self.unit.rules, system, counts, sensitive)

    def value_table(self, system: AlternativeTables, statistic: str, members: Sequence[str]) -> Table:
        """Numerators of one statistic, of one indicator or of the members of additive sets side by side."""
        unit, blocks = self.unit, []
        for member in members:
            rows = self.rows[member][self.rows[member]["statistic"] == statistic]
            title = f"{unit.unit_type}, {member}, {statistic}"
            blocks.append(room_and_levels(title, unit.layout, unit.rules, rows, self.counts(member)))
        up, down, level, kept, least, size = (np.concatenate(part) for part in zip(*blocks, strict=True))
        hit = np.concatenate([self.sensitive(member) for member in members])
        wanted = targets(hit, level, kept, up, down)
        counts = np.array([self.counts(member)[0] for member in members])
        alone = tuple(map(int, np.flatnonzero((counts == 1).any(axis=0))))
        title = f"{unit.unit_type}, {' + '.join(members)}, {statistic}"
        same = kin(unit.layout, counts.max(axis=0))
        return Table(title, system, up, down, wanted, least, alone, same, inside(unit.layout, same), size)

    def tables(self) -> tuple[list[Table], np.ndarray]:
        """Every table under the mask and the cells closed from the start."""
        unit, cells = self.unit, len(self.unit.layout.cells)
        single = AlternativeTables(unit.layout.matrix, np.arange(cells))
        for ray in np.unique(np.vstack(self.rays), axis=0) if self.rays else []:
            single.remember(ray)
        start, made = self.mask.copy(), []
        for member in self.members:
            start |= self.sensitive(member) | (self.earlier & (self.counts(member)[0] > 0))
        for member in self.signatures().values():
            counts = self.counts(member)
            few = (counts[0] > 0) & (counts[0] < unit.rules.threshold)
            made += self.count_tables(member, single, counts, few)
        for statistic in STATISTICS:
            having = [m for m in self.members if (self.rows[m]["statistic"] == statistic).any()]
            joint = [s for s in self.sets if set(s.members()) <= set(having)]
            linked = [member for member in having if any(member in s.members() for s in joint)]
            made += [self.value_table(single, statistic, [m]) for m in having if m not in linked]
            if linked:
                matrix = stacked(unit.layout.matrix, linked, joint)
                system = AlternativeTables(matrix, np.tile(np.arange(cells), len(linked)))
                made.append(self.value_table(system, statistic, linked))
        return made, start

    def counting(self) -> "Family":
        """The family without its rows, for what asks its counts alone: less to send to a process."""
        return replace(self, rows={}, former={}, counted={})

    def pooled(self, counts: np.ndarray, common: np.ndarray) -> Base:
        """The mask under which every count that stays closed under all indicators can move."""
        system = AlternativeTables(self.unit.layout.matrix, np.arange(len(common)))
        for ray in np.unique(np.vstack(self.rays), axis=0) if self.rays else []:
            system.remember(ray)
        nothing = np.zeros(len(common), dtype=bool)
        tables = self.count_tables(self.members[0], system, counts, nothing)
        return Base.of(solve(self.unit, tables, common, counts[1], self.public))

    def verdicts(self) -> tuple[pd.DataFrame, np.ndarray, dict[int, int]]:
        """Closed cells of every member and why; the mask; what each secondary cell protects."""
        made, start = self.tables()
        size = np.max([self.counts(member)[1] for member in self.members], axis=0)
        try:
            found = cheapest_mask(self.unit, made, start, size, self.public)
        except Unprotected as failure:
            return self.withheld(size > 0, told(self.unit, failure))
        primary = np.any([self.sensitive(member) for member in self.members], axis=0)
        why = {**found.protects, **self.protects}
        cells = self.unit.layout.cells
        rows = []
        for cell in np.flatnonzero(found.mask):
            number = int(cell)
            reason = LINKED if primary[number] and not self.earlier[number] else EARLIER
            if not primary[number] and not self.earlier[number]:
                reason = f"protects {label(cells[why[number]])}"
            rows += [(self.unit.unit_type, member, *cells[number], reason) for member in self.members]
        return pd.DataFrame(rows, columns=["unit_type", "indicator", *CELL, "by"]), found.mask, why

    def withheld(self, answered: np.ndarray, why: str) -> tuple[pd.DataFrame, np.ndarray, dict[int, int]]:
        """The last resort: nothing of the family is released, so that nothing of it can be inferred.

        One small table must not stop a wave, and is never released unprotected either.
        """
        cells = [self.unit.layout.cells[number] for number in np.flatnonzero(answered)]
        rows = [
            (self.unit.unit_type, member, *cell, f"{WITHHELD}: {why}")
            for member in self.members
            for cell in cells
        ]
        return pd.DataFrame(rows, columns=["unit_type", "indicator", *CELL, "by"]), answered, {}


def cheapest_mask(
    unit: Unit, made: list[Table], start: np.ndarray, units: np.ndarray, public: np.ndarray
) -> Search:
    """Search for a mask that uses no cell whose value an earlier release made public.

    Where none exists the earlier releases themselves tell, whatever is released now; the new version is then
    protected as if nobody had kept them, and the audit says what they tell.
    """
    loss = weights(unit.rules, units)
    first = spared(unit.rules, unit.layout)
    try:
        return search(made, start, np.where(public, np.inf, loss), first)
    except Unprotected:
        if not public.any():
            raise
        return search(made, start, loss, first)


def solve(unit: Unit, made: list[Table], start: np.ndarray, units: np.ndarray, public: np.ndarray) -> Search:
    """The same, with a failure told as a sentence that names the cell."""
    try:
        return cheapest_mask(unit, made, start, units, public)
    except Unprotected as failure:
        raise DisclosureError(
            told(unit, failure),
            expected=f"some cells to close, such that another table moves it by {failure.target.amount:.3g}",
            remedy="Release a coarser breakdown, or leave this indicator out of the release",
        ) from failure


def _sensitive_then(closed: pd.DataFrame | None) -> pd.DataFrame | None:
    """Of the cells closed before, those that were sensitive by themselves; all where that is not said."""
    if closed is None or "status" not in closed.columns:
        return closed
    return closed[closed["status"].isin(["A", "B"])]


def told(unit: Unit, failure: Unprotected) -> str:
    """Which cell no mask protects, and from whom."""
    cells = unit.layout.cells
    cell = cells[int(failure.table.system.cell_of[failure.target.column])]
    against = "" if failure.insider is None else f" against the respondent of {label(cells[failure.insider])}"
    return f"table {failure.table.name}: cell {label(cell)} cannot be protected{against}"
