"""A step knows the whole graph, whichever part of it runs; a part of the definitions is refused."""

from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from asco_dagster.definitions import defs
from asco_dagster.errors import ConfigurationError
from asco_dagster.orchestration.asset_graph import dbt_tests_of, upstream, whole_graph
from asco_dagster.orchestration.released_state import COMPARED_RELEASES, EARLIER_VERSIONS, readers

RELEASE = "pub_asco__release"


def _step(job: dg.JobDefinition) -> Any:
    return SimpleNamespace(context=SimpleNamespace(job_def=job))


def _jobs() -> dict[str, dg.JobDefinition]:
    """The wave's job, a selection of it, and what Dagster's pages run for a single asset."""
    alone = {dg.AssetKey(RELEASE)}
    wave = defs.resolve_job_def("wave_job")
    return {
        "the wave": wave,
        "the release of the wave": wave.get_subset(asset_selection=alone),
        "the release alone": defs.resolve_implicit_global_asset_job_def().get_subset(asset_selection=alone),
    }


@pytest.mark.parametrize("which", list(_jobs()))
def test_what_the_release_rests_on_is_the_same_in_every_run(which: str) -> None:
    graph, whole = whole_graph(_step(_jobs()[which]).context), defs.resolve_asset_graph()
    assert upstream(graph, RELEASE) == upstream(whole, RELEASE)
    behind = {"pub_asco__release", "pub_asco__evolution"}
    assert set(upstream(graph, RELEASE)) == {key.path[-1] for key in whole.get_all_asset_keys()} - behind
    assert dbt_tests_of(graph, upstream(graph, RELEASE)) == dbt_tests_of(whole, upstream(whole, RELEASE))


@pytest.mark.parametrize("which", list(_jobs()))
def test_the_graph_shows_which_tables_rest_on_releases(which: str) -> None:
    step = _step(_jobs()[which])
    assert readers(step, EARLIER_VERSIONS, RELEASE) == [
        *("pub_asco__revisions", "sec_asco__cells", "sec_asco__disclosure_log"),
    ]
    # what stands behind the release reads it afterwards: it is no table that led to it
    assert readers(step, COMPARED_RELEASES, RELEASE) == ["pub_asco__quality_report", "sec_quality__drift"]


def test_definitions_without_a_layer_release_nothing() -> None:
    from asco_dagster.publication.assets import publication_assets

    part = dg.Definitions(assets=publication_assets([]), resources={"settings": None})
    job = part.resolve_implicit_global_asset_job_def()
    with pytest.raises(ConfigurationError, match=r"lack .*sec_asco__cells.*, on which pub_"):
        upstream(whole_graph(_step(job).context), RELEASE)
