"""Earlier releases as a state that tables depend on, and the run's release recorded in the fingerprints.

Some tables read what was released before; the release at the end of their run changes that, and must not
make them out of date. The coming state is recorded before the release is renamed into its place: a run that
dies on either side of the rename leaves tables whose state its retry knows, and the retry does not take the
run's release for an earlier one. Which tables read releases is in the asset graph.
"""

import dagster as dg

from asco_dagster.errors import ReleaseError
from asco_dagster.orchestration.asset_graph import upstream, whole_graph
from asco_dagster.orchestration.fingerprints import allow_state, made_in_state, record_state_after
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
    """The assets before the release whose tables depend on a state.

    Args:
        step: of the release, whose run knows the graph.
        state: the state.
        release: name of the asset that makes the release.
    """
    graph = whole_graph(step.context)
    before = {name: graph.get(dg.AssetKey(name)).metadata for name in upstream(graph, release)}
    return [name for name, metadata in before.items() if metadata.get(STATE) == state.name]


def require_same_versions(step: WaveStep, release: str) -> None:
    """Require that no version was published since the tables that depend on earlier versions were made.

    A release that was approved or published during the run is one more that the new one must be protected
    with.

    Args:
        step: of the release, which holds the versions.
        release: name of its asset.

    Raises:
        ReleaseError: one was published.
    """
    versions = EARLIER_VERSIONS(step)
    names = readers(step, EARLIER_VERSIONS, release)
    older = [name for name in names if not made_in_state(step.database, name, versions)]
    if older:
        raise ReleaseError(
            f"version {versions[-1][0] if versions else 'none'} was published since {older[0]} was made",
            expected="tables that are protected with every published version",
            remedy="Run the wave again",
        )


def announce_release(step: WaveStep, release: str, version: str, content: str) -> None:
    """Record the state that a release is about to create.

    Args:
        step: of the release.
        release: name of its asset.
        version: that it will have.
        content: hash of its content, as its manifest will have it.
    """
    _, former = COMPARED_RELEASES(step)
    coming = [*EARLIER_VERSIONS(step), [version, content]]
    allow_state(step.database, readers(step, EARLIER_VERSIONS, release), coming)
    allow_state(step.database, readers(step, COMPARED_RELEASES, release), [content, former])


def record_release(step: WaveStep, release: str) -> None:
    """Record the state once the release exists."""
    for state in (EARLIER_VERSIONS, COMPARED_RELEASES):
        record_state_after(step.database, readers(step, state, release), state(step))
