"""The attack: what an intruder can infer about every suppressed cell from what is published.

Built from the published numbers and what is public beside them: the sums of the geography, the logic of the
questionnaire (``links``), the rounding, the largest population of each cell. With ``truth`` the intruder is
given more: the denominators of suppressed cells, what earlier versions published and nobody corrected since,
and, one at a time, the answers of each sole respondent. Nothing of the suppression is used; the
linear programmes are in ``inference``.

Limits: the intruder is not taken to know which units answered, nor their weights.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse  # type: ignore[import-untyped]

from asco_dagster.errors import DisclosureError
from asco_dagster.methods.disclosure.areas import Areas, Layout, column, label, layout
from asco_dagster.methods.disclosure.family import same_respondents
from asco_dagster.methods.disclosure.inference import Inference, Relations, possible_counts
from asco_dagster.methods.disclosure.links import Link, linked
from asco_dagster.methods.disclosure.primary import saturated, undecided
from asco_dagster.methods.disclosure.rules import CELL, KEYS, DisclosureRules
from asco_dagster.methods.disclosure.spread import spread

_NEAR = 1e-6  # relative: intervals narrower than this are points
_EXTREME = 1e-9
_REACHED = 0.995  # of the farthest that a cell can move, as far as a mask lets it
SHARES = ("share", "population_share")


@dataclass(frozen=True)
class Attack:
    """Result of an attack.

    Args:
        cells: one row a number that is not published: ``KEYS``, ``status`` (as given), ``low`` and ``high``
            (of the estimate; ``high`` may be infinite), ``width``, ``exact`` (recovered), ``too_close``
            (a sensitive cell that cannot move as far as the rules demand), ``answers`` (units whose answer
            is certain), ``by`` (``""``, ``anyone``, or the respondent of a cell).
        decided: one row a published number from which answers follow by itself (a share of population, a
            correction that was not held back): ``KEYS`` and ``answers``.
        systems: number of systems of tables attacked.
    """

    cells: pd.DataFrame
    decided: pd.DataFrame
    systems: int

    def breaches(self) -> pd.DataFrame:
        """Rows that must close the gate: sensitive cells within their protection, and certain answers."""
        return self.cells[self.cells["too_close"] | (self.cells["answers"] > 0)]

    def summary(self) -> dict[str, int]:
        """Counts for the log and the gate."""
        found = self.cells
        return {
            "systems": self.systems,
            "suppressed": len(found),
            "exact": int(found["exact"].sum()),
            "too_close": int(found["too_close"].sum()),
            "by_insider": int(found["by"].str.startswith("the respondent").sum()),
            "answers": int(found["answers"].sum()) + int(self.decided["answers"].sum()),
        }

    def require_safe(self) -> None:
        """Raise when anything was recovered.

        Raises:
            DisclosureError: names the first cells.
        """
        found = pd.concat([self.breaches(), self.decided.assign(by="anyone")], ignore_index=True)
        if len(found):
            names = [
                f"{row['unit_type']}, {row['indicator']}, {row['statistic']}, "
                f"{label((row['geography'], row['area_code'], row['size_class']))} (by {row['by']})"
                for row in found.head(5).to_dict("records")
            ]
            raise DisclosureError(
                f"{len(found)} numbers can be inferred or decide an answer: {'; '.join(names)}",
                expected="no sensitive cell within its protection interval, no answer of a unit certain",
                remedy="Release nothing; protect the tables again with all links between them",
            )


def attack(
    published: pd.DataFrame,
    areas: Mapping[str, Areas],
    rules: DisclosureRules,
    *,
    links: Mapping[str, Sequence[Link]] | None = None,
    steps: Mapping[str, float] | None = None,
    rounding: Mapping[str, float] | None = None,
    truth: pd.DataFrame | None = None,
    workers: int = 1,
) -> Attack:
    """Infer the interval of every number that is not published.

    Args:
        published: ``released`` of the cells: ``KEYS``, ``estimate``, ``denominator`` (null where suppressed)
            and ``status``; optionally ``as_of``, the earlier version whose number is shown: it is then no
            number of this version.
        areas: by unit type, the public geography.
        rules: for the protection interval.
        links: by unit type, what holds between its indicators.
        steps: rounding step of each statistic's estimates (``total``, or ``commune share`` where it differs
            by type of unit) and of ``denominator``; 0 where not given.
        rounding: by unit type, rounding step of its published shares where ``published`` is given unrounded:
            whole numbers of yes are told apart by it. None tries no whole numbers.
        truth: ``cells`` of ``protect``: adds denominators, respondents, insiders, and what ``since`` says of
            earlier versions.
        workers: processes; the result does not depend on it.

    Raises:
        DisclosureError: the published values contradict each other.
    """
    if truth is not None:
        truth = undecided(truth, saturated(truth, rules) & _shown(published, truth))
    jobs = list(_systems(published, areas, rules, links or {}, dict(steps or {}), truth))
    for job in jobs:
        job.rounding = (rounding or {}).get(job.unit_type)
    order = sorted(range(len(jobs)), key=lambda number: -len(jobs[number].low))
    with spread(workers) as each:
        found = dict(zip(order, each(_attacked, [jobs[number] for number in order]), strict=True))
    columns = [*KEYS, "status", "low", "high", "width", "exact", "too_close", "answers", "by"]
    rows = [row for number in range(len(jobs)) for row in found[number]]
    frame = pd.DataFrame(rows, columns=columns).astype({"exact": bool, "too_close": bool, "answers": int})
    return Attack(
        frame.sort_values(list(KEYS), ignore_index=True), _decided(published, steps, truth), len(jobs)
    )


@dataclass
class _System:
    """Linked tables as the intruder sees them; arrays have one entry a column (a cell of an indicator)."""

    unit_type: str
    statistic: str
    members: list[str]
    published: int
    layout: Layout
    links: Sequence[Link]
    rules: DisclosureRules
    low: np.ndarray
    high: np.ndarray
    whole_low: np.ndarray
    whole_high: np.ndarray
    hidden: np.ndarray
    status: np.ndarray
    step: float
    respondents: np.ndarray
    values: np.ndarray
    largest: np.ndarray
    correction: np.ndarray
    known: np.ndarray
    informed: bool
    rounding: float | None = None

    @property
    def name(self) -> str:
        return f"{self.unit_type}, {' + '.join(self.members)}, {self.statistic}"

    def relations(self) -> Relations:
        """Sums and links; what is uncertain about the denominators loosens the links."""
        size, cells = len(self.members), len(self.layout.cells)
        blocks = [sparse.csr_matrix(self.layout.matrix)] * size
        rows, low, high = [sparse.block_diag(blocks, format="csr")], [], []
        low.append(np.zeros(rows[0].shape[0]))
        high.append(np.zeros(rows[0].shape[0]))
        place = {member: number for number, member in enumerate(self.members)}
        for link in self.links:
            weights = np.zeros(size)
            base = slice(place[link.within] * cells, (place[link.within] + 1) * cells)
            constant = np.maximum(link.constant * self.whole_low[base], link.constant * self.whole_high[base])
            for member, coefficient in link.coefficients.items():
                weights[place[member]] = coefficient
                own = slice(place[member] * cells, (place[member] + 1) * cells)
                more = np.maximum(self.whole_high[own] - self.whole_low[base], 0.0)
                constant = constant - min(coefficient, 0.0) * (more if member != link.within else 0.0)
            rows.append(sparse.kron(weights, sparse.identity(cells), format="csr"))
            low.append(-constant)
            least = np.minimum(link.constant * self.whole_low[base], link.constant * self.whole_high[base])
            high.append(-least if link.exact else np.full(cells, np.inf))
        return Relations(
            sparse.vstack(rows, format="csr"), np.concatenate(low), np.concatenate(high), self.name
        )


def _systems(
    published: pd.DataFrame,
    areas: Mapping[str, Areas],
    rules: DisclosureRules,
    links: Mapping[str, Sequence[Link]],
    steps: Mapping[str, float],
    truth: pd.DataFrame | None,
) -> Iterator[_System]:
    """Every system of linked tables, in a fixed order."""
    true_by = {} if truth is None else dict(list(truth.groupby(["unit_type", "statistic", "indicator"])))
    for (unit_type, statistic), rows in published.groupby(["unit_type", "statistic"], sort=True):
        known = layout(zip(*(rows[key] for key in CELL), strict=True), areas[str(unit_type)])
        by_indicator = {str(name): part for name, part in rows.groupby("indicator", sort=True)}
        own = [] if statistic == "total" else list(links.get(str(unit_type), ()))
        for members, between in linked(list(by_indicator), own):
            tables = [
                _seen(by_indicator[m], known, steps, true_by.get((unit_type, statistic, m)), rules)
                for m in members
            ]
            ending = [link for link in between if link.rest is not None] if truth is not None else []
            tables += [_rest(link, members, tables, rules) for link in ending]
            sums = [
                Link(
                    {str(link.rest): 1.0, **dict.fromkeys(link.coefficients, 1.0)},
                    -1.0,
                    link.within,
                    exact=True,
                )
                for link in ending
            ]
            stacked: dict[str, Any] = {
                name: np.concatenate([table[name] for table in tables]) for name in tables[0]
            }
            yield _System(
                str(unit_type),
                str(statistic),
                [*members, *(str(link.rest) for link in ending)],
                len(members),
                known,
                [*between, *sums],
                rules,
                step=_step(steps, str(unit_type), str(statistic)),
                informed=truth is not None,
                **stacked,
            )


def _seen(
    rows: pd.DataFrame,
    known: Layout,
    steps: Mapping[str, float],
    true: pd.DataFrame | None,
    rules: DisclosureRules,
) -> dict[str, np.ndarray]:
    """One indicator's table as intervals of its numerators and denominators."""
    order, statistic = known.index(), str(rows["statistic"].iloc[0])
    share = statistic in SHARES
    there = column(rows.assign(one=1.0), "one", order) > 0
    estimate, whole = (_numbers(rows, name, order, there) for name in ("estimate", "denominator"))
    shown = there & ~np.isnan(estimate)
    if "as_of" in rows.columns:
        stale = column(rows.assign(old=rows["as_of"].fillna("").ne("").astype(float)), "old", order) > 0
        shown &= ~stale
    nothing, before = np.zeros(len(order)), np.zeros(len(order), dtype=bool)
    facts = dict.fromkeys(("respondents", "numerator", "largest", "correction"), nothing)
    status = np.full(len(order), "", dtype=object)
    places = [order[cell] for cell in zip(*(rows[key] for key in CELL), strict=True)]
    status[places] = rows["status"]
    if true is None:
        off = steps.get("denominator", 0.0) / 2
        whole_low, whole_high = _denominators(known, whole, off, there, str(rows["indicator"].iloc[0]))
    else:
        facts = {name: column(true, name, order) for name in facts if name in true.columns}
        facts.setdefault("correction", nothing)
        facts["largest"] = np.maximum(facts["largest"], column(true, "largest_weighted", order))
        status[[order[cell] for cell in zip(*(true[key] for key in CELL), strict=True)]] = true["status"]
        whole_low = whole_high = column(true, "denominator", order)
    half = _step(steps, str(rows["unit_type"].iloc[0]), statistic) / 2
    if share:
        low = np.where(shown, np.maximum(estimate - half, 0.0) * whole_low, 0.0)
        high = np.where(shown, np.minimum(estimate + half, 1.0) * whole_high, whole_high)
    else:
        low = np.where(shown, np.maximum(estimate - half, 0.0), 0.0)
        high = np.where(shown, estimate + half, np.where(there, np.inf, 0.0))
    if true is not None and not half:  # given the unrounded values, so that nothing is hidden by rounding
        low, high = np.where(shown, facts["numerator"], low), np.where(shown, facts["numerator"], high)
    if true is not None and "known" in true.columns:
        before = there & ~shown & (column(true.assign(before=true["known"] * 1.0), "before", order) > 0)
        low, high = np.where(before, facts["numerator"], low), np.where(before, facts["numerator"], high)
    return {
        "low": low,
        "high": np.where(there, high, 0.0),
        "whole_low": whole_low,
        "whole_high": whole_high,
        "hidden": there & ~shown,
        "status": status,
        "respondents": facts["respondents"],
        "values": facts["numerator"],
        "largest": facts["largest"],
        "correction": facts["correction"],
        "known": before,
    }


