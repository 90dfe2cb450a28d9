"""The attack: what an intruder can infer about every suppressed cell from what is published.

The intruder uses the published numbers and what is public beside them: the sums of the geography, the logic
of the questionnaire (``links``), the rounding, the largest population of each cell. With ``truth`` the
intruder is given more: the denominators of suppressed cells, what earlier versions published and nobody
corrected since, and, one at a time, the answers of each sole respondent. Nothing of the suppression is
used. What is seen is in ``view``, the linear programmes in ``inference``, what an interval reveals in
``findings`` and ``insiders``.

Limits: the intruder is assumed not to know which units answered, nor their weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from asco_dagster.errors import DisclosureError
from asco_dagster.methods.disclosure.areas import Areas, label
from asco_dagster.methods.disclosure.findings import dismiss_implied, finding_of
from asco_dagster.methods.disclosure.inference import Inference
from asco_dagster.methods.disclosure.insiders import by_insiders, by_whole_numbers
from asco_dagster.methods.disclosure.links import Link
from asco_dagster.methods.disclosure.primary import saturated, undecided
from asco_dagster.methods.disclosure.rules import KEYS, DisclosureRules
from asco_dagster.methods.disclosure.spread import spread
from asco_dagster.methods.disclosure.view import EXTREME, System, systems


@dataclass(frozen=True)
class Attack:
    """Result of an attack.

    Args:
        cells: one row per number that is not published: ``KEYS``, ``status`` (as given), ``low`` and ``high``
            (of the estimate; ``high`` may be infinite), ``width``, ``exact`` (recovered), ``too_close``
            (a sensitive cell that cannot move as far as the rules require), ``answers`` (units whose answer
            is certain), ``by`` (``""``, ``anyone``, or the respondent of a cell).
        decided: one row per published number from which answers follow by itself (a share of population, a
            correction that was not held back): ``KEYS`` and ``answers``.
        systems: number of systems of tables attacked.
    """

    cells: pd.DataFrame
    decided: pd.DataFrame
    systems: int

    def breaches(self) -> pd.DataFrame:
        """Rows that must close the gate: sensitive cells within their protection, and certain answers."""
        return self.cells[self.cells["too_close"] | (self.cells["answers"] > 0)]

    def summary(self) -> dict[str, int]:
        """Counts for the log and the gate."""
        found = self.cells
        return {
            "systems": self.systems,
            "suppressed": len(found),
            "exact": int(found["exact"].sum()),
            "too_close": int(found["too_close"].sum()),
            "by_insider": int(found["by"].str.startswith("the respondent").sum()),
            "answers": int(found["answers"].sum()) + int(self.decided["answers"].sum()),
        }

    def require_safe(self) -> None:
        """Raise when anything was recovered.

        Raises:
            DisclosureError: names the first cells.
        """
        found = pd.concat([self.breaches(), self.decided.assign(by="anyone")], ignore_index=True)
        if len(found):
            names = [
                f"{row['unit_type']}, {row['indicator']}, {row['statistic']}, "
                f"{label((row['geography'], row['area_code'], row['size_class']))} (by {row['by']})"
                for row in found.head(5).to_dict("records")
            ]
            raise DisclosureError(
                f"{len(found)} numbers can be inferred or decide an answer: {'; '.join(names)}",
                expected="no sensitive cell within its protection interval, no answer of a unit certain",
                remedy="Release nothing; protect the tables again with all links between them",
            )


def attack(
    published: pd.DataFrame,
    areas: Mapping[str, Areas],
    rules: DisclosureRules,
    *,
    links: Mapping[str, Sequence[Link]] | None = None,
    steps: Mapping[str, float] | None = None,
    rounding: Mapping[str, float] | None = None,
    truth: pd.DataFrame | None = None,
    workers: int = 1,
) -> Attack:
    """Infer the interval of every number that is not published.

    Args:
        published: ``released`` of the cells: ``KEYS``, ``estimate``, ``denominator`` (null where suppressed)
            and ``status``; optionally ``as_of``, the earlier version whose number is shown: it is then no
            number of this version.
        areas: by unit type, the public geography.
        rules: for the protection interval.
        links: by unit type, what holds between its indicators.
        steps: rounding step of each statistic's estimates (``total``, or ``commune share`` where it differs
            by type of unit) and of ``denominator``; 0 where not given.
        rounding: by unit type, rounding step of its published shares where ``published`` is given unrounded:
            whole numbers of yes are distinguished by it. None tries no whole numbers.
        truth: ``cells`` of ``protect``: adds denominators, respondents, insiders, and what ``since`` says of
            earlier versions.
        workers: processes; the result does not depend on it.

    Raises:
        DisclosureError: the published values contradict each other.
    """
    if truth is not None:
        truth = undecided(truth, saturated(truth, rules) & _shown(published, truth))
    jobs = list(systems(published, areas, rules, links or {}, dict(steps or {}), truth))
    for job in jobs:
        job.rounding = (rounding or {}).get(job.unit_type)
    order = sorted(range(len(jobs)), key=lambda number: -len(jobs[number].low))
    with spread(workers) as each:
        found = dict(zip(order, each(_attacked, [jobs[number] for number in order]), strict=True))
    columns = [*KEYS, "status", "low", "high", "width", "exact", "too_close", "answers", "by"]
    rows = [row for number in range(len(jobs)) for row in found[number]]
    frame = pd.DataFrame(rows, columns=columns).astype({"exact": bool, "too_close": bool, "answers": int})
    return Attack(
        frame.sort_values(list(KEYS), ignore_index=True), _decided(published, steps, truth), len(jobs)
    )


def _attacked(system: System) -> list[tuple]:
    """One row per hidden column."""
    hidden = list(map(int, np.flatnonzero(system.hidden)))
    if not hidden:
        return []
    relations = system.relations()
    found = Inference(relations, system.low, system.high, float(system.values.max()))
    found.enclose(hidden)
    rows = {one: finding_of(system, one, found.low[one], found.high[one], found.tolerance) for one in hidden}
    if system.informed:
        dismiss_implied(system, relations, found, rows)
        by_insiders(system, relations, found, rows)
        if system.statistic == "share" and system.rounding is not None:
            by_whole_numbers(system, rows, system.rounding)
    return [
        (
            system.unit_type,
            system.members[one // len(system.layout.cells)],
            system.statistic,
            *system.layout.cells[one % len(system.layout.cells)],
            system.status[one],
            *row.values(),
        )
        for one, row in rows.items()
        # what follows from published answers is no finding unless it is sensitive itself
        if one < system.published * len(system.layout.cells) or row["too_close"] or row["answers"]
    ]


def _shown(published: pd.DataFrame, truth: pd.DataFrame) -> np.ndarray:
    """Rows of the truth whose number is published."""
    shown = pd.MultiIndex.from_frame(published.loc[published["status"] == "V", list(KEYS)])
    return np.asarray(pd.MultiIndex.from_frame(truth[list(KEYS)]).isin(shown))


def _decided(
    published: pd.DataFrame, steps: Mapping[str, float] | None, truth: pd.DataFrame | None
) -> pd.DataFrame:
    """Published numbers from which answers follow by themselves.

    A share of population may decide the answer of the largest unit; a number of this version beside that of
    an earlier one shows a correction, which is that of fewer units than the threshold.
    """
    columns = [*KEYS, "answers"]
    if truth is None:
        return pd.DataFrame(columns=columns).astype({"answers": int})
    shown = published[published["status"] == "V"]
    if "as_of" in shown.columns:
        shown = shown[shown["as_of"].fillna("").eq("").to_numpy()]
    rows = shown[list(KEYS)].merge(truth, on=list(KEYS), validate="one_to_one")
    rows = rows.assign(published=shown["estimate"].astype("Float64").to_numpy(float, na_value=np.nan))
    half = dict(steps or {}).get("population_share", 0.0) / 2
    found = [_by_population(rows[rows["statistic"] == "population_share"], half)]
    if "held_back" in rows.columns:
        visible = rows[rows["held_back"]]
        found.append(visible[list(KEYS)].assign(answers=visible["corrected"].to_numpy(int)))
    both = pd.concat(found).groupby(list(KEYS), sort=False)["answers"].max().reset_index()
    return both.astype({"answers": int})


def _by_population(rows: pd.DataFrame, half: float) -> pd.DataFrame:
    """Shares of population, published within ``half``, that decide the answer of the largest unit."""
    yes = (rows["published"] - half) * rows["denominator"] > rows["denominator"] - rows["largest"]
    no = (rows["published"] + half) * rows["denominator"] < rows["largest"]
    near = EXTREME * rows["denominator"].clip(lower=1.0)
    alike = (rows["numerator"] <= near) | (rows["numerator"] >= rows["denominator"] - near)
    return rows.loc[(yes | no) & ~alike, list(KEYS)].assign(answers=1)
