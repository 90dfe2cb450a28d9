"""Rows of a large table whose key occurs more than once, found by DuckDB.

Most tables have none, and to show that, numbers of eight bytes suffice: equal keys have equal hashes, so that
without a hash that occurs twice there is no key that does. Only rows that share a hash are then compared by
the keys themselves. DuckDB groups in its own memory and on disk. What does not belong here: what GX makes of
it (``slices``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

from asco_dagster.gates.condensed import present
from asco_dagster.gates.large_table import LargeTable
from asco_dagster.layers import table_of

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

ALL, ANY = "all_values_are_missing", "any_value_is_missing"
MARKS = 1_000_000
"""Hashes compared one by one; a table with more that repeat is grouped by its keys at once."""


@dataclass(frozen=True)
class Repeats:
    """What was found of keys that occur more than once.

    Attributes:
        considered: rows that were compared.
        unexpected: rows of which another has the same key.
        sample: the first of them, with their places in the table as index.
    """

    considered: int
    unexpected: int
    sample: "pd.DataFrame"


def repeats(table: LargeTable, key: Sequence[str], ignored: str, told: Sequence[str], most: int) -> Repeats:
    """Find the rows whose key occurs more than once; a null equals another, as to pandas.

    Args:
        table: the table, which has every column named.
        key: the columns that should be unique together.
        ignored: which rows are not compared: those with ``all_values_are_missing``,
            ``any_value_is_missing``, or ``never`` any.
        told: columns of the sample.
        most: rows of the sample at most.
    """
    import duckdb

    compared = _compared(table, key, ignored, placed=False)
    considered = len(compared)
    none = Repeats(considered, 0, table.frame(table.select(told).limit(0).to_arrow_table()))
    suspects = _suspects(table, compared, _compared(table, key, ignored, placed=True), len(key))
    if suspects is None:
        return none
    own = [duckdb.ColumnExpression(name) for name in _names(len(key))]
    first = duckdb.FunctionExpression("min", duckdb.ColumnExpression("place")).alias("first")
    groups = suspects.aggregate([*own, _times(), first]).filter(duckdb.ColumnExpression("times") > 1)
    found = groups.aggregate([duckdb.FunctionExpression("sum", duckdb.ColumnExpression("times"))]).fetchone()
    if found is None or found[0] is None:  # only the hashes were the same
        return none
    keys = groups.order("first").limit(most).select(*own).fetchall()
    return Repeats(considered, int(found[0]), _sample(table, key, keys, told, most))


def _names(number: int) -> list[str]:
    return [f"k{place}" for place in range(number)]


def _times() -> "duckdb.Expression":
    import duckdb

    return duckdb.FunctionExpression("count_star").alias("times")


def _compared(
    table: LargeTable, key: Sequence[str], ignored: str, *, placed: bool
) -> "duckdb.DuckDBPyRelation":
    """The rows compared: their key as ``k0``, ``k1``…, and if wanted their ``place`` from 0."""
    import duckdb

    own = table.connection.table(table_of(table.asset))
    names = _names(len(key))
    columns = [present(table, column).alias(name) for name, column in zip(names, key, strict=True)]
    if placed:
        columns.append(duckdb.SQLExpression("row_number() over () - 1").alias("place"))
    rows = own.select(*columns)
    missing = [duckdb.ColumnExpression(name).isnull() for name in names]
    if ignored == ALL:
        return rows.filter(~reduce(lambda one, other: one & other, missing))
    if ignored == ANY:
        return rows.filter(~reduce(lambda one, other: one | other, missing))
    return rows


def _suspects(
    table: LargeTable, compared: "duckdb.DuckDBPyRelation", placed: "duckdb.DuckDBPyRelation", number: int
) -> "duckdb.DuckDBPyRelation | None":
    """Rows that share the hash of their key with another, and perhaps some more; None where none does."""
    import duckdb

    mark = duckdb.FunctionExpression("hash", *map(duckdb.ColumnExpression, _names(number))).alias("mark")
    marks = compared.select(mark).aggregate([duckdb.ColumnExpression("mark"), _times()])
    shared = marks.filter(duckdb.ColumnExpression("times") > 1).select("mark").limit(MARKS + 1)
    known = shared.to_arrow_table()
    if not len(known):
        return None
    if len(known) > MARKS:
        return placed
    marked = placed.select(duckdb.StarExpression(), mark).set_alias("marked")
    return marked.join(table.connection.from_arrow(known).set_alias("known"), "mark", how="semi")


def _sample(
    table: LargeTable,
    key: Sequence[str],
    keys: Sequence[tuple[Any, ...]],
    told: Sequence[str],
    most: int,
) -> "pd.DataFrame":
    """The first rows with one of the keys.

    The keys that stand first hold the first rows: a row among the first ``most`` has a key whose first row
    is among them too, and there are no more such keys than rows.
    """
    import duckdb
    import pandas as pd

    same = [
        reduce(lambda one, other: one & other, [_is(table, column, value) for column, value in named])
        for named in (list(zip(key, values, strict=True)) for values in keys)
    ]
    columns = [duckdb.ColumnExpression(name).alias(f"t{number}") for number, name in enumerate(told)]
    own = table.connection.table(table_of(table.asset))
    wanted = reduce(lambda one, other: one | other, same).alias("wanted")
    place = duckdb.SQLExpression("row_number() over () - 1").alias("place")
    rows = own.select(place, wanted, *columns).filter(duckdb.ColumnExpression("wanted"))
    found = rows.order("place").limit(most).to_arrow_table()
    frame = table.frame(found.select(range(2, 2 + len(told))).rename_columns(list(told)))
    frame.index = pd.Index(found.column("place").to_pylist(), dtype="int64")
    return frame


def _is(table: LargeTable, column: str, value: Any) -> "duckdb.Expression":
    import duckdb

    own = present(table, column)
    return own.isnull() if value is None else own == duckdb.ConstantExpression(value)
