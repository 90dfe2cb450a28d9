"""From rows to the system of one family: its columns, what holds between them, what must be able to move.

A family is the shares of indicators that logic links, or one indicator alone; amounts and shares of
population are families of their own. Each column (a cell of an indicator) has its own status: a closed amount
closes no share, a closed share no other share, but what they imply of each other is a relation of the system.
The search for the mask is in ``masks``.
"""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse  # type: ignore[import-untyped]

from asco_dagster.errors import DisclosureError
from asco_dagster.methods.disclosure.areas import Layout, column, label, require_additive
from asco_dagster.methods.disclosure.links import Link
from asco_dagster.methods.disclosure.masks import Target
from asco_dagster.methods.disclosure.moves import Moves, System
from asco_dagster.methods.disclosure.rules import CELL, TOTAL, DisclosureRules

_EXTREME = 1e-9
_LEAST_PART, _NEARLY = 0.01, 0.999  # of a move that cannot be made whole
# What closing a cell costs, by breakdown: départements before classes of a région, France last.
_COSTS = {("france", True): 20_000.0, ("france", False): 4_000.0, ("region", True): 300.0}
_COST_DEPARTEMENT, _COST_CLASS, _FEW = 6.0, 1.0, 50


@dataclass(frozen=True)
class Table:
    """The cells of one indicator and statistic, in the layout's order; 0 where nobody answered.

    Args:
        indicator: code.
        statistic: ``share``, ``population_share`` or ``total``.
        values: numerators, shape (cells,).
        whole: denominators of shares; weighted units of totals.
        respondents: counts.
        largest: largest contribution, weighted or not.
        status: ``V``, ``A`` or ``B``; "" where nobody answered.
        closed: cells that an earlier version closed.
        published: cells that an earlier version published.
        known: those of them in which nothing was corrected since: they cannot move.
        held_back: cells in which too few units were corrected since an earlier version.
        correction: by how much the value of such a cell must be able to move, signed, so that the correction
            does not show; 0 elsewhere.
    """

    indicator: str
    statistic: str
    values: np.ndarray
    whole: np.ndarray
    respondents: np.ndarray
    largest: np.ndarray
    status: np.ndarray
    closed: np.ndarray
    published: np.ndarray
    known: np.ndarray
    held_back: np.ndarray
    correction: np.ndarray

    @classmethod
    def of(cls, rows: pd.DataFrame, layout: Layout, name: str) -> "Table":
        """The table of one indicator's rows (all of one statistic).

        Args:
            rows: result of ``primary``; with the columns of ``versions.since`` where there are earlier
                versions.
            layout: cells and sums of its statistic.
            name: for messages.

        Raises:
            DisclosureError: it does not add up, or a share exceeds 100 %.
        """
        order = layout.index()
        values, whole = column(rows, "numerator", order), column(rows, "denominator", order)
        require_additive(layout.matrix, values, layout.cells, name)
        statistic = str(rows["statistic"].iloc[0])
        if statistic != "total":
            require_additive(layout.matrix, whole, layout.cells, f"{name}, denominator")
            if (values > whole * (1 + 1e-9)).any():
                worst = label(layout.cells[int(np.argmax(values - whole))])
                raise DisclosureError(f"{name}: the share of {worst} is above 100 %", expected="0 to 100 %")
            values = np.minimum(values, whole)
        status = np.full(len(order), "", dtype=object)
        status[[order[cell] for cell in zip(*(rows[key] for key in CELL), strict=True)]] = rows["status"]
        versions = "published_in" in rows.columns
        nothing = np.zeros(len(order))
        before = rows.assign(public=rows["published_in"] != "") if versions else rows
        return cls(
            str(rows["indicator"].iloc[0]),
            statistic,
            values,
            whole,
            column(rows, "respondents", order),
            np.maximum(column(rows, "largest", order), column(rows, "largest_weighted", order)),
            status,
            column(rows, "closed", order) > 0 if versions else nothing > 0,
            column(before, "public", order) > 0 if versions else nothing > 0,
            column(rows, "known", order) > 0 if versions else nothing > 0,
            column(rows, "held_back", order) > 0 if versions else nothing > 0,
            column(rows, "correction", order) if versions else nothing,
        )

    def level(self, rules: DisclosureRules) -> tuple[np.ndarray, np.ndarray]:
        """How far each cell must move up and down if it is sensitive; shape (cells,) each.

        Shares: a part of their units, more where few answered. Shares of population: until the largest
        population no longer decides. Totals: a part of the value, of the mean amount where it is 0, and for
        dominance what hides the largest contributor, ``largest / dominance − value`` (τ-Argus manual,
        protection of the (n, k) rule).
        """
        if self.statistic == "share":
            level = rules.share_level(self.respondents) * self.whole
            return level, level
        if self.statistic == "population_share":
            room = 1.01 * self.largest
            up, down = room - self.values, room - (self.whole - self.values)
            return np.maximum(up, 0.0), np.maximum(down, 0.0)
        mean = self.values.max(initial=0.0) / max(self.whole.max(initial=0.0), 1.0) or 1.0
        size = np.where(self.values > 0, self.values, self.whole * mean)
        dominated = np.where(self.status == "B", self.largest / rules.dominance - self.values, 0.0)
        return np.maximum(rules.protection * size, dominated), rules.protection * size

    @classmethod
    def rest(cls, link: Link, tables: Sequence["Table"], rules: DisclosureRules) -> "Table":
        """What the members of a link leave of their units: an answer that is not published, but follows."""
        own = [table for table in tables if table.indicator in link.coefficients]
        first = own[0]
        values = np.maximum(first.whole - sum(table.values for table in own), 0.0)
        near = _EXTREME * np.maximum(first.whole, 1.0)
        values = np.where(values <= near, 0.0, values)
        extreme = (values <= near) | (values >= first.whole - near)
        few = first.respondents < np.where(extreme, rules.group_threshold, rules.threshold)
        status = np.where(first.respondents == 0, "", np.where(few, "A", "V")).astype(object)
        nothing = np.zeros(len(values))
        return cls(
            str(link.rest),
            first.statistic,
            values,
            first.whole,
            first.respondents,
            nothing,
            status,
            nothing > 0,
            nothing > 0,
            np.all([table.known for table in own], axis=0),
            nothing > 0,
            nothing,
        )

    def saturated(self, threshold: int) -> np.ndarray:
        """Cells of 0 or 100 % (amounts: of 0) on so many respondents that they may be published."""
        near = _EXTREME * np.maximum(self.whole, 1.0)
        extreme = self.values <= near
        if self.statistic != "total":
            extreme |= self.values >= self.whole - near
        return extreme & (self.respondents >= threshold)


