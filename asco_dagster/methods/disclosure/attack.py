"""The attack: what an intruder can infer about every suppressed cell from what is published.

Built from the published frame and the public hierarchy alone. With ``truth`` the intruder is given more:
the denominators of suppressed cells (the frame of communes and its population are public) and, one at a time,
the value of each cell with a single respondent, who knows the own answer. The linear programmes stand in
``inference``; nothing of the suppression is used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from asco_dagster.errors import DisclosureError
from asco_dagster.methods.disclosure.inference import Inference
from asco_dagster.methods.disclosure.published import Judge, Knowledge, Published
from asco_dagster.methods.disclosure.rules import CELL, STATISTICS, AdditiveSet, DisclosureRules
from asco_dagster.methods.disclosure.spread import spread
from asco_dagster.methods.disclosure.tables import Layout, layout, stacked
from asco_dagster.methods.disclosure.verdicts import Verdicts


@dataclass(frozen=True)
class Attack:
    """Result of an attack.

    Args:
        cells: one row per suppressed number: ``unit_type``, ``indicator``, ``statistic``, the cell,
            ``status``, ``quantity`` (``estimate``, ``respondents``, ``weighted_units``), ``low``,
            ``high``
            (in the quantity's unit; ``high`` may be infinite), ``width``, ``exact`` (recovered),
            ``within_protection`` (narrower than the rules demand; A and B only), ``one_answer_left`` (the
            yes or no of a sole respondent is certain to one who knows that there is only one; needs the
            truth), ``insider_low``, ``insider_high`` (NaN unless an insider gets too near), ``by`` (``""``,
            ``anyone``, the insider).
        skipped: tables that could not be attacked, with the reason.
        tables: number of tables attacked.
    """

    cells: pd.DataFrame
    skipped: tuple[str, ...]
    tables: int

    def breaches(self) -> pd.DataFrame:
        """Rows that must close the gate."""
        return self.cells[self.cells["by"] != ""]

    def summary(self) -> dict[str, int]:
        """Counts for the log and the gate."""
        found = self.cells
        return {
            "tables": self.tables,
            "skipped": len(self.skipped),
            "suppressed": len(found),
            "exact": int((found["exact"]).sum()),
            "within_protection": int(found["within_protection"].sum()),
            "by_insider": int(found["by"].str.startswith("the respondent").sum()),
            "one_answer_left": int(found["one_answer_left"].sum()),
            "breaches": len(self.breaches()),
        }

    def demand_safe(self) -> None:
        """Raise when anything was recovered or left unattacked.

        Raises:
            DisclosureError: names the first cells.
        """
        if self.skipped:
            raise DisclosureError(
                f"{len(self.skipped)} tables were not attacked, first {self.skipped[0]}",
                remedy="Give the attack the public denominators",
            )
        found = self.breaches()
        if len(found):
            names = [
                f"{row['unit_type']}, {row['indicator']}, {row['statistic'] or row['quantity']}, "
                f"{row['geography']} × {row['area_code']} × {row['size_class']} (by {row['by']})"
                for row in found.head(5).to_dict("records")
            ]
            raise DisclosureError(
                f"{len(found)} suppressed numbers can be inferred: {'; '.join(names)}",
                expected="no suppressed cell recomputed, none of A or B within its protection interval",
                remedy="Release nothing; protect the tables again with all links between them",
            )


def attack(
    published: pd.DataFrame,
    regions: Mapping[str, str],
    rules: DisclosureRules,
    *,
    steps: Mapping[str, float] | None = None,
    sets: Sequence[AdditiveSet] = (),
    truth: pd.DataFrame | None = None,
    workers: int = 1,
) -> Attack:
    """Infer the interval of every suppressed number.

    Args:
        published: ``released`` of the cells: ``KEYS``, ``estimate``, ``respondents``, ``weighted_units``
            (null where suppressed) and ``status``; optionally ``denominator``, public in every cell.
        regions: département code → région code (public).
        rules: for the protection interval.
        steps: rounding step of each published column (``share``, ``population_share``, ``total``,
            ``respondents``, ``weighted_units``); 0 where not given.
        sets: indicators that add up, known to the intruder.
        truth: result of ``protect``: adds the denominators and the insiders, see above.
        workers: processes; the result does not depend on it.

    Returns:
        The result; ``breaches()`` is empty when the release holds.

    Raises:
        DisclosureError: the published values contradict each other.
    """
    verdicts, skipped, tables = Verdicts(rules), [], 0
    alone: list[tuple[Knowledge, Layout, DisclosureRules]] = []
    joined: list[tuple[Published, Layout, list[str], list[AdditiveSet], str]] = []
    for unit_type, rows in published.groupby("unit_type", sort=True):
        cells = layout(zip(*(rows[key] for key in CELL), strict=True), regions)
        own = None if truth is None else truth[truth["unit_type"] == unit_type]
        known = Published(str(unit_type), cells, rows, dict(steps or {}), own)
        for group in known.count_groups():
            tables += _counts(known, group, verdicts)
        for statistic in STATISTICS:
            members = known.members(statistic)
            joint = [additive for additive in sets if set(additive.members()) <= set(members)]
            linked = sorted({member for additive in joint for member in additive.members()})
            for member in members:
                tables += 1
                knowledge = known.values(member, statistic)
                if knowledge is None:
                    skipped.append(f"{unit_type}, {member}, {statistic}: no public denominators")
                else:
                    alone.append((knowledge, cells, rules))
            if linked:
                tables += 1
                joined.append((known, cells, linked, joint, statistic))
    with spread(workers) as each:
        for found in each(_alone, alone):
            verdicts.rows.update(found)
    for task in joined:  # these narrow what the tables alone gave
        _joint(*task, verdicts)
    return Attack(verdicts.frame(), tuple(skipped), tables)


def _counts(known: Published, group: Sequence[str], verdicts: Verdicts) -> int:
    """Attack respondents and weighted units, pooled over indicators that the same respondents answered."""
    for quantity in ("respondents", "weighted_units"):
        values, error, status = known.counts(group, quantity)
        size = len(values)
        name = f"{known.unit_type}, {group[0]}, {quantity}"
        cells = known.layout
        found = Inference(
            cells.matrix, values, error, np.full(size, np.inf), np.zeros(len(cells.matrix)), name
        )
        verdicts.counts(known, group[0], quantity, found, status)
    return 2


def _alone(task: tuple[Knowledge, Layout, DisclosureRules]) -> dict[tuple, dict]:
    """Rows of the verdict on one table of values."""
    knowledge, cells, rules = task
    verdicts = Verdicts(rules)
    _values(knowledge, cells, verdicts, None)
    return verdicts.rows


def _values(knowledge: Knowledge, cells: Layout, verdicts: Verdicts, joint: Inference | None) -> None:
    """Attack the numerators of one table, its complements, and again with each insider's knowledge."""
    right = np.zeros(len(cells.matrix))
    upper = knowledge.upper()
    found = joint or Inference(
        cells.matrix, knowledge.numerator, knowledge.error, upper, right, knowledge.name
    )
    rest = None
    if knowledge.statistic != "total":
        complement = knowledge.denominator - knowledge.numerator
        rest = Inference(cells.matrix, complement, knowledge.error, upper, right, knowledge.name)
    verdicts.values(knowledge, found, rest)
    for insider in knowledge.insiders():
        fixed = np.full(len(upper), np.nan)
        fixed[insider] = knowledge.true_numerator[insider]
        verdicts.insider(knowledge, insider, found.given(fixed, knowledge.enough(insider, verdicts.rules)))


def _joint(
    known: Published,
    cells: Layout,
    linked: list[str],
    joint: Sequence[AdditiveSet],
    statistic: str,
    verdicts: Verdicts,
) -> None:
    """Attack the tables of additive sets as one, the sums over indicators included."""
    parts = [known.values(member, statistic) for member in linked]
    if any(part is None for part in parts):
        return  # each of them already stands among the skipped tables
    ready = [part for part in parts if part is not None]
    matrix = stacked(cells.matrix, linked, joint)
    right = np.zeros(len(matrix))
    keep = np.ones(len(matrix), dtype=bool)
    size, first = len(cells.cells), len(cells.matrix) * len(linked)
    for number, additive in enumerate(joint):
        if additive.total is None:
            block = slice(first + number * size, first + (number + 1) * size)
            whole = ready[linked.index(additive.parts[0])].denominator
            right[block] = -np.nan_to_num(whole)
            keep[block] = ~np.isnan(whole)  # where the denominator is unknown the sum says nothing
    values, error, upper = (
        np.concatenate([getter(part) for part in ready])
        for getter in (lambda p: p.numerator, lambda p: p.error, lambda p: p.upper())
    )
    name = f"{known.unit_type}, {' + '.join(linked)}, {statistic}"
    found = Inference(matrix[keep], values, error, upper, right[keep], name)
    for number, part in enumerate(ready):
        block = slice(number * size, (number + 1) * size)
        verdicts.linked(part, found.low[block], found.high[block])
    for insider in sorted({cell for part in ready for cell in part.insiders()}):
        fixed = np.full(len(values), np.nan)
        for number, part in enumerate(ready):
            fixed[number * size + insider] = part.true_numerator[insider]
        enough = _each_by_its_own([part.enough(insider, verdicts.rules) for part in ready], size)
        for column, interval in found.given(fixed, enough).items():
            verdicts.insider(ready[column // size], insider, {column % size: interval})


def _each_by_its_own(judges: Sequence[Judge], size: int) -> Judge:
    """One judge for tables side by side: each column goes to the judge of its table."""

    def judge(columns: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        alone = [slice(number, number + 1) for number in range(len(columns))]
        verdicts = [
            judges[column // size](np.array([column % size]), low[one], high[one])[0]
            for column, one in zip(columns, alone, strict=True)
        ]
        return np.array(verdicts, dtype=bool)

    return judge
