"""Column lineage: read of SQL as DuckDB means it, kept, and shown for every column of every model."""

import subprocess
import sys
from pathlib import Path

import pytest

from asco_dagster.orchestration.column_lineage import cached_lineage, lineage_metadata, read_lineage
from asco_dagster.orchestration.dbt_manifest import read_manifest
from asco_dagster.orchestration.release_guard import materialization
from asco_dagster.storage.warehouse import columns_of, open_database
from asco_testing.worlds.small_wave import SmallWave

pytestmark = pytest.mark.slow

TABLES = {
    "raw_a__x": {"code": "VARCHAR", "value": "DOUBLE", "only_here": "VARCHAR"},
    "raw_a__y": {"value": "DOUBLE", "code": "VARCHAR"},
}
CASES = {
    "a column and an expression": (
        'select code, value * 2 as twice from "asco"."sources"."raw_a__x"',
        {"code": [("raw_a__x", "code")], "twice": [("raw_a__x", "value")]},
    ),
    "a union by name looks at names, not at places": (
        "with both_of as (select * from sources.raw_a__x union all by name select * from sources.raw_a__y) "
        "select code, value, only_here from both_of",
        {
            "code": [("raw_a__x", "code"), ("raw_a__y", "code")],
            "value": [("raw_a__x", "value"), ("raw_a__y", "value")],
            "only_here": [("raw_a__x", "only_here")],
        },
    ),
    "a union of three by name": (
        "select * from sources.raw_a__x union all by name select * from sources.raw_a__y "
        "union all by name select value as code, 1 as value from sources.raw_a__y",
        {
            "code": [("raw_a__x", "code"), ("raw_a__y", "code"), ("raw_a__y", "value")],
            "value": [("raw_a__x", "value"), ("raw_a__y", "value")],
            "only_here": [("raw_a__x", "only_here")],
        },
    ),
    "a star without some columns": (
        "select x.* exclude (only_here) from sources.raw_a__x as x",
        {"code": [("raw_a__x", "code")], "value": [("raw_a__x", "value")]},
    ),
    "a sum under a condition, a count, a constant": (
        "select sum(value) filter (where code = 'a') as total, count(*) as rows, 'x' as kind "
        "from sources.raw_a__x",
        {"total": [("raw_a__x", "code"), ("raw_a__x", "value")], "rows": [], "kind": []},
    ),
    "what only joins and chooses is no origin": (
        "select x.value from sources.raw_a__x as x inner join sources.raw_a__y as y on x.code = y.code "
        "where y.value > 0 order by x.only_here",
        {"value": [("raw_a__x", "value")]},
    ),
    "an unnested list": (
        "with parts as (select code, unnest(string_split(only_here, '|')) as part from sources.raw_a__x) "
        "select part from parts",
        {"part": [("raw_a__x", "only_here")]},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_lineage_is_read_as_duckdb_means_the_query(case: str) -> None:
    sql, expected = CASES[case]
    assert read_lineage(sql, TABLES) == expected


def test_what_was_read_is_kept_and_sqlglot_is_not_imported_again(tmp_path: Path) -> None:
    sql, expected = CASES["a column and an expression"]
    assert cached_lineage(tmp_path, sql, TABLES) == expected
    again = (
        "import sys; from pathlib import Path\n"
        "from asco_dagster.orchestration.column_lineage import cached_lineage\n"
        f"assert cached_lineage(Path({str(tmp_path)!r}), {sql!r}, {TABLES!r}) == {expected!r}\n"
        "assert 'sqlglot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", again], check=True)
    cached_lineage(tmp_path, sql, {"raw_a__x": {**TABLES["raw_a__x"], "new": "INTEGER"}})
    assert len(list((tmp_path / "lineage").glob("*.json"))) == 2, "other columns may mean another lineage"


def test_sql_that_cannot_be_read_costs_a_table_and_no_run(tmp_path: Path) -> None:
    assert lineage_metadata(tmp_path, "select not_there from sources.raw_a__x", TABLES) == {}
    assert lineage_metadata(tmp_path, "selekt (", TABLES) == {}
    assert lineage_metadata(tmp_path, "", TABLES) == {}


def test_every_column_of_every_model_says_where_it_comes_from(small_wave: SmallWave) -> None:
    manifest = read_manifest(small_wave.places)
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    everything = {**manifest["nodes"], **manifest["sources"]}
    assert len(models) > 20
    with open_database(small_wave.places.database("2014"), read_only=True) as database:
        for node in models:
            record = materialization(small_wave.instance, "2014", node["name"])
            metadata = record.asset_materialization.metadata
            lineage = metadata["dagster/column_lineage"].value.deps_by_column
            assert set(lineage) == set(columns_of(database, node["name"])), node["name"]
            read = {everything[parent]["name"] for parent in node["depends_on"]["nodes"]}
            found = {(dep.asset_key.path[-1], dep.column_name) for deps in lineage.values() for dep in deps}
            assert {table for table, _ in found} <= read, node["name"]
            for table, column in found:
                assert column in columns_of(database, table), f"{node['name']}: {table}.{column}"
            rows = metadata["column lineage"].records
            told = list(dict.fromkeys(row.data["column"] for row in rows))
            assert told == list(columns_of(database, node["name"])), node["name"]


def test_a_released_estimate_comes_from_the_cell_and_its_status(small_wave: SmallWave) -> None:
    record = materialization(small_wave.instance, "2014", "pub_asco__cells")
    lineage = record.asset_materialization.metadata["dagster/column_lineage"].value.deps_by_column
    origins = {(dep.asset_key.path[-1], dep.column_name) for dep in lineage["estimate"]}
    assert origins == {("sec_asco__cells", name) for name in ("estimate", "statistic", "status", "unit_type")}
