"""The run's own release, told to the fingerprints: it must not make the tables that led to it out of date.

Some tables read what was released before; the release that they lead to changes that. The coming state is
noted before the release is renamed into its place: a run that dies on either side of the rename leaves tables
whose state its retry knows, and the retry does not take the run's own release for a former one. What does not
belong here: what a fingerprint is (``orchestration.fingerprints``), and the rename (``draft``).
"""

from asco_dagster.confidentiality.assets import READ_RELEASES
from asco_dagster.orchestration.fingerprints import left, may_be_left
from asco_dagster.orchestration.wave_step import WaveStep
from asco_dagster.publication.evolution import compared_releases
from asco_dagster.releases.store import Shelf

READ_VERSIONS = (*READ_RELEASES, "pub_asco__revisions")
"""Assets whose state is ``Shelf.state``."""
COMPARE_RELEASES = ("sec_quality__drift", "pub_asco__quality_report")
"""Assets before the release whose state is ``compared_releases``."""


def announce(step: WaveStep, version: str, content: str) -> None:
    """Note the state that a release is about to bring about.

    Args:
        step: of the release.
        version: that it will have.
        content: hash of its content, as its manifest will tell it.
    """
    _, former = compared_releases(step)
    may_be_left(step.database, READ_VERSIONS, [*_shelf(step).state(), [version, content]])
    may_be_left(step.database, COMPARE_RELEASES, [content, former])


def tell(step: WaveStep) -> None:
    """Note the state as it is, once the release stands."""
    left(step.database, READ_VERSIONS, _shelf(step).state())
    left(step.database, COMPARE_RELEASES, compared_releases(step))


def _shelf(step: WaveStep) -> Shelf:
    return Shelf.of(step.places, step.wave.wave)