def _rest(
    link: Link, members: Sequence[str], tables: Sequence[dict[str, np.ndarray]], rules: DisclosureRules
) -> dict[str, np.ndarray]:
    """An answer that is not published, but is all that the published ones leave of their units."""
    own = [table for member, table in zip(members, tables, strict=True) if member in link.coefficients]
    first, whole = own[0], own[0]["whole_high"]
    values = np.maximum(whole - sum(table["values"] for table in own), 0.0)
    near = _EXTREME * np.maximum(whole, 1.0)
    extreme = (values <= near) | (values >= whole - near)
    few = first["respondents"] < np.where(extreme, rules.group_threshold, rules.threshold)
    there = first["respondents"] > 0
    return {
        **first,
        "known": np.zeros(len(whole), dtype=bool),
        "low": np.zeros(len(whole)),
        "high": whole,
        "hidden": there,
        "status": np.where(there, np.where(few, "A", "V"), "").astype(object),
        "values": values,
    }


def _step(steps: Mapping[str, float], unit_type: str, statistic: str) -> float:
    """Rounding step of the estimates of a statistic, where it may differ by type of unit."""
    return steps.get(f"{unit_type} {statistic}", steps.get(statistic, 0.0))


def _numbers(rows: pd.DataFrame, name: str, order: Mapping, there: np.ndarray) -> np.ndarray:
    """A published column, NaN where null, 0 where there is no row."""
    if name not in rows.columns:
        return np.where(there, np.nan, 0.0)
    return column(
        rows.assign(**{name: rows[name].astype("Float64").to_numpy(float, na_value=np.nan)}), name, order
    )


