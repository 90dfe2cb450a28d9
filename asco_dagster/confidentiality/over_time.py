"""The attack of one who kept the earlier releases of a wave, and what of it the new release is to blame for.

What the earlier releases tell by themselves cannot be unpublished: it is counted and logged. What only both
together tell closes the gate.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from asco_dagster.methods.disclosure import DisclosureRules, attack, released
from asco_dagster.methods.disclosure.earlier import with_earlier
from asco_dagster.methods.disclosure.rules import CELL

_NUMBER = ["unit_type", "statistic", *CELL, "quantity"]


@dataclass(frozen=True)
class OverTime:
    """What the versions together tell.

    Attributes:
        new: breaches that only the new release together with the earlier ones makes possible.
        told_before: numbers, suppressed now, that the earlier releases tell without the new one.
        filled: suppressed rows whose numbers an earlier release published.
        skipped: tables that could not be attacked.
    """

    new: pd.DataFrame
    told_before: int
    filled: int
    skipped: tuple[str, ...]

    def summary(self) -> dict[str, int]:
        """Counts for the log and the UI."""
        return {
            "numbers published before": self.filled,
            "told before, cannot be withdrawn": self.told_before,
            "breaches": len(self.new),
        }


def attack_over_time(
    cells: pd.DataFrame,
    known: pd.DataFrame,
    regions: Mapping[str, str],
    rules: DisclosureRules,
    steps: Mapping[str, float],
) -> OverTime:
    """Attack the new release with the numbers of the earlier ones that still hold.

    Args:
        cells: result of ``protect``.
        known: result of ``still_true``.
        regions: département code → région code.
        rules: of the wave.
        steps: rounding of the earlier numbers.
    """
    public = released(cells)
    together = with_earlier(public, known)
    filled = int((together["status"] != public["status"]).sum())
    if not filled:  # nothing beside the new release itself, which is attacked anyway
        return OverTime(attack(public.iloc[:0], regions, rules).cells, 0, 0, ())
    both = attack(together, regions, rules, steps=steps, truth=cells)
    before = attack(with_earlier(public, known, alone=True), regions, rules, steps=steps, truth=cells)
    old = before.breaches()[["indicator", *_NUMBER]].drop_duplicates()
    breaches = both.breaches().merge(old, on=["indicator", *_NUMBER], how="left", indicator="seen")
    new = breaches[breaches["seen"] == "left_only"].drop(columns="seen")
    return OverTime(new, len(breaches) - len(new), filled, (*both.skipped, *before.skipped))
