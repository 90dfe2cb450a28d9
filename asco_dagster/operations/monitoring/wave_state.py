"""The state of a wave at a glance: collection, newest delivery, gates, release, embargo, candidate.

Dagster's freshness policies cannot show it: they check the newest materialization of an asset in any
partition, so a run of 2025 would make 2014 “fresh”, and estimates of 2014 remain right however old. What ages
is the relation between a wave's deliveries, its last run and its release.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asco_dagster.operations.monitoring.overview import WaveStatus, wave_status
from asco_dagster.operations.monitoring.releases import list_releases
from asco_dagster.releases.embargo import public_from
from asco_dagster.storage.places import Places
from asco_dagster.waves import Wave

if TYPE_CHECKING:
    from dagster import DagsterInstance

RUNNING = ("STARTING", "STARTED", "CANCELING")


@dataclass(frozen=True)
class WaveState:
    """The state of a wave.

    ``phase`` is the summary, ``facts`` are details as name and text.
    """

    wave: str
    phase: str
    facts: tuple[tuple[str, str], ...]


def wave_state(instance: "DagsterInstance", places: Places, wave: Wave, today: dt.date) -> WaveState:
    """State of a wave.

    Raises:
        ReleaseError: a release folder cannot be read.
    """
    status = wave_status(instance, places, wave.wave)
    newest = newest_delivery(places.inbox(wave.wave))
    versions = list_releases(places, [wave.wave])
    waits = status.candidate
    sealed = next((one for one in versions if one.state == "sealed"), None)
    facts = [
        *calendar(wave),
        ("newest delivery", _instant(newest)),
        ("last run", f"{status.run.status} since {status.run.start}" if status.run else "none"),
        ("newer deliveries", "yes" if _is_behind(status, newest) else "no"),
        ("gates", _gates(status)),
        ("release", f"{status.release} of {status.released_at}" if status.release else "none"),
        ("sealed", f"{sealed.version} until {sealed.released_at}" if sealed else "none"),
        ("candidate", f"{waits.version}: {waits.differences}; {waits.command}" if waits else "none"),
        ("withdrawn", ", ".join(one.version for one in versions if one.state == "withdrawn") or "none"),
    ]
    until = f"{sealed.version} until {sealed.released_at}" if sealed else None
    return WaveState(wave.wave, _phase(status, wave, newest, until, today), tuple(facts))


def calendar(wave: Wave) -> Iterator[tuple[str, str]]:
    """Dates of the wave file: the collection, and the first instant of a public release."""
    yield "collection", f"{wave.collection.start} to {wave.collection.end}"
    opens = public_from(wave)
    yield "embargo", f"until {opens.isoformat(timespec='minutes')}" if opens else "none"


def newest_delivery(inbox: Path) -> dt.datetime | None:
    """When a file of an inbox changed last; None if it is empty."""
    instants = [path.stat().st_mtime for path in inbox.rglob("*") if path.is_file()]
    return dt.datetime.fromtimestamp(max(instants), dt.UTC) if instants else None


def _phase(
    status: WaveStatus, wave: Wave, newest: dt.datetime | None, sealed: str | None, today: dt.date
) -> str:
    if status.run is not None and status.run.status in RUNNING:
        return "running"
    if status.count("failed"):
        return f"not released: {status.count('failed')} gate(s) closed in the last run"
    if status.run is not None and _is_behind(status, newest):
        return "deliveries are newer than the last run: run the wave again"
    if status.candidate is not None:
        return f"waits for approval: {status.candidate.version} ({status.candidate.differences})"
    if sealed is not None:
        return f"sealed: {sealed}"
    if status.release is not None:
        return f"released: {status.release}"
    if wave.collection.start <= today <= wave.collection.end:
        return f"in collection until {wave.collection.end}"
    return "delivered, not released" if newest is not None else "no deliveries"


def _is_behind(status: WaveStatus, newest: dt.datetime | None) -> bool:
    """Whether a file was delivered after the start of the last run, or there was no run."""
    if newest is None:
        return False
    start = status.run.start if status.run else None
    return start is None or newest > dt.datetime.fromisoformat(start)


def _gates(status: WaveStatus) -> str:
    if status.run is not None and status.run.status in RUNNING:
        return "running"
    states = {"passed": "open", "warned": "open with warnings", "failed": "closed", "never": "not checked"}
    return ", ".join(f"{status.count(state)} {word}" for state, word in states.items())


def _instant(instant: dt.datetime | None) -> str:
    return instant.isoformat(timespec="seconds") if instant else "none"
