"""From which columns of which tables each column of a dbt model comes, read from the SQL that dbt compiled.

Reported as Dagster's ``dagster/column_lineage`` and, since its open-source pages do not draw that, as a
table. The SQL is parsed by sqlglot, as in dagster-dbt, which this project does not install (see
``dbt_layer``), once for a model's SQL and the columns that it reads; the result is cached beside the
manifest, so that later runs of the same models do not import sqlglot.

Lineage is that of values: a column that only chooses, joins or orders rows is not an origin.
"""

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from asco_dagster.durable import make_folder, write_whole
from asco_dagster.strict_json import JsonFault, read_json

if TYPE_CHECKING:
    from sqlglot import exp

Columns = Mapping[str, Mapping[str, str]]
"""Columns and their DuckDB types, by table (the name of its asset)."""

Lineage = dict[str, list[tuple[str, str]]]
"""Origins of each column, as table and column, in alphabetical order; none for a count or a constant."""


def lineage_metadata(folder: Path, sql: str, reads: Columns) -> dict[str, Any]:
    """Column lineage of a model as metadata of its asset.

    Args:
        folder: of the manifest, where the cache is.
        sql: the model's SQL as dbt compiled it; empty for a seed, which comes from no table.
        reads: columns of the tables that it reads.

    Returns:
        Nothing for a seed, and for SQL that sqlglot cannot read.
    """
    lineage = cached_lineage(folder, sql, reads) if sql else None
    if not lineage:
        return {}
    origins = {
        column: [dg.TableColumnDep(asset_key=dg.AssetKey(table), column_name=name) for table, name in origin]
        for column, origin in lineage.items()
    }
    records = [
        dg.TableRecord({"column": column, "from table": table, "from column": name})
        for column, origin in lineage.items()
        for table, name in origin or [("", "counted or constant")]
    ]
    return {
        "dagster/column_lineage": dg.TableColumnLineage(deps_by_column=origins),
        "column lineage": dg.MetadataValue.table(records),
    }


def cached_lineage(folder: Path, sql: str, reads: Columns) -> Lineage | None:
    """Column lineage of a model, from the cache where it was read before.

    Args:
        folder: that of the manifest.
        sql: the model's SQL as dbt compiled it.
        reads: columns of the tables that it reads.

    Returns:
        None when sqlglot cannot read the SQL: the pages then lack a table, and nothing else does.
    """
    key = json.dumps([version("sqlglot"), Path(__file__).read_text(encoding="utf-8"), sql, reads])
    path = folder / "lineage" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
    try:
        found = read_json(path)
    except (FileNotFoundError, JsonFault):  # a damaged one is read again
        found = _readable(sql, reads)
        make_folder(path.parent)
        write_whole(path, json.dumps(found))
    if found is None:
        return None
    return {column: [(table, name) for table, name in origin] for column, origin in found.items()}


def _readable(sql: str, reads: Columns) -> Lineage | None:
    from sqlglot.errors import SqlglotError

    try:
        return read_lineage(sql, reads)
    except SqlglotError:
        return None


def read_lineage(sql: str, reads: Columns) -> Lineage:
    """Read the column lineage of a query.

    Args:
        sql: one query in DuckDB's dialect; its tables are named by their assets, with any schema.
        reads: columns of the tables that it reads.

    Returns:
        Origins of each column, in the order of the query's columns.

    Raises:
        sqlglot.errors.SqlglotError: it is no query, or names a column that no table has.
    """
    from sqlglot import exp, parse_one
    from sqlglot.lineage import lineage
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope

    query = parse_one(sql, dialect="duckdb")
    for table in query.find_all(exp.Table):
        if table.name in reads:
            table.set("db", None)
            table.set("catalog", None)
    query = qualify(query, dialect="duckdb", schema={name: dict(columns) for name, columns in reads.items()})
    for union in list(query.find_all(exp.SetOperation)):
        if union.args.get("by_name"):
            _by_place(union)
    # trimming copies the whole query for each column, to show what nobody looks at here
    scope = build_scope(query)
    nodes = lineage(None, query, schema={}, dialect="duckdb", scope=scope, trim_selects=False)
    return {
        column: sorted(
            {
                (leaf.expression.name, exp.to_column(leaf.name).name)
                for leaf in node.walk()
                if not leaf.downstream and isinstance(leaf.expression, exp.Table)
            }
        )
        for column, node in nodes.items()
    }


def _by_place(union: "exp.SetOperation") -> None:
    """Give all parts of a union by name the same columns in the same places, where sqlglot looks for them."""
    from sqlglot import exp

    parts = _parts(union)
    names = list(dict.fromkeys(name for part in parts for name in part.named_selects))
    for part in parts:
        present = {select.alias_or_name: select for select in part.selects}
        missing = {name: exp.alias_(exp.null(), name) for name in names if name not in present}
        part.set("expressions", [{**present, **missing}[name] for name in names])


def _parts(query: Any) -> list["exp.Select"]:
    """The plain queries that a union is made of, from first to last."""
    from sqlglot import exp

    if isinstance(query, exp.SetOperation):
        return _parts(query.left) + _parts(query.right)
    inner = query.unnest() if isinstance(query, exp.Subquery) else query
    return [inner] if isinstance(inner, exp.Select) else _parts(inner)