def _denominators(
    known: Layout, whole: np.ndarray, off: float, there: np.ndarray, name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Intervals of the denominators: the published ones within their rounding, the others by their sums."""
    low = np.where(np.isnan(whole), 0.0, np.maximum(whole - off, 0.0))
    high = np.where(np.isnan(whole), np.where(there, np.inf, 0.0), whole + off)
    sums = sparse.csr_matrix(known.matrix)
    nothing = np.zeros(sums.shape[0])
    found = Inference(Relations(sums, nothing, nothing, f"{name}, denominators"), low, high)
    found.enclose(map(int, np.flatnonzero(np.isnan(whole))))
    return found.low, found.high


def _attacked(system: _System) -> list[tuple]:
    """One row a hidden column."""
    hidden = list(map(int, np.flatnonzero(system.hidden)))
    if not hidden:
        return []
    relations = system.relations()
    found = Inference(relations, system.low, system.high, float(system.values.max()))
    found.enclose(hidden)
    rows = {one: _verdict(system, one, found.low[one], found.high[one], found.tolerance) for one in hidden}
    if system.informed:
        _pardon(system, relations, found, rows)
        _by_insiders(system, relations, found, rows)
        if system.statistic == "share" and system.rounding is not None:
            _by_whole_numbers(system, rows, system.rounding)
    return [
        (
            system.unit_type,
            system.members[one // len(system.layout.cells)],
            system.statistic,
            *system.layout.cells[one % len(system.layout.cells)],
            system.status[one],
            *row.values(),
        )
        for one, row in rows.items()
        # what follows from published answers is no finding unless it is sensitive itself
        if one < system.published * len(system.layout.cells) or row["too_close"] or row["answers"]
    ]


def _verdict(system: _System, one: int, low: float, high: float, tolerance: float) -> dict:
    """What an interval of a numerator tells."""
    share = system.statistic in SHARES
    whole_low, whole_high = system.whole_low[one], system.whole_high[one]
    if share:
        least = low / whole_high if whole_high > 0 and np.isfinite(whole_high) else 0.0
        most = min(high / whole_low, 1.0) if whole_low > 0 else 1.0
    else:
        least, most = low, high
    scale = 1.0 if share else max(most, 1e-9)
    exact = bool(
        np.isfinite(most) and (high - low <= tolerance or most - least <= max(system.step, _NEAR * scale))
    )
    close = system.informed and bool(_too_close(system, one, low, high))
    return {
        "low": least,
        "high": most,
        "width": most - least,
        "exact": exact,
        "too_close": close,
        "answers": _answers(system, one, least, most) if share else 0,
        "by": "anyone" if close or exact else "",
    }


def _answers(system: _System, one: int, least: float, most: float) -> int:
    """Units whose answer is certain: all of a cell that is 0 or 100 % and can be nothing else.

    Of so many respondents as the rule for whole groups demands, 0 and 100 % may be published.
    """
    if not system.informed:  # who does not know how many answered is certain of 0 and 100 % only
        near = max(system.step, _NEAR)
        return int(most <= near or least >= 1.0 - near)
    respondents = system.respondents[one]
    value, whole = system.values[one], system.whole_high[one]
    near = _EXTREME * max(whole, 1.0)
    # Below one unit of average weight there may still be the yes of a lighter one: then nothing is certain.
    if near < value < whole - near or respondents >= system.rules.group_threshold:
        return 0
    unit = 0.5 / max(respondents, 1.0)
    return int(respondents) if most < unit or least > 1.0 - unit else 0


def _too_close(system: _System, one: int, low: float, high: float) -> bool:
    """Whether a cell with an interval cannot move as far as the rules demand, or a correction shows."""
    least, most = _demanded(system, one)
    return bool(low > least or high < most)


def _demanded(system: _System, one: int, part: float = 1.0, own: float = 0.0) -> tuple[float, float]:
    """The values that must remain possible: infinite the wrong way round where nothing is demanded.

    Args:
        system: of the cell.
        one: its column.
        part: of the cell's units that is not the insider's.
        own: the insider's value in it.

    Returns:
        The least must be at most the first, the largest at least the second.
    """
    value, least, most = system.values[one], np.inf, -np.inf
    if part == 1.0 and system.correction[one]:  # the value without the correction must remain possible
        wanted, near = system.correction[one], 1e-4 * abs(system.correction[one]) + system.step
        least, most = value + min(wanted, 0.0) + near, value + max(wanted, 0.0) - near
    if system.status[one] not in ("A", "B"):
        return least, most
    whole, rules = system.whole_high[one], system.rules
    if system.statistic == "share":
        up = down = float(rules.share_level(np.array([system.respondents[one]]))[0]) * whole * part
        room = (whole * part - (value - own), value - own)
    elif system.statistic == "population_share":
        up = max(system.largest[one] - value, 0.0)
        down = max(system.largest[one] - (whole - value), 0.0)
        room = (whole * part - (value - own), value - own)
    else:
        down = rules.protection * (value - own)
        up = rules.protection * (value - own) if value > 0 else _NEAR
        if system.status[one] == "B":
            up = max(up, system.largest[one] / rules.dominance - value)
        room = (np.inf, value - own)
    near = 1e-4 * max(value, whole if system.statistic in SHARES else value, 1e-9) + system.step
    return min(least, value - min(down, room[1]) + near), max(most, value + min(up, room[0]) - near)


def _pardon(system: _System, relations: Relations, found: Inference, rows: dict[int, dict]) -> None:
    """Take back what is no finding of this version.

    That is what open cells of 0 or 100 % alone imply: on so many respondents they may be published, and no
    mask hides more than they leave open; and what an earlier version published and nothing changed since.
    """
    caught = [one for one, row in rows.items() if row["too_close"] or row["answers"] or row["exact"]]
    if not caught:
        return
    low, high = _by_saturated(system)
    alone = Inference(relations, low, high)
    alone.enclose(caught)
    for one in caught:
        row = rows[one]
        published = system.known[one] and not system.correction[one]
        if published or alone.high[one] - alone.low[one] <= alone.tolerance:
            row.update(exact=False, too_close=False, answers=0, by="")
        elif row["too_close"] and not row["exact"] and not row["answers"]:
            close = _closer(system, one, (found.low[one], found.high[one]), (alone.low[one], alone.high[one]))
            row.update(too_close=close, by="anyone" if close else "")


def _closer(system: _System, one: int, seen: tuple[float, float], implied: tuple[float, float]) -> bool:
    """Whether an interval is narrower than both the rules and what is implied anyway demand."""
    value, (least, most) = system.values[one], _demanded(system, one)
    least = max(least, value - _REACHED * (value - implied[0]))
    most = min(most, value + _REACHED * (implied[1] - value))
    return bool(seen[0] > least or seen[1] < most)


def _by_saturated(system: _System) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of the columns when only open cells of 0 or 100 % with enough respondents are published."""
    share = system.statistic in SHARES
    whole = system.whole_high
    near = _EXTREME * np.maximum(whole, 1.0)
    extreme = (system.values <= near) | (share & (system.values >= whole - near))
    may = ~system.hidden & extreme & (system.respondents >= system.rules.group_threshold)
    empty = system.respondents == 0
    low = np.where(may, system.values, 0.0)
    high = np.where(may, system.values, whole if share else np.where(empty, 0.0, np.inf))
    return low, np.where(empty, 0.0, high)


def _by_insiders(system: _System, relations: Relations, found: Inference, rows: dict[int, dict]) -> None:
    """What each sole respondent can tell of sensitive cells, beyond what open cells of 0 or 100 % imply."""
    cells = len(system.layout.cells)
    respondents = system.respondents.reshape(-1, cells).max(axis=0)
    same, parts = same_respondents(system.layout, respondents), system.layout.parts()
    sensitive = [one for one in rows if system.status[one] in ("A", "B")]
    low, high = _by_saturated(system)
    alone = Inference(relations, low, high, float(system.values.max()))
    for insider in map(int, np.flatnonzero(respondents == 1)):
        known = {
            insider + cells * m: float(system.values[insider + cells * m]) for m in range(len(system.members))
        }
        wanted = [one for one in sensitive if same[one % cells] != same[insider]]
        caught = wanted
        for inference, possible_if in ((found, False), (alone, True)):
            demanded = np.array([_of_others(system, one, insider, parts) for one in caught]).reshape(-1, 2)
            with inference.given(known) as informed:
                possible = informed.spanned(caught, demanded[:, 0], demanded[:, 1])
            caught = [one for one, there in zip(caught, possible, strict=True) if there == possible_if]
        for one in caught:
            if not rows[one]["by"]:
                who = f"the respondent of {label(system.layout.cells[insider])}"
                rows[one].update(too_close=True, by=who)


def _of_others(system: _System, one: int, insider: int, parts: np.ndarray) -> tuple[float, float]:
    """What must remain possible of a cell for one of its respondents; nothing where there is no other."""
    part, own = _others(system, one, insider, parts)
    return _demanded(system, one, part, own) if part > _NEAR else (np.inf, -np.inf)


def _by_whole_numbers(system: _System, rows: dict[int, dict], step: float) -> None:
    """What follows where all units of a cell weigh the same: its share is k of n, and sums may allow one k.

    Sums of which only cells of 0 or 100 % with enough respondents are open imply what they imply: left out.
    """
    cells = len(system.layout.cells)
    weight = system.whole_high / np.maximum(system.respondents, 1.0)
    number = system.values / np.maximum(weight, 1e-9)
    alike = (np.abs(number - np.round(number)) < 1e-3).reshape(-1, cells).all(axis=0)
    least, most = _by_saturated(system)
    implied = Inference(system.relations(), least, most)
    for table in range(system.published):
        for sums in system.layout.matrix:
            inside = np.flatnonzero(sums)
            columns, signs = inside + table * cells, sums[inside]
            hidden = system.hidden[columns]
            sensitive = [one for one in columns[hidden] if system.status[one] == "A"]
            saturated = least[columns[~hidden]] == most[columns[~hidden]]
            if not sensitive or not alike[inside[hidden]].all() or saturated.all():
                continue
            known = float(signs[~hidden] @ system.values[columns[~hidden]])
            off = step / 2 * float(system.whole_high[columns[~hidden]].sum()) + 1e-6 * implied.scale
            own = columns[hidden]
            possible = possible_counts(system.respondents[own], weight[own], signs[hidden], known, off)
            for one, numbers in zip(own, possible or (), strict=possible is not None):
                if one not in sensitive or len(numbers) > 1 or rows[int(one)]["by"]:
                    continue
                implied.enclose([int(one)])
                if implied.high[one] - implied.low[one] > implied.tolerance:
                    certain = numbers.size and numbers[0] in (0, system.respondents[one])
                    answers = int(system.respondents[one]) if certain else 0
                    rows[int(one)].update(too_close=True, answers=answers, by="anyone")


def _others(system: _System, one: int, insider: int, parts: np.ndarray) -> tuple[float, float]:
    """Part of a cell's units that are not an insider's, and the insider's value in it."""
    cell = one % len(system.layout.cells)
    if not parts[cell, insider]:
        return 1.0, 0.0
    mine = one - cell + insider
    part = 1.0 - system.whole_high[mine] / max(system.whole_high[one], 1e-9)
    return part, float(system.values[mine])


def _shown(published: pd.DataFrame, truth: pd.DataFrame) -> np.ndarray:
    """Rows of the truth whose number is published."""
    shown = pd.MultiIndex.from_frame(published.loc[published["status"] == "V", list(KEYS)])
    return np.asarray(pd.MultiIndex.from_frame(truth[list(KEYS)]).isin(shown))


def _decided(
    published: pd.DataFrame, steps: Mapping[str, float] | None, truth: pd.DataFrame | None
) -> pd.DataFrame:
    """Published numbers from which answers follow by themselves.

    A share of population may decide the answer of the largest unit; a number of this version beside that of
    an earlier one shows a correction, which is that of fewer units than the threshold.
    """
    columns = [*KEYS, "answers"]
    if truth is None:
        return pd.DataFrame(columns=columns).astype({"answers": int})
    shown = published[published["status"] == "V"]
    if "as_of" in shown.columns:
        shown = shown[shown["as_of"].fillna("").eq("").to_numpy()]
    rows = shown[list(KEYS)].merge(truth, on=list(KEYS), validate="one_to_one")
    rows = rows.assign(published=shown["estimate"].astype("Float64").to_numpy(float, na_value=np.nan))
    half = dict(steps or {}).get("population_share", 0.0) / 2
    found = [_by_population(rows[rows["statistic"] == "population_share"], half)]
    if "held_back" in rows.columns:
        visible = rows[rows["held_back"]]
        found.append(visible[list(KEYS)].assign(answers=visible["corrected"].to_numpy(int)))
    both = pd.concat(found).groupby(list(KEYS), sort=False)["answers"].max().reset_index()
    return both.astype({"answers": int})


def _by_population(rows: pd.DataFrame, half: float) -> pd.DataFrame:
    """Shares of population, published within ``half``, that decide the answer of the largest unit."""
    yes = (rows["published"] - half) * rows["denominator"] > rows["denominator"] - rows["largest"]
    no = (rows["published"] + half) * rows["denominator"] < rows["largest"]
    near = _EXTREME * rows["denominator"].clip(lower=1.0)
    alike = (rows["numerator"] <= near) | (rows["numerator"] >= rows["denominator"] - near)
    return rows.loc[(yes | no) & ~alike, list(KEYS)].assign(answers=1)
