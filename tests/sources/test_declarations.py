"""Every source is declared in the few places that have to know it, and in each alike."""

import yaml

from asco_dagster.gates.suite import suite_assets
from asco_dagster.installation import DBT_PROJECT
from asco_dagster.sources.assets import SOURCES
from asco_dagster.waves.wave import Sources

RETURNS = {"commune_returns", "epci_returns"}


def test_the_wave_file_has_a_key_for_each_source_and_no_other() -> None:
    assert {source.key for source in SOURCES} | RETURNS == set(Sources.model_fields)
    assert len({source.asset for source in SOURCES}) == len(SOURCES)


def test_a_source_that_a_wave_may_omit_has_an_empty_table() -> None:
    for source in SOURCES:
        assert Sources.model_fields[source.key].is_required() == (source.empty is None), source.asset


def test_each_source_has_its_dbt_source_and_its_suite() -> None:
    declared = yaml.safe_load((DBT_PROJECT / "models/staging/_sources.yml").read_text(encoding="utf-8"))
    tables = {table["name"] for group in declared["sources"] for table in group["tables"]}
    assert {source.asset for source in SOURCES} <= tables & set(suite_assets())
