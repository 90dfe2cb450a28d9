"""Disclosure control of the released tables: primary rules, secondary suppression, attack.

Pure functions on frames, in the order of their use: ``contributions`` (what each cell is made of),
``primary`` (A and B), ``protect`` (D, over all linked tables at once), ``released`` (what may be published)
and ``attack`` (what an intruder can infer from it). Reading, writing and gating are the pipeline's matter.
"""

from asco_dagster.methods.disclosure.attack import Attack, attack
from asco_dagster.methods.disclosure.contributions import contributions
from asco_dagster.methods.disclosure.primary import primary
from asco_dagster.methods.disclosure.protect import protect, released
from asco_dagster.methods.disclosure.rules import AdditiveSet, DisclosureRules

__all__ = [
    "AdditiveSet",
    "Attack",
    "DisclosureRules",
    "attack",
    "contributions",
    "primary",
    "protect",
    "released",
]
