"""The release calendar: publishes each sealed version when its instant has come.

Belongs here: asking every wave's store what is due. What does not belong here: when that is (wave file, plan:
``embargo``), and Dagster's clock (``triggers.release_calendar``).
"""

import datetime as dt

from asco_dagster.releases import embargo
from asco_dagster.releases.store import ReleaseStore
from asco_dagster.storage.places import Places


def due_versions(places: Places, waves: list[str], now: dt.datetime) -> dict[str, str]:
    """The sealed versions whose instant has come, by wave.

    Args:
        places: where things lie.
        waves: the waves to ask for.
        now: the present instant, with its offset.
    """
    found = {wave: embargo.due(ReleaseStore.of(places, wave), now) for wave in waves}
    return {wave: version for wave, version in found.items() if version is not None}
