"""Great Expectations' SQL engine on DuckDB, through the dialect of ``duckdb-sqlalchemy``.

Great Expectations does not know the dialect: what it lacks is registered here. For plain Great Expectations,
``SQLDatasource.execution_engine_override = DuckDBEngine`` registers it before a data source is added.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from duckdb_sqlalchemy import ConnectionWrapper
from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.metrics.map_metric_provider import (
    ColumnMapMetricProvider,
    ColumnPairMapMetricProvider,
    MulticolumnMapMetricProvider,
    column_condition_partial,
    column_pair_condition_partial,
)
from great_expectations.expectations.metrics.map_metric_provider.multicolumn_function_partial import (
    multicolumn_function_partial,
)
from great_expectations.expectations.metrics.metric_provider import MetricProvider, metric_value

if TYPE_CHECKING:
    import duckdb


class DuckDBEngine(SqlAlchemyExecutionEngine):
    """Evaluates expectations as SQL in DuckDB."""

    @classmethod
    def on(cls, connection: "duckdb.DuckDBPyConnection") -> "DuckDBEngine":
        """An engine that uses an open connection and leaves it open."""
        engine = sa.create_engine(
            "duckdb://",
            creator=lambda: _OpenConnection(connection),
            poolclass=sa.StaticPool,
            pool_reset_on_return=None,
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
            query_cache_size=0,  # no statement comes twice
        )
        return cls(engine=engine, create_temp_table=False)

    def execute_query(self, query: Any) -> Any:
        """The rows of a query, read before its connection is returned, after which DuckDB has none."""
        with self.get_connection() as connection:
            return connection.execute(query).freeze()()

    def get_domain_records(self, domain_kwargs: dict[str, Any]) -> Any:
        """The rows that an expectation is about, as a table: some metrics take no query."""
        rows = super().get_domain_records(domain_kwargs)
        return rows.subquery() if isinstance(rows, sa.Select) else rows

    def resolve_metrics(
        self,
        metrics_to_resolve: Iterable[Any],
        metrics: dict[Any, Any] | None = None,
        runtime_configuration: dict[str, Any] | None = None,
    ) -> dict[Any, Any]:
        """Compute metrics; where no example of a failing value is wanted, none is queried."""
        queried: list[Any] = []
        found: dict[Any, Any] = {}
        for metric in metrics_to_resolve:
            is_example = metric.metric_name.endswith(".unexpected_values")
            if is_example and not metric.metric_value_kwargs["result_format"]["partial_unexpected_count"]:
                found[metric.id] = []
            else:
                queried.append(metric)
        if queried:
            found |= super().resolve_metrics(queried, metrics, runtime_configuration)
        for key, value in found.items():
            if value is None and key.metric_name.endswith(".unexpected_count"):
                found[key] = 0  # SQL's sum of no rows is null
        return found


class _OpenConnection(ConnectionWrapper):
    def close(self) -> None:
        """Nothing: whoever opened the connection closes it."""


class _MatchRegex(ColumnMapMetricProvider):
    condition_metric_name = "column_values.match_regex"
    condition_value_keys = ("regex",)

    @column_condition_partial(engine=DuckDBEngine)
    def _duckdb(self, column: Any, regex: str, **_: Any) -> Any:
        return sa.func.regexp_matches(column, regex)


class _NotMatchRegex(ColumnMapMetricProvider):
    condition_metric_name = "column_values.not_match_regex"
    condition_value_keys = ("regex",)

    @column_condition_partial(engine=DuckDBEngine)
    def _duckdb(self, column: Any, regex: str, **_: Any) -> Any:
        return sa.not_(sa.func.regexp_matches(column, regex))


class _GreaterThan(ColumnPairMapMetricProvider):
    """Great Expectations' SQL passes a pair of which one value is missing, its data frames do not."""

    condition_metric_name = "column_pair_values.a_greater_than_b"
    condition_domain_keys = (
        *("batch_id", "table", "column_A", "column_B"),
        *("row_condition", "condition_parser", "ignore_row_if"),
    )
    condition_value_keys = ("or_equal",)

    @column_pair_condition_partial(engine=DuckDBEngine)
    def _duckdb(self, column_A: Any, column_B: Any, or_equal: bool | None = None, **_: Any) -> Any:  # noqa: N803
        return sa.func.coalesce(column_A >= column_B if or_equal else column_A > column_B, sa.false())


class _PairInSet(ColumnPairMapMetricProvider):
    """As above: a pair of which one value is missing is in no set."""

    condition_metric_name = "column_pair_values.in_set"
    condition_domain_keys = ("batch_id", "table", "column_A", "column_B", "ignore_row_if")
    condition_value_keys = ("value_pairs_set",)

    @column_pair_condition_partial(engine=DuckDBEngine)
    def _duckdb(self, column_A: Any, column_B: Any, value_pairs_set: list[Any], **_: Any) -> Any:  # noqa: N803
        pairs = [sa.and_(column_A == one, column_B == other) for one, other in value_pairs_set]
        return sa.func.coalesce(sa.or_(*pairs), sa.false())


class _RowsOfKey(MulticolumnMapMetricProvider):
    """Each row with the number of rows of its key; Great Expectations' join loses keys that hold a null."""

    function_metric_name = "compound_columns.count"
    condition_domain_keys = (
        *("batch_id", "table", "column_list"),
        *("row_condition", "condition_parser", "ignore_row_if"),
    )

    @multicolumn_function_partial(engine=DuckDBEngine)
    def _duckdb(self, column_list: list[Any], _table: Any, **_: Any) -> Any:
        rows = sa.func.count().over(partition_by=column_list).label("_num_rows")
        return sa.select(sa.text("*"), rows).select_from(_table).alias("rows_of_key")


class _RepeatedKeys(MetricProvider):
    """How many rows share their key with another; keys are compared only if their shorter hashes repeat."""

    metric_name = "compound_columns.unique.unexpected_count"
    domain_keys = _RowsOfKey.condition_domain_keys

    @metric_value(engine=DuckDBEngine)
    def _duckdb(
        cls,  # noqa: N805 # passed by this name
        execution_engine: DuckDBEngine,
        metric_domain_kwargs: dict[str, Any],
        **_: Any,
    ) -> int:
        key: list[Any] = [sa.column(name) for name in metric_domain_kwargs["column_list"]]
        table, rows = execution_engine.get_domain_records(metric_domain_kwargs), sa.func.count().label("rows")
        found = 0
        for by in ([sa.func.hash(*key)], key):
            groups = sa.select(rows).select_from(table).group_by(*by).having(rows > 1).subquery()
            found = execution_engine.execute_query(sa.select(sa.func.sum(groups.c.rows))).scalar() or 0
            if not found:
                break
        return int(found)


class _ColumnTypes(MetricProvider):
    """The columns of the table in one statement; the reflection of the dialect costs a fifth of a gate."""

    metric_name = "table.column_types"
    domain_keys = ("batch_id", "table", "row_condition", "condition_parser")
    value_keys = ("include_nested",)
    default_kwarg_values = {"include_nested": True}  # noqa: RUF012 # as Great Expectations declares it

    @metric_value(engine=DuckDBEngine)
    def _duckdb(cls, execution_engine: DuckDBEngine, **_: Any) -> list[dict[str, Any]]:  # noqa: N805
        table: Any = execution_engine.batch_manager.active_batch_data
        name = ".".join(filter(None, (table.source_schema_name, table.source_table_name)))
        columns = sa.func.pragma_table_info(name).table_valued("name", "type")
        return [dict(row._mapping) for row in execution_engine.execute_query(sa.select(columns))]
