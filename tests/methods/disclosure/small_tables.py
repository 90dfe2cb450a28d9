"""Small tables by hand, their optimum by brute force, and whether a mask of one is safe.

No test stands here; the cases are named after what they show.
"""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
from made_up_wave import table

from asco_dagster.methods.disclosure import DisclosureRules, attack, released
from asco_dagster.methods.disclosure.inference import Inference
from asco_dagster.methods.disclosure.rules import CELL
from asco_dagster.methods.disclosure.tables import column, layout

RULES = DisclosureRules(information_loss="cells", group_threshold=0)
FIFTY = 50.0


def counts(shape, *low, value=2.0):
    """Fifty respondents everywhere, ``value`` in the cells listed."""
    made = np.full(shape, FIFTY)
    for cell in low:
        made[cell] = value
    return made


def grid(seed, rows, columns):
    """Values without zeros, of unequal size."""
    return np.round(np.random.default_rng(seed).lognormal(3.0, 0.8, (rows, columns)) + 5)


def departements(values, respondents, units, region, parts):
    """Départements of one région that add up to it: ``parts`` gives shares and respondents."""
    weights = np.array([part for part, _ in parts])
    counted = np.array([count for _, count in parts], float)
    counted[-1] = respondents[region].sum() - counted[:-1].sum()
    return {
        region: [
            (values[region].sum() * weight, count, units[region].sum() * weight)
            for weight, count in zip(weights / weights.sum(), counted, strict=True)
        ]
    }


def case(name):
    """Hand-made cases: (table, départements → région)."""
    if name == "fellegi_square":  # one sensitive cell in a square: a rectangle of four is optimal
        return table(np.full((3, 3), 20.0), counts((3, 3), (0, 0))), {}
    if name == "two_in_a_row":  # both of one row: two rectangles share a side, six cells... or four
        return table(grid(1, 3, 3), counts((3, 3), (0, 0), (0, 1))), {}
    if name == "diagonal":
        return table(grid(2, 3, 3), counts((3, 3), (0, 0), (1, 1))), {}
    if name == "three_diagonal":
        return table(grid(3, 3, 3), counts((3, 3), (0, 0), (1, 1), (2, 2))), {}
    if name == "already_safe":  # the corners of a rectangle protect one another
        return table(np.full((3, 3), 20.0), counts((3, 3), (0, 0), (0, 1), (1, 0), (1, 1))), {}
    if name == "small_partner":  # the neighbour is too small to hide the sensitive cell
        values = np.array([[100.0, 1.0, 80.0], [90.0, 70.0, 60.0], [50.0, 60.0, 70.0]])
        return table(values, counts((3, 3), (0, 0))), {}
    if name == "one_row":  # a single région: France repeats it, so both close
        return table(grid(4, 1, 4), counts((1, 4), (0, 0))), {}
    if name == "hierarchy":
        values, respondents, units = grid(5, 2, 3), counts((2, 3)), np.full((2, 3), 100.0)
        parts = departements(values, respondents, units, 0, [(0.2, 2), (0.3, 60), (0.5, 0)])
        return table(values, respondents, units, parts), {"00": "r0", "01": "r0", "02": "r0"}
    if name == "hierarchy_pair":  # the only sibling closes with it, and both hide each other
        values, respondents, units = grid(6, 2, 3), counts((2, 3)), np.full((2, 3), 100.0)
        parts = departements(values, respondents, units, 0, [(0.4, 2), (0.6, 0)])
        return table(values, respondents, units, parts), {"00": "r0", "01": "r0"}
    if name == "linked":  # a class cell and a département of the same région
        values, respondents, units = grid(7, 2, 3), counts((2, 3), (0, 1)), np.full((2, 3), 100.0)
        parts = departements(values, respondents, units, 0, [(0.2, 2), (0.3, 50), (0.5, 0)])
        return table(values, respondents, units, parts), {"00": "r0", "01": "r0", "02": "r0"}
    if name == "only_departement":  # overseas: the département is the région, class cells included
        values, respondents, units = grid(8, 3, 2), counts((3, 2), (0, 0), value=1.0), np.full((3, 2), 100.0)
        parts = departements(values, respondents, units, 0, [(1.0, 0)])
        return table(values, respondents, units, parts), {"00": "r0"}
    if name == "singletons_square":  # two sole respondents opposite each other in one rectangle
        return table(grid(9, 3, 3), counts((3, 3), (0, 0), (0, 1), (1, 0), (1, 1), value=1.0)), {}
    if name == "singleton_beside":  # a sole respondent and a sensitive cell share a row
        return table(grid(10, 3, 3), counts((3, 3), (0, 0), (0, 1), value=1.0)), {}
    if name == "published":  # Fischetti and Salazar (Management Science 47, 2001): one of nine is sensitive
        values = np.array([[20.0, 50.0, 10.0], [8.0, 19.0, 22.0], [17.0, 32.0, 12.0]])
        return table(values, counts((3, 3), (1, 2))), {}
    if name == "dominance":  # one commune gives 95 % of a magnitude
        made = table(grid(11, 3, 3), counts((3, 3)))
        own = (made["area_code"] == "r1") & (made["size_class"] == "c1")
        made.loc[own, "largest"] = made.loc[own, "numerator"] * 0.95
        return made, {}
    if name == "share":  # a share: it moves between 0 and 100 %, in points
        yes = np.array([[40.0, 55.0, 20.0], [70.0, 30.0, 45.0], [65.0, 25.0, 50.0]])
        return table(yes, counts((3, 3), (0, 0)), statistic="share"), {}
    if name == "group":  # four respondents, all yes: the group is told, not the one
        yes = np.array([[100.0, 55.0, 20.0], [70.0, 30.0, 45.0], [65.0, 25.0, 50.0]])
        return table(yes, counts((3, 3), (0, 0), value=4.0), statistic="share"), {}
    if name == "share_hierarchy":  # a département that all say yes in, and a class of its région
        yes, units = np.array([[60.0, 45.0], [50.0, 70.0], [35.0, 65.0]]), np.full((3, 2), 100.0)
        respondents = counts((3, 2), (0, 1))
        parts = departements(yes, respondents, units, 0, [(0.3, 2), (0.3, 25), (0.4, 0)])
        return table(yes, respondents, units, parts, statistic="share"), {"00": "r0", "01": "r0", "02": "r0"}
    if name == "two_statistics":  # a share and the amount behind it, under one mask
        yes = np.array([[40.0, 55.0, 20.0], [70.0, 30.0, 45.0], [65.0, 25.0, 50.0]])
        few = counts((3, 3), (0, 0), (1, 1))
        both = [table(yes, few, statistic="share"), table(yes * 7, few)]
        return pd.concat(both, ignore_index=True), {}
    raise ValueError(name)


