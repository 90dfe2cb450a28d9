"""Whole-column expectations on a large table: a small data frame of which GX says what it would of the table.

DuckDB reduces the column to what the expectation is about: its distinct values, its extreme, its sum or mean,
the number of rows. A row condition is kept by reducing within each combination of its columns' values; it is
GX's grammar, which only pandas reads. Sums of fractions are DuckDB's compensated ones, which may differ from
pandas' in the last digit. What does not belong here: expectations of single rows (``slices``), duplicates
(``repeats``).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from asco_dagster.gates.large_table import LargeTable

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

Arguments = Mapping[str, Any]
_WHOLE = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "BOOLEAN",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
)
_BROKEN = ("DOUBLE", "FLOAT")


def condensed(
    table: LargeTable, kind: str, arguments: Arguments, given: Sequence[str]
) -> "pd.DataFrame | None":
    """A data frame on which GX finds what it would find on the whole table.

    Args:
        table: the table, which has every column named.
        kind: type of the expectation.
        arguments: its arguments.
        given: columns of its row condition; empty without one.

    Returns:
        The columns judged and those of the condition; None for an expectation that is not known here, or of
        a column that it cannot take.
    """
    reduction = _REDUCTIONS.get(kind)
    return None if reduction is None else reduction(table, arguments, given)


def counted(table: LargeTable, arguments: Arguments, given: Sequence[str]) -> "pd.DataFrame":
    """As many rows as fulfil a condition, without columns, which GX counts and needs no memory for."""
    import duckdb
    import pandas as pd

    if not given:
        return pd.DataFrame(index=pd.RangeIndex(table.rows))
    groups = _grouped(table, given, [duckdb.FunctionExpression("count_star").alias("_count")])
    kept = _fulfilling(table.frame(groups.select(list(given))), arguments)
    counts = groups.column("_count").to_pylist()
    return pd.DataFrame(index=pd.RangeIndex(sum(counts[row] for row in kept.index)))


def present(table: LargeTable, column: str) -> "duckdb.Expression":
    """A column whose NaN are null, as they are to pandas."""
    import duckdb

    own = duckdb.ColumnExpression(column)
    if table.types[column] not in _BROKEN:
        return own
    # null where the condition is not fulfilled; a constant NaN would reach DuckDB as null
    return duckdb.CaseExpression(~duckdb.FunctionExpression("isnan", own), own).alias(column)


def _distinct(table: LargeTable, arguments: Arguments, given: Sequence[str]) -> "pd.DataFrame":
    columns = list(dict.fromkeys([arguments["column"], *given]))
    return table.frame(table.select(columns).distinct().to_arrow_table())


def _extreme(name: str) -> Callable[[LargeTable, Arguments, Sequence[str]], "pd.DataFrame | None"]:
    def reduction(table: LargeTable, arguments: Arguments, given: Sequence[str]) -> "pd.DataFrame | None":
        import duckdb

        column = arguments["column"]
        if column in given:
            return _distinct(table, arguments, given)
        found = duckdb.FunctionExpression(name, present(table, column)).alias(column)
        return table.frame(_grouped(table, given, [found]))

    return reduction


def _total(table: LargeTable, arguments: Arguments, given: Sequence[str]) -> "pd.DataFrame | None":
    return _sums(table, arguments, given, lambda total, count: total)


def _mean(table: LargeTable, arguments: Arguments, given: Sequence[str]) -> "pd.DataFrame | None":
    return _sums(table, arguments, given, lambda total, count: total / count)


def _sums(
    table: LargeTable, arguments: Arguments, given: Sequence[str], told: Callable[[Any, int], Any]
) -> "pd.DataFrame | None":
    """One row with the sum or mean of a column, or none where the column has no value.

    Whole numbers are summed exactly, fractions with compensation for what rounding loses.
    """
    import duckdb

    column = arguments["column"]
    kind = table.types[column]
    if kind not in (*_WHOLE, *_BROKEN) or column in given:
        return None
    own = present(table, column)
    summed = own.cast("BIGINT") if kind == "BOOLEAN" else own
    total = duckdb.FunctionExpression("sum" if kind in _WHOLE else "fsum", summed).alias("_total")
    count = duckdb.FunctionExpression("count", own).alias("_count")
    groups = _grouped(table, given, [total, count])
    kept = _fulfilling(table.frame(groups.select(list(given))), arguments) if given else None
    rows = range(len(groups)) if kept is None else list(kept.index)
    totals, counts = groups.column("_total").to_pylist(), groups.column("_count").to_pylist()
    number = sum(counts[row] for row in rows)
    parts = [totals[row] for row in rows if counts[row]]
    exact = sum(int(part) for part in parts) if kind in _WHOLE else math.fsum(parts)
    values = [told(exact, number)] if number else []
    return _one_row(column, values, "float32" if kind == "FLOAT" else None, kind, kept)


def _one_row(
    column: str, values: list[Any], narrow: str | None, kind: str, kept: "pd.DataFrame | None"
) -> "pd.DataFrame":
    """A row with a value, and what the first row that was kept has in the columns of the condition."""
    import pandas as pd

    empty = "int64" if kind in _WHOLE else "float64"
    frame = pd.DataFrame({column: pd.Series(values, dtype=narrow or (None if values else empty))})
    if kept is None:
        return frame
    return pd.concat([frame, kept.head(len(values)).reset_index(drop=True)], axis="columns")


def _grouped(table: LargeTable, given: Sequence[str], measures: Sequence["duckdb.Expression"]) -> Any:
    """Measures within each combination of values of some columns, as an Arrow table."""
    import duckdb

    from asco_dagster.layers import table_of

    own = table.connection.table(table_of(table.asset))
    # DuckDB groups by whatever is not an aggregate
    return own.aggregate([*map(duckdb.ColumnExpression, given), *measures]).to_arrow_table()


def _fulfilling(groups: "pd.DataFrame", arguments: Arguments) -> "pd.DataFrame":
    """The rows that fulfil a condition, read as GX reads it."""
    return groups.query(arguments["row_condition"], parser=arguments["condition_parser"])


_REDUCTIONS: dict[str, Callable[[LargeTable, Arguments, Sequence[str]], "pd.DataFrame | None"]] = {
    "expect_column_distinct_values_to_be_in_set": _distinct,
    "expect_column_distinct_values_to_contain_set": _distinct,
    "expect_column_distinct_values_to_equal_set": _distinct,
    "expect_column_unique_value_count_to_be_between": _distinct,
    "expect_column_max_to_be_between": _extreme("max"),
    "expect_column_min_to_be_between": _extreme("min"),
    "expect_column_sum_to_be_between": _total,
    "expect_column_mean_to_be_between": _mean,
}
