"""How near the intruder got: inferred intervals as rows, and which of them are breaches.

Recovered cells, sensitive cells inferred within their protection interval, and by whom. Nothing is inferred
here; the arithmetic stands in ``inference``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from asco_dagster.methods.disclosure.inference import Inference
from asco_dagster.methods.disclosure.published import NEAR, Knowledge, Published
from asco_dagster.methods.disclosure.rules import CELL, DisclosureRules
from asco_dagster.methods.disclosure.tables import label

_POSSIBLE = 1e-4  # a share this near to 0 or 1 is a possible no or yes: bounds carry rounding


@dataclass
class Verdicts:
    """Rows of the result, gathered table by table."""

    rules: DisclosureRules
    rows: dict[tuple, dict] = field(default_factory=dict)

    def counts(
        self, known: Published, indicator: str, quantity: str, found: Inference, status: np.ndarray
    ) -> None:
        """Judge counts: whole numbers are recovered when a single one is left."""
        step = known.steps.get(quantity, 0.0)
        for cell in map(int, found.unknown):
            low, high = float(found.low[cell]), float(found.high[cell])
            if quantity == "respondents":
                exact = np.floor(high + NEAR) - np.ceil(low - NEAR) < 1
            else:
                exact = np.isfinite(high) and high - low <= max(step, NEAR * max(high, 1.0))
            near = status[cell] == "A" and quantity != "respondents"
            near = bool(near and np.isfinite(high) and high - low < self.rules.protection * high - step)
            key = (known.unit_type, indicator, "", *known.layout.cells[cell], quantity)
            self._add(key, status[cell], low, high, bool(exact), near)

    def values(self, table: Knowledge, found: Inference, rest: Inference | None) -> None:
        """Judge estimates from the numerators and, for shares, the complements."""
        for cell in map(int, found.unknown):
            low, high = float(found.low[cell]), float(found.high[cell])
            point = np.isfinite(high) and high - low <= max(table.step, NEAR * max(high, 1e-9))
            if rest is not None:
                other = float(rest.low[cell]), float(rest.high[cell])
                unit = max(other[1] + high, 1e-9) if np.isfinite(other[1] + high) else 1.0
                point = high - low <= NEAR * unit or other[1] - other[0] <= NEAR * unit
                low, high = _ratio(low, other[1]), _ratio(high, other[0])
                point |= high - low <= max(table.step, NEAR)
            near = self._near(table, cell, low, high)
            key = self._key(table, cell)
            self._add(key, table.status[cell], low, high, bool(point), near, self._sole(table, cell))

    def linked(self, table: Knowledge, low: np.ndarray, high: np.ndarray) -> None:
        """Narrow the rows of a table to what the sums over indicators add."""
        for cell in map(int, np.flatnonzero(np.isnan(table.numerator))):
            row = self.rows[self._key(table, cell)]
            if table.statistic == "total":
                least, most = float(low[cell]), float(high[cell])
            elif np.isnan(table.denominator[cell]):
                continue
            else:
                least, most = (
                    float(low[cell]) / table.denominator[cell],
                    float(high[cell]) / table.denominator[cell],
                )
            least, most = max(least, row["low"]), min(most, row["high"])
            if np.isinf(most):
                continue
            scale = most if table.statistic == "total" else 1.0
            exact = row["exact"] or most - least <= max(table.step, NEAR * max(scale, 1e-9))
            near = row["within_protection"] or self._near(table, cell, least, most)
            key, sole = self._key(table, cell), self._sole(table, cell)
            self._add(key, table.status[cell], least, most, bool(exact), bool(near), sole)

    def insider(self, table: Knowledge, insider: int, narrow: Mapping[int, tuple[float, float]]) -> None:
        """Note which sensitive cells a sole respondent can tell, the narrowest interval first."""
        for cell, (low, high) in narrow.items():
            row = self.rows[self._key(table, cell)]
            unit = 1.0 if table.statistic == "total" else table.denominator[cell]
            if np.isnan(row["insider_low"]) or (high - low) / unit < row["insider_high"] - row["insider_low"]:
                row["insider_low"], row["insider_high"] = low / unit, high / unit
                if row["by"] != "anyone":
                    row["by"] = f"the respondent of {label(table.layout.cells[insider])}"

    def frame(self) -> pd.DataFrame:
        """All rows, in the order of their keys."""
        names = ["unit_type", "indicator", "statistic", *CELL, "quantity"]
        facts = ["status", "low", "high", "width", "exact", "within_protection", "one_answer_left"]
        columns = [*names, *facts, "insider_low", "insider_high", "by"]
        rows = [dict(zip(names, key, strict=True)) | self.rows[key] for key in sorted(self.rows)]
        frame = pd.DataFrame(rows, columns=columns)
        return frame.astype({"exact": bool, "within_protection": bool, "one_answer_left": bool, "by": object})

    def _near(self, table: Knowledge, cell: int, low: float, high: float) -> bool:
        """Whether a sensitive cell is inferred within its protection interval."""
        if table.status[cell] not in ("A", "B") or np.isinf(high):
            return False
        least = self.rules.protection * (high if table.statistic == "total" else 1.0)
        if (high - low) < least * (1 - 1e-5) - table.step:
            return True
        dominated = table.largest[cell] / self.rules.dominance
        return bool(table.status[cell] == "B" and high < dominated * (1 - 1e-5) - table.step)

    @staticmethod
    def _sole(table: Knowledge, cell: int) -> bool:
        """Whether the cell is the yes or no of one respondent (known only with the truth)."""
        return bool(table.statistic != "total" and table.respondents[cell] == 1)

    @staticmethod
    def _key(table: Knowledge, cell: int) -> tuple:
        return (table.unit_type, table.indicator, table.statistic, *table.layout.cells[cell], "estimate")

    def _add(
        self, key: tuple, status: str, low: float, high: float, exact: bool, near: bool, sole: bool = False
    ) -> None:
        self.rows[key] = {
            "status": status,
            "low": low,
            "high": high,
            "width": high - low,
            "exact": exact,
            "within_protection": near,
            "one_answer_left": sole and (low > _POSSIBLE or high < 1.0 - _POSSIBLE),
            "insider_low": np.nan,
            "insider_high": np.nan,
            "by": "anyone" if exact or near else "",
        }


def _ratio(part: float, rest: float) -> float:
    """Share of a part, at the bounds where the rest is unbounded or both are nothing."""
    if np.isinf(rest):
        return 0.0
    if np.isinf(part):
        return 1.0
    return part / (part + rest) if part + rest > 0 else 0.0
