"""What the intruder knows: the released frame as tables with holes, and what the truth adds to it.

Nothing is inferred here: the arithmetic stands in ``inference``, the judgement in ``verdicts``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from asco_dagster.methods.disclosure.inference import Inference
from asco_dagster.methods.disclosure.rules import CELL, STATISTICS, DisclosureRules
from asco_dagster.methods.disclosure.tables import Layout, column, inside, kin

NEAR = 1e-6  # relative: intervals narrower than this are points
_COUNTS = ("respondents", "weighted_units")
Judge = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass
class Knowledge:
    """One table of values as the intruder sees it; arrays have one entry per cell, NaN where unknown."""

    name: str
    unit_type: str
    indicator: str
    statistic: str
    layout: Layout
    numerator: np.ndarray
    error: np.ndarray
    denominator: np.ndarray
    bound: np.ndarray
    status: np.ndarray
    step: float
    respondents: np.ndarray
    true_numerator: np.ndarray
    largest: np.ndarray
    kin: np.ndarray
    inside: np.ndarray

    def upper(self) -> np.ndarray:
        """A priori upper bounds: the denominator, or the most that it can be where it is not known."""
        if self.statistic == "total":
            return np.full(len(self.numerator), np.inf)
        return self.bound

    def insiders(self) -> list[int]:
        """Suppressed cells with a single respondent (known only with the truth)."""
        return [int(c) for c in np.flatnonzero((self.respondents == 1) & np.isnan(self.numerator))]

    def least(
        self, columns: np.ndarray, high: np.ndarray, rules: DisclosureRules, insider: int
    ) -> np.ndarray:
        """Least width of the interval of a numerator: in points of the denominator, else relative.

        Of a cell that holds the insider only the rest counts, which is what the insider does not know.
        """
        known = self.inside[columns, insider]
        if self.statistic == "total":
            return rules.protection * (high - known * self.true_numerator[insider])
        whole = self.denominator[columns] - known * np.nan_to_num(self.denominator[insider])
        return np.where(np.isnan(whole), NEAR * np.maximum(high, 1.0), rules.protection * whole)

    def enough(self, insider: int, rules: DisclosureRules) -> Judge:
        """Whether intervals are wide enough; only sensitive cells of other respondents are judged."""
        exempt = (self.kin == self.kin[insider]) | ~np.isin(self.status, ["A", "B"])

        def judge(columns: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
            wide = (high - low) >= self.least(columns, high, rules, insider) * (1 - 1e-5) - self.step
            # A rest that is nothing in every table leaves nothing to tell.
            wide &= (high - low) > NEAR * np.maximum(np.abs(high), 1e-9)
            return wide | exempt[columns] | np.isinf(high)

        return judge


@dataclass
class Published:
    """The released frame of one unit type, and what the truth adds to it."""

    unit_type: str
    layout: Layout
    rows: pd.DataFrame
    steps: Mapping[str, float]
    truth: pd.DataFrame | None

    def __post_init__(self) -> None:
        """Index the cells; cells without any row have no respondent and are 0."""
        self.order = self.layout.index()
        self.by_table = _by_table(self.rows)
        self.true_by = {} if self.truth is None else _by_table(self.truth)
        self._groups = self._same_respondents()
        self._denominators: dict[tuple[str, str], tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def members(self, statistic: str) -> list[str]:
        """Indicators released with a statistic."""
        return [indicator for indicator, kind in self.by_table if kind == statistic]

    def _first(self, indicator: str) -> pd.DataFrame:
        """Any table of the indicator: the counts are the same in all of them."""
        return next(
            self.by_table[indicator, kind] for kind in STATISTICS if (indicator, kind) in self.by_table
        )

    def count_groups(self) -> list[list[str]]:
        """Indicators whose published counts never differ: the same respondents, hence one table."""
        return self._groups

    def _same_respondents(self) -> list[list[str]]:
        groups: list[tuple[list[str], np.ndarray]] = []
        for indicator in dict.fromkeys(indicator for indicator, _ in self.by_table):
            values = np.array([self._column(self._first(indicator), name) for name in _COUNTS])
            for members, pooled in groups:
                both = ~np.isnan(values) & ~np.isnan(pooled)
                if np.allclose(values[both], pooled[both], rtol=1e-9, atol=0.0):
                    members.append(indicator)
                    pooled[np.isnan(pooled)] = values[np.isnan(pooled)]
                    break
            else:
                groups.append(([indicator], values))
        return [members for members, _ in groups]

    def counts(self, group: Sequence[str], quantity: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pooled counts of a group (NaN where suppressed under all), their error and the status."""
        values = np.full(len(self.order), np.nan)
        for indicator in group:
            own = self._column(self._first(indicator), quantity)
            values = np.where(np.isnan(values), own, values)
        error = np.full(len(values), self.steps.get(quantity, 0.0) / 2)
        return values, error, self._status(self._first(group[0]))

    def values(self, indicator: str, statistic: str) -> Knowledge | None:
        """The table of one indicator and statistic; None when its denominators are not public."""
        rows = self.by_table[indicator, statistic]
        true = self.true_by.get((indicator, statistic))
        estimate, step = self._column(rows, "estimate"), self.steps.get(statistic, 0.0)
        known = self._denominator(indicator, statistic, true)
        if known is None:
            return None
        whole, off, bound = known
        numerator, error = estimate, np.full(len(estimate), step / 2)
        if statistic != "total":
            numerator = np.clip(estimate * whole, 0.0, np.where(np.isnan(whole), np.inf, whole))
            # The larger of the numerator's and the complement's part of the denominator's error.
            error = np.nan_to_num(whole * step / 2 + np.maximum(estimate, 1 - estimate) * off)
        empty = np.zeros(len(estimate))
        facts = {
            name: empty if true is None else column(true, name, self.order)
            for name in ("respondents", "numerator", "largest")
        }
        classes = kin(self.layout, column(rows.assign(here=1.0), "here", self.order))
        return Knowledge(
            f"{self.unit_type}, {indicator}, {statistic}",
            self.unit_type,
            indicator,
            statistic,
            self.layout,
            numerator,
            error,
            whole,
            bound,
            self._status(rows),
            step,
            facts["respondents"],
            facts["numerator"],
            facts["largest"],
            classes,
            inside(self.layout, classes),
        )

    def _denominator(
        self, indicator: str, statistic: str, true: pd.DataFrame | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Denominators (NaN where unknown), how far they may be off, and the most that they can be.

        The truth's if given; else those published, pooled over the indicators that the same respondents
        answered and completed by what the margins tell. None when no column has them.
        """
        if true is not None:
            whole = column(true, "denominator", self.order)
            return whole, np.zeros(len(whole)), whole
        name = "denominator" if "denominator" in self.rows.columns else "weighted_units"
        if name == "weighted_units" and statistic == "population_share":
            return None
        group = self._pool_of(indicator, statistic)
        if (group[0], statistic) not in self._denominators:
            whole = np.full(len(self.order), np.nan)
            for member in group:
                own = self._column(self.by_table[member, statistic], name)
                whole = np.where(np.isnan(whole), own, whole)
            error = np.full(len(whole), self.steps.get(name, 0.0) / 2)
            found = Inference(
                self.layout.matrix,
                whole,
                error,
                np.full(len(whole), np.inf),
                np.zeros(len(self.layout.matrix)),
                f"{self.unit_type}, {indicator}, {name} of {statistic}",
            )
            bound = np.where(np.isnan(found.values), found.high, found.values + found.error)
            self._denominators[group[0], statistic] = found.values, found.error, bound
        return self._denominators[group[0], statistic]

    def _pool_of(self, indicator: str, statistic: str) -> list[str]:
        """Indicators with this statistic that the same respondents answered, as far as counts can tell."""
        group = next(group for group in self._groups if indicator in group)
        return [member for member in group if (member, statistic) in self.by_table]

    def _column(self, rows: pd.DataFrame, name: str) -> np.ndarray:
        """A published column, NaN where null, 0 where there is no row."""
        return column(
            rows.assign(**{name: rows[name].astype("Float64").to_numpy(float, na_value=np.nan)}),
            name,
            self.order,
        )

    def _status(self, rows: pd.DataFrame) -> np.ndarray:
        """Status of each cell, "" where there is no row."""
        status = np.full(len(self.order), "", dtype=object)
        status[[self.order[cell] for cell in zip(*(rows[key] for key in CELL), strict=True)]] = rows["status"]
        return status


def _by_table(rows: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """Rows of each indicator and statistic, in order."""
    groups = rows.groupby(["indicator", "statistic"], sort=True)
    return {(str(key[0]), str(key[1])): part for key, part in groups}
