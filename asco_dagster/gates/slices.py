"""Judging a table that is too large to be read whole.

A table of at most ``SLICE`` rows is read and judged at once. Of a larger one, GX judges slices where an
expectation is about single rows, and their counts are summed; a small frame that stands for the column where
it is about the whole (``condensed``); DuckDB finds what repeats (``repeats``). What none of these knows is
judged on whole columns. Percentages and success are made by GX's own functions. What does not belong here:
Dagster, and what the gate makes of the result (``validation.judge``).
"""

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from asco_dagster.gates.condensed import condensed, counted
from asco_dagster.gates.large_table import LargeTable
from asco_dagster.gates.repeats import ALL, ANY, repeats
from asco_dagster.gates.suite import Suite
from asco_dagster.gates.tally import Tally, express
from asco_dagster.gates.validation import NUMBER, SAMPLE, ask, evaluate, numbered
from asco_dagster.storage.warehouse import columns_of, count_rows, read_table
from asco_dagster.waves import Wave

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

SLICE = 2_000_000
"""Rows that are judged at once: twice those of the largest table of a wave at true size."""

UNIQUE, COMPOUND = "expect_column_values_to_be_unique", "expect_compound_columns_to_be_unique"
ROW_COUNTS = ("expect_table_row_count_to_be_between", "expect_table_row_count_to_equal")
ROW_BY_ROW = (
    "expect_column_values_to_be_between",
    "expect_column_values_to_be_in_set",
    "expect_column_values_to_not_be_in_set",
    "expect_column_values_to_be_null",
    "expect_column_values_to_not_be_null",
    "expect_column_values_to_match_regex",
    "expect_column_values_to_not_match_regex",
    "expect_column_value_lengths_to_be_between",
    "expect_column_value_lengths_to_equal",
    "expect_column_pair_values_a_to_be_greater_than_b",
    "expect_column_pair_values_to_be_equal",
    "expect_column_pair_values_to_be_in_set",
)


@dataclass(frozen=True)
class Judged:
    """GX's result of a table.

    Attributes:
        outcome: GX's validation result.
        frame: the table where it was read whole, else the keys of the rows that the result names.
        rows: rows of the table.
    """

    outcome: Any
    frame: "pd.DataFrame"
    rows: int


def evaluate_table(
    suite: Suite, connection: "duckdb.DuckDBPyConnection", wave: Wave, most: int | None = None
) -> Judged:
    """GX's result of a suite on the table of its asset.

    Args:
        suite: the suite.
        connection: the wave's database.
        wave: the wave, for its bounds.
        most: rows that are judged at once; ``SLICE`` unless given.

    Raises:
        AscoError: the table is not there.
        ConfigurationError: the suite takes a bound that the wave file does not give.
    """
    present = columns_of(connection, suite.asset)
    bound = SLICE if most is None else most
    if present and count_rows(connection, suite.asset) > bound:
        return _Judge(suite, LargeTable.of(connection, suite.asset, suite.columns()), wave).judged()
    wanted = [column for column in suite.columns() if column in present]
    # A suite that names no column counts rows only: any one column will do for that.
    frame = read_table(connection, suite.asset, wanted or list(present)[:1])
    return Judged(evaluate(suite, frame, wave), frame, len(frame))


