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


class _Search:
    """The state of one search: proofs found so far, inequalities found so far."""

    def __init__(
        self, system: System, targets: Sequence[Target], start: np.ndarray, cost: np.ndarray
    ) -> None:
        self.system, self.start, self.cost = system, start, cost
        self.targets = list(targets)
        self.moves = Moves(system)
        self.known = np.zeros((0, len(start)))
        self.touched = np.zeros((0, len(start)), dtype=bool)
        self.lengths = np.zeros(0, dtype=int)
        self.usable: dict[Target, tuple[np.ndarray, int]] = {}
        self.inside, self.of_mask = np.zeros(0, dtype=bool), np.zeros(0, dtype=bool)
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

    def _loss(self, mask: np.ndarray) -> float:
        return float(self.cost[mask & ~self.start].sum())

    def _greedy(self, order: str) -> np.ndarray:
        """Close what the cheapest move of each target needs, then open again what turned out needless."""
        mask = self.start.copy()
        sign = -1 if order == "largest" else 1
        for target in sorted(self.targets, key=lambda one: (sign * abs(one.move), one.column, one.move)):
            if self._proof(target, mask) is not None or target in self.hopeless:
                continue
            price = np.where(mask, _CLOSED_COST, self.cost)
            found = self.moves.cheapest(target.column, target.move, price, np.array(target.still, dtype=int))
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
        place = np.full(len(mask), -1)
        place[closed] = np.arange(len(closed))
        small = _Search(self.system.restricted(closed), [], self.start[closed], self.cost[closed])
        usable = self.known[self._within(mask)]
        if len(usable):
            small._remember(*usable[:, closed])
        first = len(usable)
        targets = [
            Target(int(place[one.column]), one.move, tuple(int(place[c]) for c in one.still if mask[c]))
            for one in self._hopeful()
        ]
        kept = mask[closed].copy()
        proofs = {target: small._established(target, kept) for target in targets}
        for cell in sorted(np.flatnonzero(~self.start[closed]), key=lambda one: (-small.cost[one], one)):
            kept[cell] = False
            again: dict[Target, int] = {}
            for target, proof in proofs.items():
                if isinstance(proof, int) and small.touched[proof, cell]:
                    found = small._established(target, kept)
                    if not isinstance(found, int):
                        kept[cell] = True
                        break
                    again[target] = found
            else:
                proofs |= again
        whole = np.zeros((len(small.known) - first, len(mask)))
        whole[:, closed] = small.known[first:]
        if len(whole):
            self._remember(*whole)
        tidied = mask.copy()
        tidied[closed[~kept]] = False
        return tidied

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
        found = False
        for target in self._hopeful():
            if self._proof(target, mask) is not None:
                continue
            outcome = self._established(target, mask)
            if not isinstance(outcome, int):
                found = True
                if outcome is not None:
                    self.cuts.append(outcome)
        return found

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

    def _hopeful(self) -> list[Target]:
        return [target for target in self.targets if target not in self.hopeless]

    def _established(self, target: Target, mask: np.ndarray) -> int | Cut | None:
        """A proof within the mask (its number), or the inequality that the mask violates."""
        proof = self._proof(target, mask)
        if proof is not None:
            return proof
        found = self.moves.farthest(
            target.column, target.move, mask, self.start, np.array(target.still, dtype=int)
        )
        return self._remember(found) if isinstance(found, np.ndarray) else found

    def _proof(self, target: Target, mask: np.ndarray) -> int | None:
        """Number of a known move that proves a target within a mask; the shortest of them."""
        moves = self._moves_of(target)
        within = moves[self._within(mask)[moves]]
        return int(within[np.argmin(self.lengths[within])]) if within.size else None

    def _moves_of(self, target: Target) -> np.ndarray:
        """Numbers of the known moves that a target can make, whatever the mask."""
        found, seen = self.usable.get(target, (np.zeros(0, dtype=int), 0))
        if seen == len(self.known):
            return found
        new = np.arange(seen, len(self.known))
        known = self.known[new]
        able = known[:, target.column] != 0
        if target.still:
            able &= ~(known[:, list(target.still)] != 0).any(axis=1)
        new, known = new[able], known[able]
        if new.size:
            moved = known * (target.move / known[:, target.column])[:, None]
            near = 1e-7 * abs(target.move)
            fits = ((moved <= self.system.up + near) & (moved >= -self.system.down - near)).all(axis=1)
            if len(self.system.slack):
                left = (self.system.least @ moved.T).T + self.system.slack
                fits &= (left >= -near).all(axis=1)
            new = new[fits]
        self.usable[target] = (np.concatenate([found, new]), len(self.known))
        return self.usable[target][0]

    def _within(self, mask: np.ndarray) -> np.ndarray:
        """Which of the known moves touch closed columns only."""
        if len(self.known) != len(self.inside) or not np.array_equal(mask, self.of_mask):
            self.inside, self.of_mask = np.asarray(~self.touched[:, ~mask].any(axis=1)), mask.copy()
        return self.inside

    def _remember(self, *moves: np.ndarray) -> int:
        """Keep moves for later questions; the number of the last."""
        new = np.array(moves)
        self.known = np.vstack([self.known, new])
        self.touched = np.vstack([self.touched, new != 0])
        self.lengths = np.append(self.lengths, (new != 0).sum(axis=1))
        return len(self.known) - 1

    def _why(self, mask: np.ndarray) -> dict[int, int]:
        """Which sensitive column each secondary one protects: the first whose proof needs it."""
        why: dict[int, int] = {}
        for target in self._hopeful():
            proof = self._proof(target, mask)
            if proof is not None:
                for cell in map(int, np.flatnonzero(self.touched[proof] & ~self.start)):
                    why.setdefault(cell, target.column)
        return why
