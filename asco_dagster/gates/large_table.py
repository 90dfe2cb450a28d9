"""A table too large for memory, read slice by slice with the data types that it would have whole.

What pandas makes of a column depends on all its rows: integers with one null among them are another type, so
that a slice without nulls would be told otherwise. What does not belong here: expectations.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asco_dagster.layers import table_of
from asco_dagster.storage.warehouse import columns_of, count_rows

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

ROWS_AT_ONCE = 1_000_000
"""Rows of a slice: some 100 MB of the longest columns that a suite names."""


@dataclass(frozen=True)
class LargeTable:
    """A table of the wave's database, some columns of which a gate reads.

    Attributes:
        connection: the wave's database.
        asset: name of the asset.
        rows: number of rows.
        types: the table's columns and their DuckDB types.
        open_types: of the columns read that hold a null, other than text, pandas' type.
    """

    connection: "duckdb.DuckDBPyConnection"
    asset: str
    rows: int
    types: dict[str, str]
    open_types: dict[str, Any]

    @classmethod
    def of(cls, connection: "duckdb.DuckDBPyConnection", asset: str, columns: Sequence[str]) -> "LargeTable":
        """The table of an asset, of which ``columns`` are going to be read; those it has not are no error."""
        types = columns_of(connection, asset)
        concerned = [name for name in columns if types.get(name, "VARCHAR") != "VARCHAR"]
        return cls(
            connection,
            asset,
            count_rows(connection, asset),
            types,
            _open_types(connection, asset, concerned),
        )

    def select(self, columns: Sequence[str]) -> "duckdb.DuckDBPyRelation":
        """Some of its columns."""
        import duckdb

        table = self.connection.table(table_of(self.asset))
        return table.select(*map(duckdb.ColumnExpression, columns))

    def frame(self, rows: Any) -> "pd.DataFrame":
        """Rows as the data frame that ``warehouse.read_table`` makes of the whole table.

        Args:
            rows: an Arrow table whose columns have names of the table's.

        Returns:
            The rows; text through Arrow, all else as DuckDB gives it to pandas.
        """
        import pandas as pd

        text = [name for name in rows.column_names if self.types[name] == "VARCHAR"]
        others = [name for name in rows.column_names if self.types[name] != "VARCHAR"]
        parts = [rows.select(text).to_pandas()] if text else []
        if others:
            # on a connection of its own: a statement on the wave's would end what is being read from it
            with self.connection.cursor() as cursor:
                parts.append(cursor.from_arrow(rows.select(others)).df())
        frame = pd.concat(parts, axis="columns")[rows.column_names]
        return frame.astype({name: self.open_types[name] for name in others if name in self.open_types})

    def slices(self, columns: Sequence[str]) -> Iterator["pd.DataFrame"]:
        """Some of its columns, at most ``ROWS_AT_ONCE`` rows at a time, in the order in which they stand.

        Yields:
            Data frames; the index tells the place of a row in the whole table, from 0.
        """
        import pandas as pd
        import pyarrow as pa

        start = 0
        reader = self.select(columns).to_arrow_reader(ROWS_AT_ONCE)
        try:
            for batch in reader:
                frame = self.frame(pa.Table.from_batches([batch]))
                frame.index = pd.RangeIndex(start, start + len(frame))
                start += len(frame)
                yield frame
        finally:
            reader.close()


def _open_types(
    connection: "duckdb.DuckDBPyConnection", asset: str, columns: Sequence[str]
) -> dict[str, Any]:
    if not columns:
        return {}
    import duckdb

    table = connection.table(table_of(asset))
    own = [duckdb.ColumnExpression(name) for name in columns]
    counts = table.aggregate(
        [duckdb.FunctionExpression("count_star"), *(duckdb.FunctionExpression("count", one) for one in own)]
    ).fetchone()
    assert counts is not None  # noqa: S101 # an aggregate without groups always has its row
    rows, *present = counts
    found = {}
    for name, one, count in zip(columns, own, present, strict=True):
        if count < rows:
            found[name] = table.filter(one.isnull()).select(one).limit(1).df().dtypes.iloc[0]
    return found
