"""Unit non-response: response-homogeneity groups and the weights that compensate for silent units.

Missing answers to single questions are edited and imputed elsewhere (``imputation``).
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from asco_dagster.errors import EstimationError

LOG_COLUMNS = ["step", "group", "merged_into", "rule", "respondents", "adjustment"]


class ResponseGroups(NamedTuple):
    """Group of each sampled unit, and how the groups came to be.

    Attributes:
        groups: group code of each unit, aligned with the sample; the code is that of its first stratum.
        log: one row per merge: ``step``, ``group``, ``merged_into``, ``rule`` (``departement``, ``region`` or
            ``france``; ``complete`` as a last resort), and the ``respondents`` and ``adjustment`` that made
            the merge necessary.
    """

    groups: pd.Series
    log: pd.DataFrame


@dataclass
class _Group:
    """A growing set of strata with what the rule looks at."""

    code: str
    respondents: int
    sampled_weight: float
    resolved_weight: float
    whole: bool  # every unit of the frame is in the sample
    complete: bool  # … and every one is resolved
    cells: set[tuple[str, str, int]] = field(default_factory=set)  # région, département, rank of size class
    strata: list[str] = field(default_factory=list)

    @property
    def adjustment(self) -> float:
        """What non-response multiplies the design weights by; infinite when nobody answered."""
        return self.sampled_weight / self.resolved_weight if self.resolved_weight > 0 else float("inf")


def response_groups(
    sample: pd.DataFrame, *, minimum_respondents: int, maximum_adjustment: float
) -> ResponseGroups:
    """Group strata so that each group has enough respondents to stand for its silent units.

    The rule. Every stratum starts as a group. A group is too weak when it has fewer than
    ``minimum_respondents`` respondents in scope, or when its adjustment exceeds ``maximum_adjustment``. A
    group of units taken with certainty that are all resolved is complete: it is never weak, and no other
    merges with it, since its units represent themselves and nobody else. As long as a group is weak, the
    weakest one (fewest respondents, then first code) merges with one other, of its own kind (taken whole, or
    sampled) where there is one:

    1. ``departement``, for sampled groups: a group of the same département that holds the neighbouring size
       class (the nearest one present in the département);
    2. ``region``: else a group of the same région that holds one of its size classes;
    3. ``france``: else any group that holds one of its size classes;
    4. else the same three rules over groups of the other kind;
    5. ``complete``: else, where a size class has no other group left, a complete one by the same rules.

    Groups taken whole do not merge across size classes: what a silent town of 10,000 inhabitants does is not
    what a small one does, and its weight would be a small one's.

    Among several candidates the one with the fewest respondents is taken, then the first code.

    Args:
        sample: sampled units with ``stratum``, ``region_code``, ``departement_code``, ``size_class``
            (ordered by its code), ``design_weight``, ``responded`` (boolean) and optionally ``out_of_scope``
            (boolean: known not to belong to the population; then ``responded`` is not looked at).
        minimum_respondents: least number of respondents in a group.
        maximum_adjustment: largest factor by which non-response may multiply a design weight.

    Returns:
        The groups and the log of merges.

    Raises:
        EstimationError: a weak group is left that nothing can be merged with.

    Source: Särndal, Swensson & Wretman, *Model Assisted Survey Sampling* (1992), section 15.6; Haziza &
    Beaumont, "Construction of weights in surveys" (2017) on the size of weighting cells.
    """
    groups = _initial_groups(sample)
    steps: list[tuple[object, ...]] = []
    while weak := _weakest(groups, minimum_respondents, maximum_adjustment):
        partner, rule = _partner(weak, groups)
        target, absorbed = sorted((weak, partner), key=lambda group: group.code)
        steps.append((len(steps) + 1, weak.code, partner.code, rule, weak.respondents, weak.adjustment))
        _absorb(target, absorbed)
        del groups[absorbed.code]
    code = {stratum: group.code for group in groups.values() for stratum in group.strata}
    return ResponseGroups(
        sample["stratum"].astype(str).map(code).rename("response_group"),
        pd.DataFrame(steps, columns=LOG_COLUMNS),
    )


def nonresponse_weights(sample: pd.DataFrame, groups: pd.Series) -> pd.Series:
    """Design weights multiplied, in each group, by what was sampled over what is resolved.

    ``w_i = d_i · Σ_group d / Σ_resolved in group d``. Resolved units are respondents and units found out of
    scope: a silent unit is taken to be out of scope as often as the resolved ones of its group. Out-of-scope
    units therefore carry a weight here, which the caller leaves out of the estimates.

    Args:
        sample: as for :func:`response_groups`.
        groups: group of each unit, aligned with ``sample``.

    Returns:
        The weight of each unit, aligned with ``sample``; 0 for a unit that did not answer. Over each group
        it sums to the sampled design weights.

    Raises:
        EstimationError: a group has no resolved unit.

    Source: Särndal, Swensson & Wretman (1992), equation 15.6.6.
    """
    weight = sample["design_weight"].astype(float)
    resolved = _resolved(sample)
    sampled_total = weight.groupby(groups).transform("sum")
    resolved_total = weight.where(resolved, 0.0).groupby(groups).transform("sum")
    empty = groups[resolved_total <= 0]
    if len(empty):
        raise EstimationError(
            f"response group {empty.iloc[0]} has no respondent",
            expected="at least one a group",
            remedy="Collapse the groups with response_groups first",
        )
    return (weight * sampled_total / resolved_total).where(resolved, 0.0).rename("nonresponse_weight")


def _out_of_scope(sample: pd.DataFrame) -> pd.Series:
    """Whether each unit was found not to belong to the population."""
    if "out_of_scope" in sample:
        return sample["out_of_scope"].astype(bool)
    return pd.Series(False, index=sample.index)


def _resolved(sample: pd.DataFrame) -> pd.Series:
    """Whether it is known of each unit what it answers or that it need not answer."""
    return sample["responded"].astype(bool) | _out_of_scope(sample)


def _initial_groups(sample: pd.DataFrame) -> dict[str, _Group]:
    """One group a stratum."""
    ranks = {size: rank for rank, size in enumerate(sorted(sample["size_class"].unique()))}
    table = sample.assign(
        in_scope=sample["responded"].astype(bool) & ~_out_of_scope(sample),
        resolved=_resolved(sample),
        resolved_weight=sample["design_weight"].where(_resolved(sample), 0.0),
        rank=sample["size_class"].map(ranks),
    )
    groups = {}
    for stratum, units in table.groupby("stratum", sort=True):
        whole = bool(np.allclose(units["design_weight"], 1.0))
        cells = set(zip(units["region_code"], units["departement_code"], units["rank"], strict=True))
        groups[str(stratum)] = _Group(
            str(stratum),
            int(units["in_scope"].sum()),
            float(units["design_weight"].sum()),
            float(units["resolved_weight"].sum()),
            whole,
            whole and bool(units["resolved"].all()),
            cells,
            [str(stratum)],
        )
    return groups


def _weakest(groups: dict[str, _Group], minimum: int, maximum: float) -> _Group | None:
    """The weak group to be merged next, if any."""
    weak = [
        group
        for group in groups.values()
        # A hair of tolerance: 1/(1/3) must pass a maximum of 3.
        if not group.complete and (group.respondents < minimum or group.adjustment > maximum * (1 + 1e-12))
    ]
    return min(weak, key=lambda group: (group.respondents, group.code), default=None)


def _partner(weak: _Group, groups: dict[str, _Group]) -> tuple[_Group, str]:
    """The group that a weak one merges with, and by which rule."""
    others = [group for group in groups.values() if group is not weak]
    open_ = [group for group in others if not group.complete]
    kin = [group for group in open_ if group.whole == weak.whole]
    found = (
        _by_rule(weak, kin, across_classes=not weak.whole)
        or _by_rule(weak, open_, across_classes=True)
        or _by_rule(weak, others, across_classes=True)
    )
    if found:
        partner, rule = found
        return partner, "complete" if partner.complete else rule
    raise EstimationError(
        f"response group {weak.code} has {weak.respondents} respondents and an adjustment of "
        f"{weak.adjustment:.3g}, and no group of its size class is left to merge it with",
        remedy="Lower the minimum of respondents, raise the largest adjustment, or wait for more answers",
    )


def _by_rule(weak: _Group, others: list[_Group], *, across_classes: bool) -> tuple[_Group, str] | None:
    """The first of the three rules that finds a group, and the group."""
    near = [(distance, group) for group in others if (distance := _distance(weak, group)) is not None]
    if near and across_classes:
        nearest = min(distance for distance, _ in near)
        return _smallest([group for distance, group in near if distance == nearest]), "departement"
    by_region = {(region, rank) for region, _, rank in weak.cells}
    regional = [g for g in others if by_region & {(region, rank) for region, _, rank in g.cells}]
    if regional:
        return _smallest(regional), "region"
    by_class = {rank for _, _, rank in weak.cells}
    national = [g for g in others if by_class & {rank for _, _, rank in g.cells}]
    return (_smallest(national), "france") if national else None


def _distance(one: _Group, other: _Group) -> int | None:
    """How many size classes lie between two groups in a département they share; none when they share none."""
    gaps = [abs(a[2] - b[2]) for a in one.cells for b in other.cells if a[:2] == b[:2]]
    return min(gaps, default=None)


def _smallest(groups: list[_Group]) -> _Group:
    """The candidate with the fewest respondents, then the first code."""
    return min(groups, key=lambda group: (group.respondents, group.code))


def _absorb(target: _Group, absorbed: _Group) -> None:
    """Add one group to another."""
    target.respondents += absorbed.respondents
    target.sampled_weight += absorbed.sampled_weight
    target.resolved_weight += absorbed.resolved_weight
    target.whole = target.whole and absorbed.whole
    target.complete = target.complete and absorbed.complete
    target.cells |= absorbed.cells
    target.strata += absorbed.strata
