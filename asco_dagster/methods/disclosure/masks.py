"""Secondary suppression: which further cells close so that the sensitive ones cannot be recomputed.

For each sensitive cell and direction there must be another table that moves it far enough, keeps every sum
and every logical link, and differs in closed cells only (Kelly, Golden & Assad 1992). A greedy mask closes,
target by target, the cells that the cheapest such table moves. Then an integer programme over the cells, with
one inequality for each target that a mask left unprotected (Fischetti & Salazar 1999, capacity constraints),
either finds a cheaper mask or proves how much cheaper one could be at most. What is sensitive, and how far it
must move, is decided in ``family``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asco_dagster.methods.disclosure.moves import Cut, Moves, System

_CLOSED_COST = 1e-4  # cells already closed cost next to nothing, but short moves are preferred
# Limits of the integer programmes: in seconds, they would let the clock choose the mask.
_NODES = 100
_ROUNDS, _WORK = 15, 6_000  # of one family; its columns times its rounds
_UNPROVED, _HOPELESS = -1, -2  # in place of the number of a proof
_TIDYING = 1_500  # programmes spent on opening needless cells of one mask again
_LARGE = 1_500  # columns of a family of which one greedy order is tried


@dataclass(frozen=True)
class Target:
    """A cell that must be able to move.

    Args:
        column: its column.
        move: by how much, signed.
        still: columns known to the one who looks on (a sole respondent); empty for anyone.
    """

    column: int
    move: float
    still: tuple[int, ...] = ()


@dataclass(frozen=True)
class Mask:
    """A mask and what is known of it.

    Attributes:
        closed: shape (columns,).
        hopeless: targets that no mask protects: open cells of enough respondents imply them.
        protects: secondary column → the sensitive column whose move needs it.
        loss: cost of the secondary columns.
        bound: no mask of these targets costs less.
    """

    closed: np.ndarray
    hopeless: tuple[Target, ...]
    protects: dict[int, int]
    loss: float
    bound: float


def search(system: System, targets: Sequence[Target], start: np.ndarray, cost: np.ndarray) -> Mask:
    """A mask of small loss that protects every target that can be protected.

    Args:
        system: values and relations.
        targets: what must move.
        start: columns closed under every mask, shape (columns,).
        cost: what is lost with each column, above 0; infinite where it may not be closed.

    Returns:
        The mask; with ``loss == bound`` it is the cheapest.
    """
    return _Search(system, targets, start, cost).run()


@dataclass(frozen=True)
class _Group:
    """Targets of one column and move, for anyone and for insiders: one move often proves all of them.

    Attributes:
        column: their column.
        move: by how much, signed.
        targets: the targets, in the order in which they were asked for.
        known: of each, the number of what is known to the one who looks on; 0 for anyone.
    """

    column: int
    move: float
    targets: tuple[Target, ...]
    known: np.ndarray


class _Search:
    """The state of one search: proofs found so far, inequalities found so far."""

    def __init__(
        self, system: System, targets: Sequence[Target], start: np.ndarray, cost: np.ndarray
    ) -> None:
        self.system, self.start, self.cost = system, start, cost
        self.stills = list(dict.fromkeys([(), *(target.still for target in targets)]))
        self.groups = self._grouped(targets)
        self.moves = Moves(system)
        self.known: list[np.ndarray] = []
        self.touched = np.zeros((0, len(start)), dtype=bool)
        self.touches = np.zeros((0, len(self.stills)), dtype=bool)
        self.lengths = np.zeros(0, dtype=int)
        self.usable: dict[tuple[int, float], tuple[np.ndarray, int]] = {}
        self.inside, self.of_mask = np.zeros(0, dtype=bool), np.zeros(len(start), dtype=bool)
        self.cuts: list[Cut] = []
        self.hopeless: dict[Target, None] = {}

    def run(self) -> Mask:
        """Greedy first, then integer programmes until one of them is proved or the rounds are over."""
        orders = ("largest", "smallest") if len(self.cost) <= _LARGE else ("largest",)
        best = min((self._greedy(order) for order in orders), key=self._loss)
        bound = 0.0
        if (best & ~self.start).any():
            best, bound = self._improve(best)
        return Mask(best, tuple(self.hopeless), self._why(best), self._loss(best), bound)

    def _grouped(self, targets: Sequence[Target]) -> list[_Group]:
        number = {still: place for place, still in enumerate(self.stills)}
        found: dict[tuple[int, float], dict[Target, None]] = {}
        for target in targets:
            found.setdefault((target.column, target.move), {})[target] = None
        return [
            _Group(*key, tuple(own), np.array([number[target.still] for target in own], dtype=int))
            for key, own in found.items()
        ]

    def _loss(self, mask: np.ndarray) -> float:
        return float(self.cost[mask & ~self.start].sum())

    def _greedy(self, order: str) -> np.ndarray:
        """Close what the cheapest move of each target needs, then open again what turned out needless."""
        mask = self.start.copy()
        sign = -1 if order == "largest" else 1
        for group in sorted(self.groups, key=lambda one: (sign * abs(one.move), one.column, one.move)):
            while (target := self._unprotected(group, mask)) is not None:
                price = np.where(mask, _CLOSED_COST, self.cost)
                found = self.moves.cheapest(
                    target.column, target.move, price, np.array(target.still, dtype=int)
                )
                if found is None:
                    self.hopeless[target] = None
                    continue
                self._remember(found)
                mask |= found != 0
        return self._tidied(mask)

    def _tidied(self, mask: np.ndarray) -> np.ndarray:
        """The mask without the cells, dearest first, without which every target still moves."""
        closed = np.flatnonzero(mask)
        if not (mask & ~self.start).any():
            return mask.copy()
        small = self._within_closed(mask, closed)
        first = len(small.known)
        kept = mask[closed].copy()
        proofs = [small._established(group, kept) for group in small.groups]
        if any((proof == _UNPROVED).any() for proof in proofs):
            return mask.copy()
        for cell in sorted(np.flatnonzero(~self.start[closed]), key=lambda one: (-small.cost[one], one)):
            if small.moves.solved > _TIDYING:
                break
            before = small.inside, small.of_mask
            kept[cell] = False
            if any(not cut.allows(kept) for cut in small.cuts):
                kept[cell] = True
                continue
            again: dict[int, np.ndarray] = {}
            for number, proof in enumerate(proofs):
                lost = (proof >= 0) & small.touched[proof, cell]
                if lost.any():
                    found = small._established(small.groups[number], kept, lost)
                    if (found[lost] < 0).any():
                        kept[cell] = True
                        small.inside, small.of_mask = before
                        break
                    again[number] = np.where(lost, found, proof)
            else:
                for number, found in again.items():
                    proofs[number] = found
        for move in small.known[first:]:
            whole = np.zeros(len(mask))
            whole[closed] = move
            self._remember(whole)
        tidied = mask.copy()
        tidied[closed[~kept]] = False
        return tidied

    def _within_closed(self, mask: np.ndarray, closed: np.ndarray) -> "_Search":
        """The search over the closed columns alone, with the moves known among them."""
        place = np.full(len(mask), -1)
        place[closed] = np.arange(len(closed))
        targets = [
            Target(int(place[one.column]), one.move, tuple(int(place[c]) for c in one.still if mask[c]))
            for group in self.groups
            for one in group.targets
            if one not in self.hopeless
        ]
        small = _Search(self.system.restricted(closed), targets, self.start[closed], self.cost[closed])
        small._remember(*(self.known[number][closed] for number in np.flatnonzero(self._within(mask))))
        return small

    def _improve(self, best: np.ndarray) -> tuple[np.ndarray, float]:
        """Solve the integer programme over the inequalities known, add those its mask violates, repeat."""
        self._violated(self.start)
        bound = 0.0
        for _ in range(min(_ROUNDS, _WORK // len(best))):
            mask, bound = self._master(best, bound)
            if bound >= self._loss(best) * (1 - 1e-6) or mask is None:
                break
            if not self._violated(mask):
                better = self._tidied(mask)
                return better, min(bound, self._loss(better))
        return best, min(bound, self._loss(best))

    def _violated(self, mask: np.ndarray) -> bool:
        """Add the inequalities of all targets that a mask leaves unprotected; whether there was any."""
        return bool(sum((self._established(group, mask) == _UNPROVED).sum() for group in self.groups))

    def _master(self, best: np.ndarray, bound: float) -> tuple[np.ndarray | None, float]:
        """The cheapest mask by the inequalities known, and a lower bound of the loss of any mask."""
        import highspy

        columns = np.unique(np.concatenate([cut.columns for cut in self.cuts] or [np.zeros(0, int)]))
        columns = columns[np.isfinite(self.cost[columns])]
        if not columns.size:
            return None, bound
        place = {int(column): number for number, column in enumerate(columns)}
        solver = highspy.Highs()
        options: dict[str, bool | int | float | str] = {
            "output_flag": False,
            "threads": 1,
            "parallel": "off",
            "random_seed": 0,
            "mip_rel_gap": 1e-6,
            "mip_max_nodes": _NODES,
        }
        for option, value in options.items():
            solver.setOptionValue(option, value)
        solver.addVars(len(columns), np.zeros(len(columns)), np.ones(len(columns)))
        every = np.arange(len(columns), dtype=np.int32)
        solver.changeColsCost(len(columns), every, self.cost[columns])
        kinds = np.full(len(columns), highspy.HighsVarType.kInteger)
        solver.changeColsIntegrality(len(columns), every, kinds)
        for cut in self.cuts:
            inside = np.isfinite(self.cost[cut.columns])
            own = np.array([place[int(c)] for c in cut.columns[inside]], dtype=np.int32)
            solver.addRow(1.0 - 1e-9, highspy.kHighsInf, len(own), own, cut.coefficients[inside])
        solver.run()
        proved = max(bound, float(solver.getInfo().mip_dual_bound))
        values = np.asarray(solver.getSolution().col_value)
        if len(values) != len(columns) or not np.isfinite(values).all():
            return None, proved
        mask = self.start.copy()
        mask[columns[values > 0.5]] = True
        return mask, proved

    def _hopeful(self, group: _Group) -> np.ndarray:
        return np.array([target not in self.hopeless for target in group.targets], dtype=bool)

    def _unprotected(self, group: _Group, mask: np.ndarray) -> Target | None:
        """The first target that no known move protects within the mask, and that is not hopeless."""
        missing = np.flatnonzero((self._proofs(group, mask) < 0) & self._hopeful(group))
        return group.targets[missing[0]] if missing.size else None

    def _established(self, group: _Group, mask: np.ndarray, wanted: np.ndarray | None = None) -> np.ndarray:
        """Proofs of the targets within the mask, sought where none is known.

        Args:
            group: the targets.
            mask: closed columns.
            wanted: targets that need a proof; all that are not hopeless when None.

        Returns:
            Number of the move that proves each target; ``_UNPROVED`` from the first that has none on (the
            inequality that the mask violates is kept), ``_HOPELESS`` where none was sought.
        """
        proofs = self._proofs(group, mask)
        pending = self._hopeful(group) if wanted is None else wanted.copy()
        proofs[~pending & (proofs < 0)] = _HOPELESS
        while (missing := np.flatnonzero(pending & (proofs == _UNPROVED))).size:
            target = group.targets[missing[0]]
            still = np.array(target.still, dtype=int)
            found = self.moves.farthest(target.column, target.move, mask, self.start, still)
            if isinstance(found, np.ndarray):
                self._remember(found)
                proofs = np.where(proofs == _UNPROVED, self._proofs(group, mask), proofs)
            else:
                if found is not None:
                    self.cuts.append(found)
                break
        return proofs

    def _proofs(self, group: _Group, mask: np.ndarray) -> np.ndarray:
        """Number of the shortest known move that proves each target within a mask; ``_UNPROVED`` without."""
        moves = self._moves_of(group)
        within = moves[self._within(mask)[moves]]
        if not within.size:
            return np.full(len(group.targets), _UNPROVED)
        within = within[np.argsort(self.lengths[within], kind="stable")]
        free = ~self.touches[np.ix_(within, group.known)]
        return np.where(free.any(axis=0), within[free.argmax(axis=0)], _UNPROVED)

    def _moves_of(self, group: _Group) -> np.ndarray:
        """Numbers of the known moves that move the column of a group far enough, whatever the mask."""
        key = (group.column, group.move)
        found, seen = self.usable.get(key, (np.zeros(0, dtype=int), 0))
        if seen == len(self.known):
            return found
        new = seen + np.flatnonzero(self.touched[seen:, group.column])
        if new.size:
            known = np.array([self.known[number] for number in new])
            moved = known * (group.move / known[:, group.column])[:, None]
            near = 1e-7 * abs(group.move)
            fits = ((moved <= self.system.up + near) & (moved >= -self.system.down - near)).all(axis=1)
            if len(self.system.slack):
                left = (self.system.least @ moved.T).T + self.system.slack
                fits &= (left >= -near).all(axis=1)
            new = new[fits]
        self.usable[key] = (np.concatenate([found, new]), len(self.known))
        return self.usable[key][0]

    def _within(self, mask: np.ndarray) -> np.ndarray:
        """Which of the known moves touch closed columns only."""
        seen = len(self.inside)
        if (mask & ~self.of_mask).any():
            self.inside, seen = np.zeros(0, dtype=bool), 0
        gone = self.of_mask & ~mask
        if seen and gone.any():
            self.inside = self.inside & ~self.touched[:seen, gone].any(axis=1)
        if seen < len(self.touched):
            new = ~self.touched[seen:, ~mask].any(axis=1)
            self.inside = np.concatenate([self.inside, new])
        self.of_mask = mask.copy()
        return self.inside

    def _remember(self, *moves: np.ndarray) -> None:
        """Keep moves for later questions."""
        if not moves:
            return
        self.known += moves
        new = np.array(moves) != 0
        self.touched = np.vstack([self.touched, new])
        touches = [new[:, list(still)].any(axis=1) for still in self.stills]
        self.touches = np.vstack([self.touches, np.column_stack(touches)])
        self.lengths = np.append(self.lengths, new.sum(axis=1))

    def _why(self, mask: np.ndarray) -> dict[int, int]:
        """Which sensitive column each secondary one protects: the first whose proof needs it."""
        why: dict[int, int] = {}
        for group in self.groups:
            proofs = self._proofs(group, mask)
            for proof in dict.fromkeys(proofs[(proofs >= 0) & self._hopeful(group)]):
                for cell in map(int, np.flatnonzero(self.touched[proof] & ~self.start)):
                    why.setdefault(cell, group.column)
        return why
