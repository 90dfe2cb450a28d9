"""Secondary suppression: which further cells close so that the sensitive ones cannot be recomputed.

A linear programme per question, over all tables that share a mask at once (after Kelly, Golden & Assad 1992
and Fischetti & Salazar 1999): for each sensitive cell and direction, the cheapest alternative table that
moves it far enough; the cells it moves close, and it stays as the certificate. Then come the singletons'
pass, the removal of cells that turned out needless, and a move for every secondary cell. Frames, statuses and
reasons are assembled in ``protect``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from asco_dagster.methods.disclosure.linear import AlternativeTables

_CLOSED_COST = 1e-4  # cells already closed cost next to nothing, but short certificates are preferred


@dataclass(frozen=True)
class Target:
    """A cell that must be able to move.

    Args:
        column: its column in the table.
        sign: +1 up, −1 down, 0 either way.
        amount: by how much, in the table's unit.
        least: what it keeps where the whole amount would cost a spared cell; 0: the amount, whatever it
            costs.
    """

    column: int
    sign: int
    amount: float
    least: float = 0.0


@dataclass(frozen=True)
class Table:
    """One table under the mask.

    Args:
        name: for messages.
        system: its relations.
        up: room above each column's value (a priori upper bound − value).
        down: room below (value − a priori lower bound).
        targets: sensitive cells and how far they must move.
        secondary: for each column the least move of a secondary cell; 0 where it is known anyway.
        insiders: cells with a single respondent, who knows the value.
        kin: for each cell the number of its class of necessarily equal cells (the same respondent).
        inside: [whole, part] whether a cell lies in another.
        size: for each column what its protection level is a part of.
    """

    name: str
    system: AlternativeTables
    up: np.ndarray
    down: np.ndarray
    targets: tuple[Target, ...]
    secondary: np.ndarray
    insiders: tuple[int, ...] = ()
    kin: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))
    inside: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), dtype=bool))
    size: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def left(self, target: Target, insider: int) -> Target | None:
        """What of a target remains to be protected from an insider; None if nothing.

        One who stands in the cell itself knows a part of it: the rest is what must not be told.
        """
        own = int(self.system.cell_of[target.column])
        if self.kin[insider] == self.kin[own]:
            return None
        if not self.inside[own, insider]:
            return target
        part = target.column - own + insider  # the insider's column in the same table
        room = self.up if target.sign > 0 else self.down
        rest = 1.0 - self.size[part] / self.size[target.column] if self.size[target.column] else 0.0
        amount = target.amount * rest
        if np.isfinite(room[target.column]):
            amount = min(amount, float(room[target.column] - room[part]))
        return replace(target, amount=amount) if amount > 1e-6 * target.amount else None


def _ordinary(target: Target) -> Target:
    """The target at the level that every cell keeps."""
    return replace(target, amount=target.least, least=0.0)


class Unprotected(Exception):  # noqa: N818 - a finding that protect() turns into a DisclosureError
    """No alternative table moves this target, whatever is closed."""

    def __init__(self, table: Table, target: Target, insider: int | None) -> None:
        super().__init__(table.name)
        self.table, self.target, self.insider = table, target, insider


class Search:
    """A mask and the certificates that it protects its tables.

    Args:
        tables: all tables under the mask.
        closed: cells that are closed from the start, shape (cells,).
        weights: what is lost with each cell, above 0; infinite where a cell may not be closed.
        spared: cells that close only where no other mask protects, first the widest set; may be empty.
    """

    def __init__(
        self,
        tables: list[Table],
        closed: np.ndarray,
        weights: np.ndarray,
        spared: Sequence[np.ndarray] = (),
    ) -> None:
        self.tables, self.weights = tables, weights
        nobody = np.zeros(len(closed), dtype=bool)
        self.prices = [np.where(cells, np.inf, weights) for cells in (*spared, nobody)]
        self.start = closed.copy()
        self.mask = closed.copy()
        self.proofs: dict[tuple[int, Target], tuple[int, ...]] = {}
        self.protects: dict[int, int] = {}

    def loss(self) -> float:
        """Weight of all that was closed beside the start."""
        return float(self.weights[self.mask & ~self.start].sum())

    def run(self, order: str) -> "Search":
        """Protect everything; ``order`` of the targets: ``largest``, ``smallest`` or ``listed`` first."""
        queue = [(number, target) for number, table in enumerate(self.tables) for target in table.targets]
        if order != "listed":
            queue.sort(key=lambda item: item[1].amount, reverse=order == "largest")
            queue.sort(key=lambda item: item[0])
        for number, target in queue:
            self._establish(number, target)
        self._tidy()
        self._move_secondary()
        self._tidy()  # a secondary cell may have closed others only to move itself
        self._explain()
        return self

    def _establish(self, number: int, target: Target) -> None:
        """Prove a target, closing cells where needed, and keep the proof."""
        try:
            proof = self._prove(number, target, opening=True)
        except Unprotected:
            if not target.least:
                raise
            return self._establish(number, _ordinary(target))
        assert proof is not None  # noqa: S101 - opening either proves or raises
        self.mask |= self.tables[number].system.touched[list(proof)].any(axis=0)
        self.proofs[number, target] = proof
        return None

    def _prove(self, number: int, target: Target, opening: bool) -> tuple[int, ...] | None:
        """Rays that show the target protected, also against each insider.

        With ``opening`` the rays may leave the mask, and failure raises; without, failure returns None.
        """
        table, mask = self.tables[number], self.mask
        ray = self._ray(table, target, mask, opening, None)
        if ray is None:
            return None
        proof = [ray]
        # An insider at a secondary cell learns nothing that anyone may not know: only sensitive cells count.
        for insider in table.insiders if target.sign else ():
            left = table.left(target, insider)
            if left is None:
                continue
            if not table.system.touched[proof, insider].all():
                continue
            opened = mask | table.system.touched[proof].any(axis=0) if opening else mask
            ray = self._ray(table, left, opened, opening, insider)
            if ray is None:
                return None
            proof.append(ray)
        return tuple(proof)

    def _ray(
        self, table: Table, target: Target, mask: np.ndarray, opening: bool, insider: int | None
    ) -> int | None:
        """A remembered ray within the mask, else the cheapest new one."""
        system = table.system
        signs = (target.sign,) if target.sign else (1, -1)
        for sign in signs:
            known = system.known(target.column, sign * target.amount, table.up, table.down, mask)
            if insider is not None:
                known = known[~system.touched[known, insider]]
            if known.size:
                # The shortest certificate leaves most freedom when needless cells are taken back.
                return int(known[np.argmin(system.touched[known].sum(axis=1))])
        prices = self.prices[:1] if target.least else self.prices
        for price in prices if opening else [np.full(len(mask), np.inf)]:
            cost = np.where(mask, _CLOSED_COST, price)[system.cell_of]
            for sign in signs:
                found = system.cheapest(
                    target.column, sign * target.amount, table.up, table.down, cost, still=insider
                )
                if found is not None:
                    return system.remember(found)
        if opening:
            raise Unprotected(table, target, insider)
        return None

    def _tidy(self) -> None:
        """Open again, dearest first, every cell without which all targets can still be proved."""
        extra = np.flatnonzero(self.mask & ~self.start)
        for cell in sorted(extra, key=lambda number: (-self.weights[number], number)):
            self.mask[cell] = False
            renewed = self._renewed(int(cell))
            if renewed is None:
                self.mask[cell] = True
            else:
                self.proofs.update(renewed)
                for own in [own for own in self.proofs if self._moves(own, int(cell))]:
                    del self.proofs[own]

    def _moves(self, proved: tuple[int, Target], cell: int) -> bool:
        """Whether a proof is of a secondary cell's own move, which an open cell needs no more."""
        number, target = proved
        return not target.sign and int(self.tables[number].system.cell_of[target.column]) == cell

    def _renewed(self, cell: int) -> dict[tuple[int, Target], tuple[int, ...]] | None:
        """New proofs, within the mask, for the targets whose proof touches a cell; None if one has none."""
        renewed = {}
        for (number, target), proof in self.proofs.items():
            if self._moves((number, target), cell):
                continue
            if not self.tables[number].system.touched[list(proof), cell].any():
                continue
            again = self._prove(number, target, opening=False)
            if again is None:
                return None
            renewed[number, target] = again
        return renewed

    def _explain(self) -> None:
        """Which cell each secondary cell protects: the first whose proof needs it, sensitive ones before."""
        for (number, target), proof in self.proofs.items():
            system = self.tables[number].system
            own = int(system.cell_of[target.column])
            for cell in map(int, np.flatnonzero(system.touched[list(proof)].any(axis=0) & ~self.start)):
                if cell != own:
                    self.protects.setdefault(cell, own)

    def _move_secondary(self) -> None:
        """Let every closed cell move in every table, closing more where one would stand still."""
        done: set[tuple[int, int]] = set()
        while True:
            waiting = [
                (number, int(column))
                for number, table in enumerate(self.tables)
                for column in np.flatnonzero(self.mask[table.system.cell_of] & (table.secondary > 0))
                if (number, int(column)) not in done
            ]
            if not waiting:
                return
            for number, column in waiting:
                done.add((number, column))
                self._establish(number, Target(column, 0, float(self.tables[number].secondary[column])))


def search(
    tables: list[Table], closed: np.ndarray, weights: np.ndarray, spared: Sequence[np.ndarray] = ()
) -> Search:
    """The cheapest mask among three fixed orders of the targets.

    Args:
        tables: all tables under the mask.
        closed: cells closed from the start.
        weights: information lost with each cell.
        spared: cells that close only where no other mask protects, the widest set first.

    Returns:
        The finished search; ties go to the earlier order.

    Raises:
        Unprotected: a target cannot be protected by any mask.
    """
    runs = [Search(tables, closed, weights, spared).run(order) for order in ("largest", "smallest", "listed")]
    return min(runs, key=Search.loss)
