"""The dictionary of the pages: every table of the graph is recorded, every column is described."""

import importlib.util
import json
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
_SPEC = importlib.util.spec_from_file_location("dictionary", CHECKOUT / "docs" / "site" / "dictionary.py")
assert _SPEC and _SPEC.loader
dictionary = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(dictionary)

GRAPH = json.loads(next((CHECKOUT / "tests").rglob("graph.json")).read_text(encoding="utf-8"))


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