@dataclass
class Family:
    """The tables that are protected together.

    Args:
        unit_type: of the units.
        layout: cells and sums.
        tables: one a member, columns side by side in this order.
        links: between the members.
        rules: of the wave.
        published: number of tables, the first, that are published; the others follow from them.
    """

    unit_type: str
    layout: Layout
    tables: Sequence[Table]
    links: Sequence[Link]
    rules: DisclosureRules
    published: int

    @classmethod
    def of(
        cls,
        unit_type: str,
        layout: Layout,
        tables: Sequence[Table],
        links: Sequence[Link],
        rules: DisclosureRules,
    ) -> "Family":
        """The family of some tables, with the answers that are not published but follow from them."""
        known = {table.indicator for table in tables}
        ending = [link for link in links if link.rest is not None and set(link.coefficients) <= known]
        more = [Table.rest(link, tables, rules) for link in ending]
        sums = [
            Link(
                {str(link.rest): 1.0, **dict.fromkeys(link.coefficients, 1.0)}, -1.0, link.within, exact=True
            )
            for link in ending
        ]
        return cls(unit_type, layout, [*tables, *more], [*links, *sums], rules, len(tables))

    @property
    def name(self) -> str:
        """For messages."""
        members = " + ".join(table.indicator for table in self.tables)
        return f"{self.unit_type}, {members}, {self.tables[0].statistic}"

    def stacked(self, name: str) -> np.ndarray:
        """One attribute of all tables, in the order of the columns."""
        return np.concatenate([getattr(table, name) for table in self.tables])

    @functools.cached_property
    def system(self) -> System:
        """Values, rooms and relations."""
        values, whole = self.stacked("values"), self.stacked("whole")
        answered = self.stacked("respondents") > 0
        above = np.inf if self.tables[0].statistic == "total" else whole - values
        free = answered & ~self.stacked("known")
        up, down = np.where(free, above, 0.0), np.where(free, values, 0.0)
        blocks = [sparse.csr_matrix(self.layout.matrix)] * len(self.tables)
        equal, least, slack = [sparse.block_diag(blocks, format="csr")], [], [np.zeros(0)]
        for link in self.links:
            rows, constant = self._link(link)
            if link.exact:
                equal.append(rows)
            else:
                least.append(rows)
                slack.append(np.maximum(rows @ values + constant, 0.0))
        none = sparse.csr_matrix((0, len(values)))
        return System(
            values,
            up,
            down,
            sparse.vstack(equal, format="csr"),
            sparse.vstack(least, format="csr") if least else none,
            np.concatenate(slack),
        )

    def _link(self, link: Link) -> tuple[sparse.csr_matrix, np.ndarray]:
        """A link in every cell, and its constant there: those who did not answer all of it loosen it."""
        place = {table.indicator: number for number, table in enumerate(self.tables)}
        base = self.tables[place[link.within]].whole
        weights = np.zeros(len(self.tables))
        constant = link.constant * base
        for indicator, coefficient in link.coefficients.items():
            weights[place[indicator]] = coefficient
            more = np.maximum(self.tables[place[indicator]].whole - base, 0.0)
            constant = constant - min(coefficient, 0.0) * more
        return sparse.kron(weights, sparse.identity(len(base)), format="csr"), constant

    @functools.cached_property
    def sensitive(self) -> np.ndarray:
        """Columns that a primary rule hits."""
        return np.isin(self.stacked("status"), ["A", "B"])

    @functools.cached_property
    def implied(self) -> np.ndarray:
        """Columns of 0 or 100 % (amounts: of 0) that open cells of enough respondents imply.

        A département where all four say no reveals nothing when the région of forty, all of which say no, is
        published: closing it would hide nothing.
        """
        moves, whole, system = Moves(self.system), self.stacked("whole"), self.system
        able = np.isfinite(self._costs) | self._forced | self._unpublished
        found = np.zeros(len(whole), dtype=bool)
        extreme = np.minimum(system.values, whole - system.values) <= _EXTREME * np.maximum(whole, 1.0)
        ones = np.flatnonzero(self.sensitive & extreme)
        up, down = (np.minimum(side[ones], whole[ones]) for side in (system.up, system.down))
        move = np.where(up > down, up, -down)
        surely = moves.movable(ones, move, able)
        for one, amount in zip(map(int, ones[~surely]), map(float, move[~surely]), strict=True):
            found[one] = amount == 0 or moves.reach(one, amount, able) < 1e-6
        return found

    @functools.cached_property
    def start(self) -> np.ndarray:
        """Columns whose new value is not published under any mask."""
        group = self.sensitive & (self.stacked("respondents") >= self.rules.threshold)
        return (self.sensitive & ~(self.implied & group)) | self._forced | self._unpublished

    @functools.cached_property
    def equal_weights(self) -> np.ndarray:
        """Columns whose numbers are all a whole number of one weight: their units weigh the same."""
        whole, respondents = self.stacked("whole"), self.stacked("respondents")
        weight = np.where(respondents > 0, whole / np.maximum(respondents, 1.0), 1.0)
        number = self.stacked("values") / weight
        alike = (np.abs(number - np.round(number)) < 1e-3).reshape(len(self.tables), -1).all(axis=0)
        return np.tile(alike, len(self.tables))

    def filtered(self, closed: np.ndarray) -> np.ndarray:
        """Columns about the units that say yes in a closed column: they would give its numerator away."""
        place = {table.indicator: number for number, table in enumerate(self.tables)}
        found = np.zeros((len(self.tables), len(self.layout.cells)), dtype=bool)
        for link in self.links:
            if link.filtered_by is not None:
                hidden = closed.reshape(found.shape)[place[link.filtered_by]]
                for member in set(link.coefficients) - {link.filtered_by}:
                    found[place[member]] |= hidden
        return found.ravel() & (self.stacked("respondents") > 0)

    @property
    def _forced(self) -> np.ndarray:
        """Columns that earlier versions keep from being published."""
        return (self.stacked("closed") | self.stacked("held_back")) & (self.stacked("respondents") > 0)

    @property
    def _unpublished(self) -> np.ndarray:
        number = np.repeat(np.arange(len(self.tables)), len(self.layout.cells))
        return (number >= self.published) & (self.stacked("respondents") > 0)

    @property
    def cost(self) -> np.ndarray:
        """What is lost with each column: infinite where it cannot serve or must stay open."""
        return np.where(self.implied, np.inf, self._costs)

    @functools.cached_property
    def _costs(self) -> np.ndarray:
        each = []
        for cell in self.layout.cells:
            known = _COSTS.get((cell[0], cell[2] == TOTAL))
            each.append(known or (_COST_DEPARTEMENT if cell[0] == "departement" else _COST_CLASS))
        respondents = self.stacked("respondents")
        cost = np.tile(each, len(self.tables)) * (1.0 + 0.5 * np.minimum(respondents / _FEW, 2.0))
        fixed = np.concatenate([t.saturated(self.rules.group_threshold) for t in self.tables])
        # closing what was public and is corrected holds it back: the former number remains
        fixed &= ~(self.stacked("published") & ~self.stacked("known"))
        return np.where((respondents > 0) & ~fixed, cost, np.inf)

    def targets(self) -> list[Target]:
        """Moves that each sensitive column must be able to make, for anyone and for each insider.

        An insider is the only respondent of a cell: what it answered is known to it, in every table, so that
        of a cell that it is part of the rest must be able to move.
        """
        levels = [table.level(self.rules) for table in self.tables]
        up, down = (np.concatenate([level[side] for level in levels]) for side in (0, 1))
        made: dict[Target, None] = {}
        for one in map(int, np.flatnonzero(self.sensitive & ~self.implied)):
            for insider in (None, *self._insiders(one)):
                for move in self._moves_wanted(one, up[one], down[one], insider):
                    still = () if insider is None else self._everywhere(insider)
                    made[Target(one, move, still)] = None
        correction = self.stacked("correction")
        for one in map(int, np.flatnonzero(correction)):
            made[Target(one, float(correction[one]))] = None
        return list(made)

    def within_reach(self, hopeless: Sequence[Target]) -> list[Target]:
        """What remains of moves that no mask allows: as far as open cells of 0 or 100 % let them go."""
        moves, able = Moves(self.system), np.isfinite(self.cost) | self.start
        found = []
        for target in hopeless:
            free = able.copy()
            free[list(target.still)] = False
            part = moves.reach(target.column, target.move, free)
            if part > _LEAST_PART:
                found.append(Target(target.column, _NEARLY * part * target.move, target.still))
        return found

    def _moves_wanted(self, column: int, up: float, down: float, insider: int | None) -> Iterator[float]:
        system, whole = self.system, self._whole
        rooms, part = (system.up[column], system.down[column]), 1.0
        if insider is not None and self._parts[column % len(self.layout.cells), insider]:
            own = column - column % len(self.layout.cells) + insider
            above = rooms[0] - system.up[own] if np.isfinite(rooms[0]) else rooms[0]
            rooms = (above, rooms[1] - system.down[own])
            part = 1.0 - whole[own] / max(whole[column], 1e-9)
        for sign, level, room in ((1, up, rooms[0]), (-1, down, rooms[1])):
            amount = float(min(level * part, room))
            if amount > 1e-6 * max(level, 1e-9):
                yield sign * amount

    def _insiders(self, column: int) -> Iterator[int]:
        """Cells with a single respondent that are not this column's cell itself."""
        cell = column % len(self.layout.cells)
        for insider in self._sole:
            if self._same[insider] != self._same[cell]:
                yield int(insider)

    def _everywhere(self, cell: int) -> tuple[int, ...]:
        """The columns of a cell under every member."""
        return tuple(cell + len(self.layout.cells) * member for member in range(len(self.tables)))

    @functools.cached_property
    def _whole(self) -> np.ndarray:
        return self.stacked("whole")

    @functools.cached_property
    def _parts(self) -> np.ndarray:
        return self.layout.parts()

    @functools.cached_property
    def _same(self) -> np.ndarray:
        return same_respondents(self.layout, np.max([t.respondents for t in self.tables], axis=0))

    @functools.cached_property
    def _sole(self) -> np.ndarray:
        most = np.max([table.respondents for table in self.tables], axis=0)
        return np.flatnonzero(most == 1)


def same_respondents(layout: Layout, respondents: np.ndarray) -> np.ndarray:
    """Class of each cell: a total with a single part that has respondents holds the same ones."""
    classes = np.arange(len(layout.cells))
    for row in layout.matrix:
        parts, totals = np.flatnonzero((row < 0) & (respondents > 0)), np.flatnonzero(row > 0)
        if len(parts) == 1 and len(totals) == 1:
            classes[classes == classes[parts[0]]] = classes[totals[0]]
    return classes