CASES = [
    "fellegi_square", "two_in_a_row", "diagonal", "three_diagonal", "already_safe", "small_partner",
    "one_row", "hierarchy", "hierarchy_pair", "linked", "only_departement", "singletons_square",
    "singleton_beside", "published", "dominance", "share", "group", "share_hierarchy", "two_statistics",
]  # fmt: skip


def rules_of(name):
    """The rules of a case: group disclosure is a rule of its own case only."""
    return replace(RULES, group_threshold=5) if name == "group" else RULES


def safe(judged, regions, closed, rules=RULES):
    """Whether the attack finds nothing when ``closed`` cells are empty."""
    trial = judged.copy()
    hidden = [cell in closed for cell in zip(*(trial[key] for key in CELL), strict=True)]
    trial.loc[np.array(hidden) & (trial["status"] == "V").to_numpy(), "status"] = "D"
    found = attack(released(trial), regions, rules, truth=trial)
    return found.breaches().empty and far_enough(found.cells, trial, rules)


def far_enough(found, judged, rules):
    """Whether sensitive numbers reach their protection levels on both sides."""
    sensitive = found[found["status"] == "A"]
    values = sensitive[sensitive["quantity"] == "estimate"].merge(
        judged[[*CELL, "statistic", "estimate", "respondents"]], on=[*CELL, "statistic"]
    )
    for share, rows in values.groupby(values["statistic"] != "total"):
        sole = rules.sole_protection if share else rules.protection
        part = np.where(rows["respondents"] == 1, sole, rules.protection)
        most = 1.0 if share else np.inf
        if not _wide(rows, rows["estimate"], part * (1.0 if share else rows["estimate"]), most):
            return False
    few = judged.loc[judged["respondents"] < rules.threshold, [*CELL, "respondents", "weighted_units"]]
    counted = sensitive.merge(few.drop_duplicates(list(CELL)), on=list(CELL))
    for quantity, level in (("respondents", 1.0), ("weighted_units", None)):
        rows = counted[counted["quantity"] == quantity]
        if not _wide(rows, rows[quantity], level or rules.protection * rows[quantity], np.inf):
            return False
    return True


def _wide(rows, true, level, most):
    """Whether intervals reach a level on both sides of the truth, as far as 0 and the most that can be."""
    slack = 1e-6 * np.maximum(true, 1.0)
    below, above = np.maximum(true - level, 0.0), np.minimum(true + level, most)
    return bool(((rows["low"] <= below + slack) & (rows["high"] >= above - slack)).all())


def optimum(judged, regions, rules=RULES):
    """Fewest further cells with which the attack finds nothing, by trying all sets in order of size."""
    one = judged[judged["statistic"] == judged["statistic"].iloc[-1]]
    free = list(zip(*(one.loc[one["status"] == "V", key] for key in CELL), strict=True))
    relations = layout(zip(*(one[key] for key in CELL), strict=True), regions)
    totals = column(one, "numerator", relations.index())
    start = column(one.assign(hit=one["status"] != "V"), "hit", relations.index()) > 0
    for size in range(len(free) + 1):
        for chosen in itertools.combinations(free, size):
            if not hopeless(relations, totals, start, chosen) and safe(judged, regions, set(chosen), rules):
                return size
    raise AssertionError("no mask protects this table")


def hopeless(relations, totals, start, chosen):
    """Whether a relation has a single hole, so that the attack need not be tried."""
    closed = start.copy()
    closed[[relations.index()[cell] for cell in chosen]] = True
    if (((relations.matrix != 0) & closed).sum(axis=1) == 1).any():
        return True
    nothing, free = np.zeros(len(totals)), np.full(len(totals), np.inf)
    right = np.zeros(len(relations.matrix))
    found = Inference(relations.matrix, np.where(closed, np.nan, totals), nothing, free, right, "X")
    return bool((found.high[start] <= found.low[start] + 1e-6 * totals[start]).any())
