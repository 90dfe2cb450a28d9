"""The dictionary of the pages: every table of the graph is recorded, every column is described."""

import json
from pathlib import Path

from asco_dagster.definitions import defs
from asco_dagster.orchestration import column_texts as dictionary

GRAPH = json.loads(Path(__file__).with_name("graph.json").read_text(encoding="utf-8"))


def test_every_table_is_recorded() -> None:
    """When it is not: run a wave, then ``python docs/site/record_tables.py HOME WAVE``."""
    assert sorted(dictionary.read_columns()) == sorted(GRAPH)


def test_every_column_is_described() -> None:
    """When it is not: describe it in its dbt model, in the contract, or in ``column_terms.yaml``."""
    assert dictionary.undescribed() == []


def test_no_term_is_left_that_no_table_has() -> None:
    written = dictionary.read_sources()
    columns = dictionary.read_columns()
    known = {column for table in columns.values() for column in table}
    assert set(written.terms) <= known
    for table, terms in written.overrides.items():
        assert set(terms) <= set(columns[table]), table


def test_every_column_of_every_asset_is_described_on_dagsters_pages() -> None:
    """Before the first run too: the asset's definition has them, with their types."""
    graph = defs.resolve_asset_graph()
    lacking, count = [], 0
    for key in graph.get_all_asset_keys():
        schema = graph.get(key).metadata["dagster/column_schema"]
        count += len(schema.columns)
        lacking += [f"{key.path[-1]}.{one.name}" for one in schema.columns if not one.description]
    assert lacking == []
    assert count > 600
