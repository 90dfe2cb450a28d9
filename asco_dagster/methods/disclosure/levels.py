"""The rules as numbers: how far each sensitive cell must be able to move in each table, and what it costs.

Protection levels, room within the a priori bounds, and the loss of information. Which cells are sensitive was
decided in ``primary``; the search for a mask stands in ``secondary``.
"""

import numpy as np
import pandas as pd

from asco_dagster.errors import DisclosureError
from asco_dagster.methods.disclosure.linear import AlternativeTables
from asco_dagster.methods.disclosure.rules import TOTAL, DisclosureRules
from asco_dagster.methods.disclosure.secondary import Table, Target
from asco_dagster.methods.disclosure.tables import Layout, column, demand_additive, label


def count_tables(
    title: str,
    layout: Layout,
    rules: DisclosureRules,
    system: AlternativeTables,
    counts: np.ndarray,
    sensitive: np.ndarray,
) -> list[Table]:
    """Respondents and weighted units as tables of their own; counts have no upper bound.

    Args:
        title: unit type and indicator, for messages.
        layout: cells and relations.
        rules: of the wave.
        system: the relations' programme.
        counts: respondents and weighted units, shape (2, cells).
        sensitive: cells that frequency makes primary, shape (cells,).

    Returns:
        Two tables: respondents must move by 1, weighted units by ``protection``.
    """
    made = []
    for name, values, level, least in (
        ("respondents", counts[0], np.ones_like(counts[0]), np.ones_like(counts[0])),
        ("weighted_units", counts[1], rules.protection * counts[1], rules.secondary_protection * counts[1]),
    ):
        demand_additive(system.matrix, values, layout.cells, f"{title}, {name}")
        up = np.where(values > 0, np.inf, 0.0)
        wanted = targets(sensitive, level, level, up, values)
        made.append(Table(f"{title}, {name}", system, up, values, wanted, least * (values > 0)))
    return made


def room_and_levels(
    title: str, layout: Layout, rules: DisclosureRules, rows: pd.DataFrame, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Room above and below, both protection levels, least secondary move and size of each cell of a table.

    The first level is the one wished for, the second the one that every cell keeps; they differ for the share
    of a sole respondent. Shares move between 0 and their denominator, which the intruder is taken to know;
    their level is in points of it. Totals move upwards without bound; their level is a part of the value, of
    the mean amount where the value is 0, and for dominance what hides the largest contributor:
    ``largest / dominance − value`` (τ-Argus manual, protection of the (n, k) rule).

    Args:
        title: unit type, indicator and statistic.
        layout: cells and relations.
        rules: of the wave.
        rows: the table's rows: cell, ``statistic``, ``status``, ``numerator``, ``denominator``, ``largest``.
        counts: respondents and weighted units, shape (2, cells).

    Returns:
        Six arrays of shape (cells,).

    Raises:
        DisclosureError: totals do not add up, a value is negative, a share exceeds 100 %.
    """
    order = layout.index()
    values, bounds = column(rows, "numerator", order), column(rows, "denominator", order)
    demand_additive(layout.matrix, values, layout.cells, title)
    if (rows["statistic"] == "total").all():
        up = np.where(counts[0] > 0, np.inf, 0.0)
        mean = values.max(initial=0.0) / max(counts[1].max(initial=0.0), 1.0) or 1.0
        size = np.where(values > 0, values, counts[1] * mean)
        hit = column(rows.assign(hit=(rows["status"] == "B").astype(float)), "hit", order)
        dominated = hit * (column(rows, "largest", order) / rules.dominance - values)
        level = np.maximum(rules.protection * size, dominated)
        return up, values, level, level, rules.secondary_protection * size, size
    demand_additive(layout.matrix, bounds, layout.cells, f"{title}, denominator")
    if (values > bounds * (1 + 1e-9)).any():
        worst = label(layout.cells[int(np.argmax(values - bounds))])
        raise DisclosureError(f"{title}: the share of {worst} is above 100 %", expected="0 to 100 %")
    values = np.minimum(values, bounds)
    level = np.where(counts[0] == 1, rules.sole_protection, rules.protection) * bounds
    kept = level if rules.sole_over_france else np.minimum(level, rules.protection * bounds)
    return bounds - values, values, level, kept, rules.secondary_protection * bounds, bounds


def targets(
    sensitive: np.ndarray, level: np.ndarray, kept: np.ndarray, up: np.ndarray, down: np.ndarray
) -> tuple[Target, ...]:
    """Moves up and down that each sensitive column must be able to make, within its own room.

    ``level`` is wished for; ``kept`` is what remains of it where it would cost a spared cell.
    """
    made = []
    for number in map(int, np.flatnonzero(sensitive)):
        for sign, room in ((1, up[number]), (-1, down[number])):
            amount, least = (float(min(one[number], room)) for one in (level, kept))
            if amount > 1e-9 * level[number]:
                made.append(Target(number, sign, amount, least if least < amount else 0.0))
    return tuple(made)


def weights(rules: DisclosureRules, units: np.ndarray) -> np.ndarray:
    """Information lost with each cell; cells without respondents cannot serve at all."""
    # By cells: of masks with as many, the one with the smaller cells. By units: the power 3/4 closed fewer
    # cells and fewer units on a made-up wave than the root (which spends France's cells) or the units alone.
    cells = 1.0 + 0.01 * units / max(units.max(initial=0.0), 1.0)
    loss = units**0.75 if rules.information_loss == "units" else cells
    return np.where(units > 0, loss, np.inf)


def spared(rules: DisclosureRules, layout: Layout) -> list[np.ndarray]:
    """Cells that close only where no other mask protects: France's, and then France's over all sizes."""
    if rules.information_loss != "units":
        return []
    france = np.array([cell[0] == "france" for cell in layout.cells])
    return [france, france & np.array([cell[2] == TOTAL for cell in layout.cells])]
