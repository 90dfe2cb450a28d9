"""Breaking real data, one expectation at a time.

For each type of expectation one builder, which takes the table as it stands and the expectation's arguments
and gives a table that this very expectation must refuse: a value out of range, a unit swapped for thousands,
a column shifted, a key doubled, a département dropped. A type without a builder fails the tests: whoever adds
an expectation of a new type says here how its data go wrong. What does not belong here: the walk over all
suites (``test_mutations``).
"""

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

Arguments = Mapping[str, Any]
Builder = Callable[[pd.DataFrame, Arguments], pd.DataFrame]
BUILDERS: dict[str, Builder] = {}
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "IN": lambda column, values: column.isin(values),
}
THOUSAND = 1000  # thousands read as units, or units as thousands


class CannotBreakError(Exception):
    """The table holds nothing that this expectation could be broken on."""


def mutate(frame: pd.DataFrame, expectation: Mapping[str, Any], bounds: Mapping[str, float]) -> pd.DataFrame:
    """A table that the expectation must refuse, made of one that it accepts.

    Raises:
        KeyError: no builder for this type of expectation.
        CannotBreakError: no row that the expectation is about.
    """
    arguments = resolve(expectation["kwargs"], bounds)
    return BUILDERS[expectation["type"]](frame, arguments)


def resolve(arguments: Any, bounds: Mapping[str, float]) -> Any:
    """Arguments with the wave's bounds in place of parameters."""
    if isinstance(arguments, Mapping):
        if "$PARAMETER" in arguments:
            return bounds[arguments["$PARAMETER"]]
        return {name: resolve(value, bounds) for name, value in arguments.items()}
    if isinstance(arguments, list):
        return [resolve(value, bounds) for value in arguments]
    return arguments


def concerned(frame: pd.DataFrame, arguments: Arguments, column: str | None = None) -> pd.Index:
    """Rows that the expectation is about: those of its condition, and where a column is judged, not null."""
    condition = arguments.get("row_condition")
    rows = frame.index[_fulfils(frame, condition)] if condition else frame.index
    if column is not None:
        rows = rows[frame.loc[rows, column].notna()]
    if rows.empty:
        raise CannotBreakError(f"no row {condition or ''} with a value in {column}")
    return rows


def _fulfils(frame: pd.DataFrame, condition: Mapping[str, Any]) -> Any:
    """Which rows fulfil a condition of Great Expectations'; a missing value fulfils no comparison."""
    if condition["type"] in ("and", "or"):
        parts = [_fulfils(frame, part) for part in condition["conditions"]]
        return np.logical_and.reduce(parts) if condition["type"] == "and" else np.logical_or.reduce(parts)
    column = frame[condition["column"]["name"]]
    missing = column.isna().to_numpy()
    if condition["type"] == "nullity":
        return missing == condition["is_null"]
    compared = COMPARISONS[condition["operator"]](column, condition["parameter"])
    return np.asarray(compared, dtype=bool) & ~missing


def _enough(rows: pd.Index, arguments: Arguments) -> pd.Index:
    """As many rows as break the expectation: one, or more than the share that it tolerates."""
    tolerated = 1 - float(arguments.get("mostly", 1))
    return rows[: min(len(rows), math.floor(tolerated * len(rows) + 1e-9) + 1)]


def _set(frame: pd.DataFrame, rows: pd.Index, column: str, value: Any) -> pd.DataFrame:
    """The table with another value in some rows of a column."""
    broken = frame.copy()
    broken[column] = broken[column].astype(object)
    broken.loc[rows, column] = value
    if all(isinstance(one, int | float | bool) or pd.isna(one) for one in broken[column]):
        broken[column] = pd.to_numeric(broken[column])
    return broken


def builder(*kinds: str) -> Callable[[Builder], Builder]:
    """Register a builder for types of expectation, named without their ``expect_``."""

    def register(build: Builder) -> Builder:
        BUILDERS.update({f"expect_{kind}": build for kind in kinds})
        return build

    return register


@builder("column_values_to_not_be_null")
def _emptied(frame: pd.DataFrame, arguments: Arguments) -> pd.DataFrame:
    """A field that was not filled."""
    column = arguments["column"]
    return _set(frame, _enough(concerned(frame, arguments), arguments), column, None)


@builder("column_values_to_be_null")
def _filled(frame: pd.DataFrame, arguments: Arguments) -> pd.DataFrame:
    """A field that should have stayed empty."""
    column = arguments["column"]
    text = frame[column].dtype == object or isinstance(frame[column].dtype, pd.StringDtype)
    return _set(frame, _enough(concerned(frame, arguments), arguments), column, "?" if text else 7.0)


@builder("column_values_to_be_in_set")
def _unknown_code(frame: pd.DataFrame, arguments: Arguments) -> pd.DataFrame:
    """A code that nobody defined; where codes are numbers, one beyond the largest."""
    column, codes = arguments["column"], arguments["value_set"]
    unknown = max(codes) + 1 if all(isinstance(code, int | float) for code in codes) else "?"
    return _set(frame, _enough(concerned(frame, arguments, column), arguments), column, unknown)


@builder("column_values_to_not_be_in_set")
def _forbidden_code(frame: pd.DataFrame, arguments: Arguments) -> pd.DataFrame:
    """A code that must not be there."""
    column = arguments["column"]
    return _set(frame, _enough(concerned(frame, arguments), arguments), column, arguments["value_set"][0])


