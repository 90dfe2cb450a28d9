"""The whole suppression of a wave: primary statuses in, statuses over all linked tables out.

Shares, shares of population and amounts are protected each as what they are: the mask of one closes nothing
in the others. Indicators that logic links are protected together (``links``), every other one by itself.
Counts of respondents and weighted units are taken to be known to the intruder, for closed cells too: what has
to be hidden is what they answered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from asco_dagster.methods.disclosure.areas import Areas, label, layout
from asco_dagster.methods.disclosure.counts import with_more_counts
from asco_dagster.methods.disclosure.family import Family, Table
from asco_dagster.methods.disclosure.links import Link, linked
from asco_dagster.methods.disclosure.masks import Mask, search
from asco_dagster.methods.disclosure.rules import ATTACKED, CELL, KEYS, DisclosureRules
from asco_dagster.methods.disclosure.spread import spread

EARLIER = "closed in an earlier release"
HELD_BACK = "held back: fewer units corrected than the threshold"
COUNTS = "leaves more than one number of yes to a cell beside it"
FILTERED = "about the units that say yes in a closed cell"
IMPLIED = "implied by an open cell of enough respondents"


@dataclass(frozen=True)
class Protected:
    """What a suppression came to.

    Attributes:
        cells: the rows as they came, ``status`` ``V``, ``A``, ``B`` or ``D``, ``reason`` completed.
        families: one row per family: ``unit_type``, ``statistic``, ``members``, ``sensitive``, ``secondary``
            (columns), ``loss`` and ``bound`` (weighted cells; equal where the mask is the cheapest).
    """

    cells: pd.DataFrame
    families: pd.DataFrame


def protect(
    cells: pd.DataFrame,
    areas: Mapping[str, Areas],
    rules: DisclosureRules,
    *,
    links: Mapping[str, Sequence[Link]] | None = None,
    steps: Mapping[str, float] | None = None,
    workers: int = 1,
) -> Protected:
    """Add the secondary cells: status ``D`` wherever a sensitive cell could otherwise be recomputed.

    Args:
        cells: result of ``primary``; with the columns of ``versions.since`` where there are earlier versions.
        areas: by unit type, the public geography.
        rules: of the wave.
        links: by unit type, what holds between its indicators.
        steps: by unit type, rounding step of its published shares; 0 where not given.
        workers: processes; the result does not depend on it.

    Raises:
        DisclosureError: totals do not add up, or a value is negative.
    """
    ordered = _steady(cells.sort_values(list(KEYS)))
    jobs = list(_families(ordered, areas, rules, links or {}))
    # The largest first, so that no process waits for one that began last.
    order = sorted(range(len(jobs)), key=lambda number: -len(jobs[number].system.values))
    with spread(workers) as each:
        tasks = [(jobs[number], (steps or {}).get(jobs[number].unit_type, 0.0)) for number in order]
        found = dict(zip(order, each(_masked, tasks), strict=True))
    verdicts = pd.concat([found[number][0] for number in range(len(jobs))], ignore_index=True)
    families = pd.DataFrame([found[number][1] for number in range(len(jobs))])
    merged = cells[list(KEYS)].merge(verdicts, on=list(KEYS), how="left", validate="one_to_one")
    by_rule = merged["status"].isin(["A", "B"]).to_numpy()
    reason = np.where(by_rule, cells["reason"].to_numpy(object), merged["reason"].to_numpy(object))
    done = cells.assign(status=merged["status"].to_numpy(object), reason=reason)
    return Protected(done, families)


def released(cells: pd.DataFrame) -> pd.DataFrame:
    """What the attack is given of a release: numbers of suppressed cells empty, one status for all of them.

    Args:
        cells: ``cells`` of ``protect``.

    Returns:
        ``KEYS``, ``ATTACKED`` (null where suppressed) and ``status`` (``V`` or ``c``), sorted by ``KEYS``.
    """
    public = cells[[*KEYS, *ATTACKED, "status"]].sort_values(list(KEYS), ignore_index=True)
    public["status"] = np.where(public["status"] == "V", "V", "c")
    for name in ATTACKED:
        public[name] = public[name].astype("Float64").mask(public["status"] != "V", pd.NA)
    return public


def _families(
    cells: pd.DataFrame,
    areas: Mapping[str, Areas],
    rules: DisclosureRules,
    links: Mapping[str, Sequence[Link]],
) -> list[Family]:
    """Every family, in a fixed order."""
    found = []
    for (unit_type, statistic), rows in cells.groupby(["unit_type", "statistic"], sort=True):
        known = layout(zip(*(rows[key] for key in CELL), strict=True), areas[str(unit_type)])
        by_indicator = {str(name): part for name, part in rows.groupby("indicator", sort=True)}
        own = [] if statistic == "total" else list(links.get(str(unit_type), ()))
        for members, between in linked(list(by_indicator), own):
            tables = [
                Table.of(by_indicator[member], known, f"{unit_type}, {member}, {statistic}")
                for member in members
            ]
            found.append(Family.of(str(unit_type), known, tables, between, rules))
    return found


def _masked(task: tuple[Family, float]) -> tuple[pd.DataFrame, dict]:
    """Status and reason of every cell of a family, and what its mask costs."""
    family, step = task
    targets = family.targets()
    found = search(family.system, targets, family.start, family.cost)
    corrected = np.flatnonzero(family.stacked("correction"))
    shown = {target.column for target in found.hopeless} & set(map(int, corrected))
    if not shown and (nearer := family.within_reach(found.hopeless)):
        hopeless = set(found.hopeless)
        hopeful = [target for target in targets if target not in hopeless]
        found = search(family.system, [*hopeful, *nearer], family.start, family.cost)
    shares = family.tables[0].statistic == "share"
    closed = with_more_counts(family, found, step) if shares else found.closed
    if shown:  # no mask hides the correction: nothing new of the family is published
        closed = family.stacked("respondents") > 0
    closed = closed | family.filtered(closed)
    return _verdicts(family, found, closed), {
        "unit_type": family.unit_type,
        "statistic": family.tables[0].statistic,
        "members": " ".join(table.indicator for table in family.tables[: family.published]),
        "sensitive": int((family.start & family.sensitive).sum()),
        "secondary": int((closed & ~family.start).sum()),
        "loss": round(found.loss, 6),
        "bound": round(found.bound, 6),
    }


def _verdicts(family: Family, found: Mask, closed: np.ndarray) -> pd.DataFrame:
    cells, size = family.layout.cells, len(family.layout.cells)
    status, answered = family.stacked("status"), family.stacked("respondents") > 0
    corrected, before = family.stacked("held_back"), family.stacked("closed")
    published = family.stacked("published")
    rows = []
    for column in map(int, np.flatnonzero(answered[: family.published * size])):
        table, cell = family.tables[column // size], cells[column % size]
        state, reason = str(status[column]), ""
        if not closed[column]:
            reason = IMPLIED if state != "V" else ""
            state = "V"
        elif state == "V":
            state = "D"
            why = found.protects.get(column)
            if before[column]:
                reason = EARLIER
            elif corrected[column] or (published[column] and why is None):
                reason = HELD_BACK
            elif why is None:
                reason = FILTERED if family.filtered(closed)[column] else COUNTS
            else:
                protected = family.tables[why // size].indicator
                other = "" if protected == table.indicator else f" of {protected}"
                reason = f"protects {label(cells[why % size])}{other}"
        rows.append((family.unit_type, table.indicator, table.statistic, *cell, state, reason))
    return pd.DataFrame(rows, columns=[*KEYS, "status", "reason"])


def _steady(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells with their sums to ten significant digits.

    Sums taken in another order, or by another processor, differ in their last bits; among masks of equal
    loss those bits would choose. The mask must depend on the answers alone.
    """
    sums = ["weighted_units", "numerator", "denominator", "largest", "largest_weighted"]
    return cells.assign(**{name: _to_digits(cells[name].to_numpy(float)) for name in sums})


def _to_digits(values: np.ndarray, digits: int = 10) -> np.ndarray:
    """Values to so many significant digits."""
    with np.errstate(divide="ignore"):
        places = digits - 1 - np.floor(np.log10(np.abs(values)))
    scale = 10.0 ** np.where(np.isfinite(places), places, 0.0)
    return np.round(values * scale) / scale