@dataclass
class _Judge:
    """A suite on a large table; an expectation is known by its place in the suite."""

    suite: Suite
    table: LargeTable
    wave: Wave
    results: dict[int, Any] = field(default_factory=dict)
    keys: list["pd.DataFrame"] = field(default_factory=list)
    outcome: Any = None

    def judged(self) -> Judged:
        """What GX says of the table: one result an expectation, in GX's order."""
        import pandas as pd

        expectations = self.suite.expectations
        row_by_row = [place for place in range(len(expectations)) if self._is_row_by_row(place)]
        for place in [*self._slice_by_slice(row_by_row), *range(len(expectations))]:
            if place not in self.results:
                self._one(place)
        # what GX leaves out has no result; whoever judges misses it by its number
        results = [self.results[place] for place in self._order()]
        key = [name for name in self.suite.key if name in self.table.types]
        keys = pd.concat(self.keys) if self.keys else pd.DataFrame(columns=key)
        outcome = express(self.outcome, results)
        return Judged(outcome, keys[~keys.index.duplicated()], self.table.rows)

    def _order(self) -> list[int]:
        """As GX tells them: what it could not compute, then column by column."""
        columns: dict[Any, list[int]] = {}
        for place, expectation in enumerate(self.suite.expectations):
            columns.setdefault(expectation["kwargs"].get("column"), []).append(place)
        grouped = [place for places in columns.values() for place in places]
        known = [place for place in grouped if place in self.results]
        return sorted(known, key=lambda place: not _is_uncomputed(self.results[place]))

    def _part(self, places: Sequence[int]) -> Suite:
        """Some of the suite's expectations, each with its number in the suite."""
        own = numbered(self.suite)
        some = [own[place] for place in places]
        return Suite(self.suite.asset, {**self.suite.content, "expectations": some})

    def _columns(self, places: Sequence[int], *, key: bool) -> list[str]:
        """Columns of the table that some expectations name, with or without those of the key."""
        part = self._part(places)
        bare = Suite(part.asset, {"expectations": part.expectations})
        return [name for name in (part if key else bare).columns() if name in self.table.types]

    def _names_present(self, place: int) -> bool:
        part = Suite(self.suite.asset, {"expectations": [self.suite.expectations[place]]})
        return set(part.columns()) <= set(self.table.types)

    def _is_row_by_row(self, place: int) -> bool:
        expectation = self.suite.expectations[place]
        known = expectation["type"] in ROW_BY_ROW and _conditions(expectation) is not None
        return known and self._names_present(place)

    def _asked(self, places: Sequence[int], frame: "pd.DataFrame", words: str) -> Iterator[tuple[int, Any]]:
        self.outcome = ask(self._part(places), frame, self.wave, words)
        for result in self.outcome.results:
            yield result.expectation_config.meta[NUMBER] - 1, result

    def _slice_by_slice(self, places: Sequence[int]) -> list[int]:
        """Judge expectations of single rows; those left over could be evaluated on some slices only."""
        if not places:
            return []
        tallies = {place: Tally() for place in places}
        for frame in self.table.slices(self._columns(places, key=False)):
            for place, result in self._asked(places, frame, "BASIC"):
                tallies[place].add(result)
            _let_go()
        judged = {place: tally for place, tally in tallies.items() if tally.slices}
        failed = [place for place, tally in judged.items() if not tally.faults and not tally.holds]
        self._name_rows({place: tallies[place] for place in failed})
        settled = [place for place, tally in judged.items() if tally.faults in (0, tally.slices)]
        self.results.update({place: tallies[place].result(SAMPLE) for place in settled})
        return [place for place in places if place not in settled]

    def _name_rows(self, failed: dict[int, Tally]) -> None:
        """Find the first rows that failed, reading no further than they stand."""
        if not failed:
            return
        for tally in failed.values():
            tally.values.clear()
        for frame in self.table.slices(self._columns(list(failed), key=True)):
            sought = [place for place, tally in failed.items() if len(tally.rows) < tally.sought(SAMPLE)]
            if not sought:
                return
            for place, result in self._asked(sought, frame, "SUMMARY"):
                self._keep_keys(frame, failed[place].name(result))
            _let_go()

    def _keep_keys(self, frame: "pd.DataFrame", rows: Sequence[int]) -> None:
        key = [name for name in self.suite.key if name in frame]
        if key and len(rows):
            self.keys.append(frame.loc[list(rows), key])

    def _one(self, place: int) -> None:
        """Judge an expectation that is not about single rows, or is not known."""
        expectation = self.suite.expectations[place]
        kind, kwargs, given = expectation["type"], expectation["kwargs"], _conditions(expectation)
        if not self._names_present(place):
            self._on(place, self._empty(self._columns([place], key=False)))
        elif kind in (UNIQUE, COMPOUND) and given == []:
            self._repeated(place)
        elif kind in ROW_COUNTS and given is not None:
            self._rows(place, given)
        elif given is not None and (frame := condensed(self.table, kind, kwargs, given)) is not None:
            self._on(place, frame)
        else:
            self._whole(place)

    def _on(self, place: int, frame: "pd.DataFrame") -> None:
        self.outcome = evaluate(self._part([place]), frame, self.wave)
        for result in self.outcome.results:
            self.results[place] = result

    def _empty(self, columns: Sequence[str]) -> "pd.DataFrame":
        return self.table.frame(
            self.table.select(list(columns) or list(self.table.types)[:1]).limit(0).to_arrow_table()
        )

    def _whole(self, place: int) -> None:
        """Judge on whole columns: right for any expectation, and heavy."""
        columns = self._columns([place], key=True) or list(self.table.types)[:1]
        frame = read_table(self.table.connection, self.table.asset, columns)
        self._on(place, frame)
        found = getattr(self.results.get(place), "result", None) or {}
        self._keep_keys(frame, found.get("partial_unexpected_index_list") or [])

    def _rows(self, place: int, given: Sequence[str]) -> None:
        """Judge a number of rows: GX counts rows without columns, of which the condition was seen to."""
        expectation = self.suite.expectations[place]
        bare = {name: value for name, value in expectation["kwargs"].items() if "condition" not in name}
        own = Suite(self.suite.asset, {"expectations": [{**expectation, "kwargs": bare}]})
        (found,) = evaluate(own, counted(self.table, expectation["kwargs"], given), self.wave).results
        self._on(place, self._empty(given))  # for the arguments as GX tells them, condition and all
        if place in self.results:
            self.results[place].success, self.results[place].result = found.success, found.result

    def _repeated(self, place: int) -> None:
        """Judge that no key occurs twice: GX says what it is about, DuckDB what repeats."""
        expectation = self.suite.expectations[place]
        compound = expectation["type"] == COMPOUND
        kwargs = expectation["kwargs"]
        key = list(kwargs["column_list"]) if compound else [kwargs["column"]]
        ignored = kwargs.get("ignore_row_if", ALL) if compound else ANY
        found = repeats(self.table, key, ignored, self._columns([place], key=True), SAMPLE)
        self._on(place, self._empty(key))
        told = self.results.get(place)
        if told is None or (told.exception_info or {}).get("raised_exception", True):
            return
        values = found.sample[key].to_dict("records") if compound else list(found.sample[key[0]])
        tally = Tally(self.results[place], 1, 0, self.table.rows, self.table.rows - found.considered)
        tally.unexpected, tally.values, tally.rows = found.unexpected, values, list(found.sample.index)
        self.results[place] = tally.result(SAMPLE)
        self._keep_keys(found.sample, tally.rows)


def _conditions(expectation: Any) -> list[str] | None:
    """Columns of a row condition; empty without one, None where the suite does not name them."""
    if not expectation["kwargs"].get("row_condition"):
        return []
    return list(expectation["meta"].get("condition_columns", [])) or None


def _let_go() -> None:
    """Free the slices before: what GX computes of a frame refers to itself, and would wait for its end.

    The youngest objects suffice, in a millisecond; a dozen slices waited together otherwise.
    """
    gc.collect(1)


def _is_uncomputed(result: Any) -> bool:
    """Whether GX could not compute what the expectation is about; told, then, of each part of it."""
    return "raised_exception" not in (result.exception_info or {"raised_exception": False})