@builder("column_values_to_be_unique")
def _doubled_key(frame: pd.DataFrame, arguments: Arguments) -> pd.DataFrame:
    """A row that stands twice."""
    row = frame.loc[concerned(frame, arguments, arguments["column"])[:1]]
    return pd.concat([frame, row], ignore_index=True)


@builder("compound_columns_to_be_unique")
def _doubled_row(frame: pd.DataFrame, arguments: Arguments) -> pd.DataFrame:
    """A row that stands twice."""
    return pd.concat([frame, frame.loc[concerned(frame, arguments)[:1]]], ignore_index=True)


@builder("column_values_to_be_between")
def _other_unit(frame: pd.DataFrame, arguments: Arguments) -> pd.DataFrame:
    """Values a thousand times too large, else a value beyond a bound."""
    column = arguments["column"]
    rows = _enough(concerned(frame, arguments, column), arguments)
    low, high = arguments.get("min_value"), arguments.get("max_value")
    largest = float(frame.loc[rows, column].min()) * THOUSAND
    if high is not None:
        return _set(frame, rows, column, largest if largest > high else high + max(1.0, abs(high)))
    return _set(frame, rows, column, low - max(1.0, abs(low)))


@builder(
    "column_values_to_match_regex", "column_values_to_not_match_regex", "column_value_lengths_to_be_between"
)
def _shifted_column(frame: pd.DataFrame, arguments: Arguments) -> pd.DataFrame:
    """A word of another column, where a code should be; nothing, where a text should be."""
    column = arguments["column"]
    rows = _enough(concerned(frame, arguments, column), arguments)
    return _set(frame, rows, column, "" if "min_value" in arguments else "Ville d'à côté")


@builder("column_pair_values_to_be_equal")
def _lost_one(frame: pd.DataFrame, arguments: Arguments) -> pd.DataFrame:
    """One less found than announced."""
    column = arguments["column_B"]
    rows = concerned(frame, arguments, column)[:1]
    return _set(frame, rows, column, frame.loc[rows[0], column] - 1)


@builder("column_pair_values_to_be_in_set")
def _mismatched(frame: pd.DataFrame, arguments: Arguments) -> pd.DataFrame:
    """The second half of another pair."""
    first, second = arguments["column_A"], arguments["column_B"]
    row = concerned(frame, arguments, second)[:1]
    own = frame.loc[row[0], first]
    other = next(b for a, b in arguments["value_pairs_set"] if a != own)
    return _set(frame, row, second, other)


@builder("column_pair_values_a_to_be_greater_than_b")
def _shifted_pair(frame: pd.DataFrame, arguments: Arguments) -> pd.DataFrame:
    """Two columns that changed places, the smaller one made smaller still."""
    first, second = arguments["column_A"], arguments["column_B"]
    rows = concerned(frame, arguments, first)
    row = rows[frame.loc[rows, second].notna()][:1]
    if row.empty:
        raise CannotBreakError(f"no row with both {first} and {second}")
    return _set(frame, row, first, float(frame.loc[row[0], second]) - 1)


@builder("table_row_count_to_be_between", "table_row_count_to_equal")
def _lost_rows(frame: pd.DataFrame, arguments: Arguments) -> pd.DataFrame:
    """Half a file: rows that were lost until too few are left; else a file read several times over."""
    rows = concerned(frame, arguments)
    low = arguments.get("min_value", arguments.get("value"))
    if low is not None and low > 0:
        return frame.drop(rows[max(0, math.ceil(low) - 1) :]).reset_index(drop=True)
    times = math.ceil((arguments["max_value"] + 1) / len(rows))
    return pd.concat([frame, *[frame.loc[rows]] * times], ignore_index=True)


@builder("column_unique_value_count_to_be_between")
def _dropped_area(frame: pd.DataFrame, arguments: Arguments) -> pd.DataFrame:
    """A département (or another value) of which no row is left, as many as it takes."""
    column, low = arguments["column"], arguments["min_value"]
    rows = concerned(frame, arguments, column)
    values = sorted(frame.loc[rows, column].unique())
    lost = values[max(0, math.ceil(low) - 1) :]
    return frame.drop(rows[frame.loc[rows, column].isin(lost)]).reset_index(drop=True)


@builder("column_distinct_values_to_contain_set", "column_distinct_values_to_equal_set")
def _dropped_value(frame: pd.DataFrame, arguments: Arguments) -> pd.DataFrame:
    """The first of the values that must be there is not."""
    column, rows = arguments["column"], concerned(frame, arguments, arguments["column"])
    lost = rows[frame.loc[rows, column] == arguments["value_set"][0]]
    return frame.drop(lost).reset_index(drop=True)


@builder("column_sum_to_be_between", "column_mean_to_be_between")
def _thousands(frame: pd.DataFrame, arguments: Arguments) -> pd.DataFrame:
    """Units read as thousands; where all is nought, what should be rare is everywhere."""
    column, rows = arguments["column"], concerned(frame, arguments, arguments["column"])
    values = pd.to_numeric(frame.loc[rows, column]).astype(float)
    scaled = values * THOUSAND if values.sum() > 0 else values + 1
    return _set(frame, rows, column, scaled)
