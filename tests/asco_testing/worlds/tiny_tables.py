"""Small tables by hand, whether a mask of one is safe, and whether a cheaper one is.

No test is here; the cases are named after what they show.
"""

import itertools

import numpy as np

from asco_dagster.methods.disclosure.areas import Areas, layout
from asco_dagster.methods.disclosure.attack import attack
from asco_dagster.methods.disclosure.family import Family, Table
from asco_dagster.methods.disclosure.primary import primary
from asco_dagster.methods.disclosure.protect import protect, released
from asco_dagster.methods.disclosure.rules import CELL, DisclosureRules
from asco_testing.worlds.true_size_respondents import table

RULES = DisclosureRules()
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
    if name == "group":  # four respondents, all yes
        yes = np.array([[100.0, 55.0, 20.0], [70.0, 30.0, 45.0], [65.0, 25.0, 50.0]])
        return table(yes, counts((3, 3), (0, 0), value=4.0), statistic="share"), {}
    if name == "share_hierarchy":  # a département that all say yes in, and a class of its région
        yes, units = np.array([[60.0, 45.0], [50.0, 70.0], [35.0, 65.0]]), np.full((3, 2), 100.0)
        respondents = counts((3, 2), (0, 1))
        parts = departements(yes, respondents, units, 0, [(0.3, 2), (0.3, 25), (0.4, 0)])
        return table(yes, respondents, units, parts, statistic="share"), {"00": "r0", "01": "r0", "02": "r0"}
    raise ValueError(name)


CASES = [
    "fellegi_square", "two_in_a_row", "diagonal", "three_diagonal", "already_safe", "small_partner",
    "one_row", "hierarchy", "hierarchy_pair", "linked", "only_departement", "singletons_square",
    "singleton_beside", "published", "dominance", "share", "group", "share_hierarchy",
]  # fmt: skip


def areas_of(regions, groups=()):
    """The public geography of a case, for both types of unit."""
    return dict.fromkeys(("commune", "epci"), Areas(regions, groups))


def protected(name):
    """A case by its name: its primary cells, its areas and what the suppression came to."""
    cells, regions = case(name)
    judged, areas = primary(cells, RULES), areas_of(regions)
    return judged, areas, protect(judged, areas, RULES)


def attacked(cells, areas, **more):
    """What the attack finds in cells as ``protect`` gives them, with the truth at hand."""
    return attack(released(cells), areas, RULES, truth=cells, **more)


def cheaper(judged, areas, loss):
    """A set of further cells that costs less than ``loss`` and with which the attack finds nothing, or None.

    All sets are tried; what a cell costs is taken from the suppression, what is safe from the attack.
    """
    known = layout(zip(*(judged[key] for key in CELL), strict=True), areas["commune"])
    family = Family.of("commune", known, [Table.of(judged, known, "case")], [], RULES)
    price = dict(zip(known.cells, family.cost, strict=True))
    start = family.start.copy()
    free = sorted((cell for cell in known.cells if price[cell] < loss), key=price.__getitem__)
    free = [cell for cell in free if not start[known.index()[cell]]]
    for size in range(len(free) + 1):
        for chosen in itertools.combinations(free, size):
            if sum(price[cell] for cell in chosen) < loss * (1 - 1e-6) and not _single_hole(
                known, start, chosen
            ):
                trial = judged.copy()
                hidden = [cell in chosen for cell in zip(*(trial[key] for key in CELL), strict=True)]
                trial.loc[hidden, "status"] = "D"
                if attacked(trial, areas).breaches().empty:
                    return chosen
    return None


def _single_hole(known, start, chosen):
    """Whether a sum has a single hole, so that the attack need not be tried."""
    closed = start.copy()
    closed[[known.index()[cell] for cell in chosen]] = True
    return bool((((known.matrix != 0) & closed).sum(axis=1) == 1).any())
