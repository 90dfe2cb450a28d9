"""Putting GX's results of slices together into the result of the table.

Counts are summed; shares, success and the form of the result are left to the functions by which GX makes them
of its own counts. What does not belong here: which slices there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from asco_dagster.gates.validation import form


@dataclass
class Tally:
    """The results of one expectation of single rows on the slices of a table.

    Attributes:
        told: a result of GX, whose counts give way to those of the table.
        slices: slices judged.
        faults: slices on which it could not be evaluated.
        elements: rows that it is about.
        missing: of these, rows without a value; None where that is what is judged.
        unexpected: rows that failed.
        values: of some of these, what they hold.
        rows: their places in the table.
    """

    told: Any = None
    slices: int = 0
    faults: int = 0
    elements: int = 0
    missing: int | None = None
    unexpected: int = 0
    values: list[Any] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)

    def add(self, result: Any) -> None:
        """Add the result of a slice."""
        found = result.result or {}
        self.slices += 1
        if "element_count" not in found:
            self.faults += 1
            if self.faults == 1:
                self.told = result
            return
        if not self.faults:
            self.told = result
        self.elements += found["element_count"]
        self.unexpected += found["unexpected_count"]
        if "missing_count" in found:
            self.missing = (self.missing or 0) + found["missing_count"]
        self.values += found.get("partial_unexpected_list", [])

    def name(self, result: Any) -> list[int]:
        """Add the rows that GX names in a slice, and tell them."""
        found = result.result or {}
        rows = list(found.get("partial_unexpected_index_list", []))
        self.rows += rows
        self.values += found.get("partial_unexpected_list", [])
        return rows

    def sought(self, most: int) -> int:
        """How many rows are to be named."""
        return min(most, self.unexpected)

    @property
    def holds(self) -> bool:
        """Whether enough rows hold, by GX's rule: all that count, or the share ``mostly`` of them."""
        from great_expectations.expectations.expectation import _mostly_success

        considered = self.elements - (self.missing or 0)
        mostly = self.told.expectation_config.kwargs.get("mostly", 1.0)
        return not considered or _mostly_success(considered, self.unexpected, mostly)

    def result(self, most: int) -> Any:
        """GX's result with the counts of the table; where it could not be evaluated, that one.

        Args:
            most: rows told at most.
        """
        if self.faults:
            return self.told
        from great_expectations.expectations.expectation import _format_map_output
        from great_expectations.expectations.expectation_configuration import parse_result_format

        output = _format_map_output(
            result_format=parse_result_format(form("SUMMARY" if self.rows else "BASIC")),
            success=self.holds,
            element_count=self.elements,
            nonnull_count=None if self.missing is None else self.elements - self.missing,
            unexpected_count=self.unexpected,
            unexpected_list=self.values[:most],
            unexpected_index_list=self.rows[:most],
        )
        self.told.success, self.told.result = output["success"], output["result"]
        return self.told


def express(outcome: Any, results: Sequence[Any]) -> Any:
    """GX's result of a suite, of its results of the expectations.

    Args:
        outcome: GX's result of a part, for what it tells of itself.
        results: those of the expectations.
    """
    from great_expectations.validator.validator import calc_validation_statistics

    told = calc_validation_statistics(list(results))
    return type(outcome)(
        results=list(results),
        success=told.success,
        suite_name=outcome.suite_name,
        statistics={
            "evaluated_expectations": told.evaluated_expectations,
            "successful_expectations": told.successful_expectations,
            "unsuccessful_expectations": told.unsuccessful_expectations,
            "success_percent": told.success_percent,
        },
        meta=outcome.meta,
        batch_id=outcome.batch_id,
    )
