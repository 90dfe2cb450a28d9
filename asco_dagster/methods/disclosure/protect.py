"""The whole suppression of a wave: primary statuses in, statuses over all linked tables out.

One mask covers every statistic of an indicator (and of its family), so that a share cannot give away a total
of the same cell. Frequency cells are the same under all indicators that the same respondents answered: they
are protected once, on the counts, and every indicator adds to that mask what its own values require; thus
counts repeated under other indicators give nothing away. The programme itself stands in ``secondary``.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from asco_dagster.errors import DisclosureError
from asco_dagster.methods.disclosure.masking import Base, Family, Unit
from asco_dagster.methods.disclosure.rules import CELL, KEYS, NUMBERS, AdditiveSet, DisclosureRules
from asco_dagster.methods.disclosure.spread import Each, spread
from asco_dagster.methods.disclosure.tables import families, layout


def protect(
    cells: pd.DataFrame,
    regions: Mapping[str, str],
    rules: DisclosureRules,
    *,
    together: Sequence[Sequence[str]] | Mapping[str, Sequence[Sequence[str]]] = (),
    sets: Sequence[AdditiveSet] = (),
    closed: pd.DataFrame | None = None,
    public: pd.DataFrame | None = None,
    workers: int = 1,
) -> pd.DataFrame:
    """Add the secondary cells: status ``D`` wherever a sensitive cell could otherwise be recomputed.

    Args:
        cells: result of ``primary``.
        regions: département code → région code.
        rules: of the wave.
        together: indicators that share a mask (a yes/no question and the amount asked if yes); for all types
            of unit, or by type.
        sets: indicators that add up in every cell; they share a mask and are solved as one programme.
        closed: cells (``unit_type``, ``indicator``, geography, area_code, size_class) suppressed in an
            earlier release of the wave: they stay closed, and those that its ``status`` calls A or B (all,
            without that column) stay protected as sensitive cells.
        public: cells (same columns) whose value an earlier release made public: closing them hides nothing
            any more, so they protect others only where nothing else can.
        workers: processes; the result does not depend on it.

    Returns:
        The frame in the order it came with ``status`` ``V``/``A``/``B``/``D`` and ``reason`` completed. All
        statistics of a cell are suppressed together: where one is A or B, another that no rule hits is D.

    Raises:
        DisclosureError: a cell cannot be protected, totals do not add up, or a value is negative.
    """
    ordered = _steady(cells.sort_values(list(KEYS)))
    tasks = [
        (
            Unit(str(unit_type), layout(_cells(rows), regions), rows, rules),
            together.get(str(unit_type), ()) if isinstance(together, Mapping) else together,
            sets,
            closed,
            public,
        )
        for unit_type, rows in ordered.groupby("unit_type", sort=True)
    ]
    with spread(workers) as each:
        jobs = [family for families_of_unit in each(_bases, tasks) for family in families_of_unit]
        found = each(_family, jobs)
        again = list(range(len(jobs)))
        while again := _pool_counts(jobs, found, again, each):
            for number, renewed in zip(again, each(_family, [jobs[n] for n in again]), strict=True):
                found[number] = renewed
    return _with_status(cells, pd.concat([verdicts for verdicts, _, _ in found], ignore_index=True))


def released(cells: pd.DataFrame) -> pd.DataFrame:
    """What may be published: every number of a suppressed cell empty, auxiliary columns and reasons gone.

    Args:
        cells: result of ``protect``.

    Returns:
        ``KEYS``, the numbers (nullable where suppressed) and ``status``, sorted by ``KEYS``.
    """
    numbers = [name for name in NUMBERS if name in cells.columns]
    public = cells[[*KEYS, *numbers, "status"]].sort_values(list(KEYS), ignore_index=True)
    for name in numbers:
        public[name] = public[name].astype("Float64").mask(public["status"] != "V", pd.NA)
    return public


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


def _cells(rows: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Cell keys of the rows."""
    return list(zip(*(rows[key] for key in CELL), strict=True))


def _bases(task: tuple) -> list[Family]:
    """Masks of one unit type's counts, and the families that start from them."""
    unit, together, sets, closed, public = task
    groups = families(unit.rows["indicator"], together, sets)
    return unit.families(groups, sets, closed, public)


def _family(family: Family) -> tuple[pd.DataFrame, np.ndarray, dict[int, int]]:
    """Verdicts of one family (unit_type, indicator, cell, ``by``: a reason), its mask, what protects what."""
    return family.verdicts()


def _pool_counts(
    jobs: Sequence[Family], found: Sequence[tuple], changed: Sequence[int], each: Each
) -> list[int]:
    """Families to protect again, because counts released under some give away counts closed under all.

    Indicators that the same respondents answered repeat the same counts: an intruder knows the count of
    every cell that any of them releases. What stays closed under all of them must hold by itself.
    """
    groups: dict[tuple[str, bytes], list[int]] = {}
    for number, family in enumerate(jobs):
        for signature in sorted(family.signatures()):
            groups.setdefault((family.unit.unit_type, signature), []).append(number)
    groups = {own: numbers for own, numbers in groups.items() if not set(changed).isdisjoint(numbers)}
    closed = [np.logical_and.reduce([found[number][1] for number in numbers]) for numbers in groups.values()]
    tasks = [
        (jobs[numbers[0]].counting(), np.frombuffer(signature).reshape(2, -1), common)
        for ((_, signature), numbers), common in zip(groups.items(), closed, strict=True)
    ]
    again: set[int] = set()
    for numbers, common, wider in zip(groups.values(), closed, each(_pooled, tasks), strict=True):
        if (wider.mask & ~common).any():
            for number in numbers:
                jobs[number].protects = {**found[number][2], **jobs[number].protects}
                jobs[number].adopt(wider)
            again |= set(numbers)
    return sorted(again)


def _pooled(task: tuple[Family, np.ndarray, np.ndarray]) -> Base:
    """The mask of one group of counts."""
    family, counts, common = task
    return family.pooled(counts, common)


def _with_status(cells: pd.DataFrame, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Write D and its reason into the rows that no primary rule hit."""
    on = ["unit_type", "indicator", *CELL]
    merged = cells[on].merge(verdicts, on=on, how="left", validate="many_to_one")
    why = merged["by"].to_numpy()
    hit = merged["by"].notna().to_numpy() & (cells["status"] == "V").to_numpy()
    done = cells.copy()
    done.loc[hit, "status"] = "D"
    done.loc[hit, "reason"] = why[hit]
    open_again = (done["status"] != "V").to_numpy() & merged["by"].isna().to_numpy()
    if open_again.any():
        raise DisclosureError(
            f"{int(open_again.sum())} sensitive cells are missing from the mask",
            expected="a mask that covers every primary cell",
        )
    return done.assign(status=np.asarray(done["status"], dtype=object))
