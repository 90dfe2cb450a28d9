"""Publishing the version that waits: on its day, by hand, or by approving it.

What follows is the same whoever publishes: the page of the candidate goes, and the lineage event is sent.
"""

import datetime as dt
from collections.abc import Callable

from asco_dagster.publication.lineage import emit, run_event
from asco_dagster.releases.candidate import PAGE
from asco_dagster.releases.release import Published, approve, publish_sealed
from asco_dagster.releases.signature import signer
from asco_dagster.releases.store import ReleaseStore
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places


def publish_waiting(
    settings: Settings,
    places: Places,
    wave: str,
    version: str,
    *,
    run_id: str,
    warn: Callable[[str], None],
    by: str | None = None,
) -> Published:
    """Publish the version of a wave that waits, once its day has come.

    Args:
        settings: the settings.
        places: the home.
        wave: the wave.
        version: the version, or the name of the candidate.
        run_id: of the run that publishes, a UUID, for the lineage event.
        warn: is given a sentence when the lineage event could not be sent.
        by: who approves it; None publishes what needs no approval or has one.

    Raises:
        ReleaseError: see ``publish_sealed`` and ``approve``.
        ConfigurationError: ``by`` is no name.
    """
    store, sign = ReleaseStore.of(places, wave), signer(settings, places)
    published = publish_sealed(store, version, sign) if by is None else approve(store, version, by, sign)
    (places.quality(wave) / PAGE).unlink(missing_ok=True)
    report_lineage(settings, published, run_id, warn)
    return published


def report_lineage(
    settings: Settings, published: Published, run_id: str, warn: Callable[[str], None]
) -> None:
    """Send the event of a version that has just become public, where a collector is configured."""
    if settings.openlineage_url is None or not published.is_new or not published.is_public:
        return
    fault = emit(settings.openlineage_url, run_event(published, run_id, dt.datetime.now(dt.UTC)))
    if fault is not None:
        warn(fault)
