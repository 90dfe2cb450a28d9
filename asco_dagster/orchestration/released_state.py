"""Releases as a state that tables rest on, and the run's own release told to the fingerprints.

Some tables read what was released before; the release that they lead to changes that, and must not make them
out of date. The coming state is noted before the release is renamed into its place: a run that dies on either
side of the rename leaves tables whose state its retry knows, and the retry does not take the run's own
release for a former one. Which tables those are, the graph tells. What does not belong here: what a
fingerprint is (``fingerprints``), and the rename (``releases.draft``).
"""

import dagster as dg

from asco_dagster.orchestration.asset_graph import upstream, whole_graph
from asco_dagster.orchestration.fingerprints import allow_state, record_state_after
from asco_dagster.orchestration.wave_step import STATE, NamedState, WaveStep
from asco_dagster.releases.compared import compared_contents
from asco_dagster.releases.store import ReleaseStore

EARLIER_VERSIONS = NamedState(
    "earlier versions of the wave", lambda step: ReleaseStore.of(step.places, step.wave.wave).state()
)
COMPARED_RELEASES = NamedState(
    "latest releases of the wave and of the former one",
    lambda step: compared_contents(step.places, step.wave.wave),
)


def readers(step: WaveStep, state: NamedState, release: str) -> list[str]:
    """The assets before the release whose tables rest on a state.

    Args:
        step: of the release, whose run tells the graph.
        state: the state.
        release: name of the asset that makes the release.
    """
    graph = whole_graph(step.context)
    before = {name: graph.get(dg.AssetKey(name)).metadata for name in upstream(graph, release)}
    return [name for name, told in before.items() if told.get(STATE) == state.name]


def announce(step: WaveStep, release: str, version: str, content: str) -> None:
    """Note the state that a release is about to bring about.

    Args:
        step: of the release.
        release: name of its asset.
        version: that it will have.
        content: hash of its content, as its manifest will tell it.
    """
    _, former = COMPARED_RELEASES(step)
    coming = [*EARLIER_VERSIONS(step), [version, content]]
    allow_state(step.database, readers(step, EARLIER_VERSIONS, release), coming)
    allow_state(step.database, readers(step, COMPARED_RELEASES, release), [content, former])


def tell(step: WaveStep, release: str) -> None:
    """Note the state as it is, once the release stands."""
    for state in (EARLIER_VERSIONS, COMPARED_RELEASES):
        record_state_after(step.database, readers(step, state, release), state(step))
