"""What an intruder sees of a system of linked tables: every number as an interval.

Shares and totals are turned into intervals of their numerators by the published rounding; what is
suppressed is bounded by its denominator, and denominators by the sums of the geography.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse  # type: ignore[import-untyped]

from asco_dagster.methods.disclosure.areas import Areas, Layout, column, layout
from asco_dagster.methods.disclosure.inference import Inference, Relations
from asco_dagster.methods.disclosure.links import Link, linked
from asco_dagster.methods.disclosure.rules import CELL, DisclosureRules

EXTREME = 1e-9  # relative: closer to 0 or to 100 % is 0 or 100 %
SHARES = ("share", "population_share")


@dataclass
class System:
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
        """The system in messages."""
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
            # Nothing times a denominator without a bound is nothing, not NaN.
            both = [
                link.constant * side if link.constant else np.zeros(cells)
                for side in (self.whole_low[base], self.whole_high[base])
            ]
            constant = np.maximum(*both)
            for member, coefficient in link.coefficients.items():
                weights[place[member]] = coefficient
                own = slice(place[member] * cells, (place[member] + 1) * cells)
                if coefficient < 0.0 and member != link.within:
                    more = np.maximum(self.whole_high[own] - self.whole_low[base], 0.0)
                    constant = constant - coefficient * more
            rows.append(sparse.kron(weights, sparse.identity(cells), format="csr"))
            low.append(-constant)
            high.append(-np.minimum(*both) if link.exact else np.full(cells, np.inf))
        return Relations(
            sparse.vstack(rows, format="csr"), np.concatenate(low), np.concatenate(high), self.name
        )


def systems(
    published: pd.DataFrame,
    areas: Mapping[str, Areas],
    rules: DisclosureRules,
    links: Mapping[str, Sequence[Link]],
    steps: Mapping[str, float],
    truth: pd.DataFrame | None,
) -> Iterator[System]:
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
            yield System(
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
    near = EXTREME * np.maximum(whole, 1.0)
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
