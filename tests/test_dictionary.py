"""The dictionary of the pages: every table of the graph is recorded, every column is described."""

import json
from pathlib import Path

import dictionary

GRAPH = json.loads(Path(__file__).with_name("graph.json").read_text(encoding="utf-8"))


def test_every_table_is_recorded() -> None:
    """When it is not: run a wave, then ``python docs/site/record_tables.py HOME WAVE``."""
    assert sorted(dictionary.read_columns()) == sorted(GRAPH)


def test_every_column_is_described() -> None:
    """When it is not: describe it in its dbt model, in the contract, or in ``docs/dictionary/terms.yaml``."""
    assert dictionary.undescribed() == []


def test_no_term_is_left_that_no_table_has() -> None:
    written = dictionary.read_sources()
    columns = dictionary.read_columns()
    known = {column for table in columns.values() for column in table}
    assert set(written.terms) <= known
    for table, terms in written.overrides.items():
        assert set(terms) <= set(columns[table]), table
