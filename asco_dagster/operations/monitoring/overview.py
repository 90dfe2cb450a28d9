"""The status of each wave: its last run, its gates, its latest release.

The gates of a wave are the suites in ``expectations/``, so that gates that never ran are listed and nothing
heavy has to be imported.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from asco_dagster.gates.suite import suite_assets
from asco_dagster.operations.instance import mark_dead_runs, open_instance
from asco_dagster.operations.monitoring.releases import list_releases
from asco_dagster.orchestration.tags import PARTITION_TAG
from asco_dagster.releases.candidate import Candidate, candidate_of
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.waves import wave_names

if TYPE_CHECKING:
    from dagster import AssetCheckEvaluation, DagsterInstance

STATES = ("passed", "warned", "failed", "never")


@dataclass(frozen=True)
class LastRun:
    """The last run of a wave.

    Attributes:
        run_id: Dagster's id.
        status: Dagster's status, for example ``SUCCESS``.
        start: its start, ISO 8601 in UTC; None while it is queued.
        seconds: its duration up to now; None while it is queued.
    """

    run_id: str
    status: str
    start: str | None
    seconds: float | None


@dataclass(frozen=True)
class WaveStatus:
    """One wave.

    Attributes:
        wave: its name.
        run: its last run, None if it never ran.
        gates: state of each gate (``passed``, ``warned``, ``failed``, ``never``), by asset.
        release: the latest version, None without a release.
        released_at: time of that release.
        unjudged: by asset, why a result in Dagster does not count.
        candidate: the version that waits for an approval, None without one.
    """

    wave: str
    run: LastRun | None = None
    gates: Mapping[str, str] = field(default_factory=dict)
    release: str | None = None
    released_at: str | None = None
    unjudged: Mapping[str, str] = field(default_factory=dict)
    candidate: Candidate | None = None

    def count(self, state: str) -> int:
        """Number of gates in a state."""
        return list(self.gates.values()).count(state)

    def as_json(self) -> dict[str, Any]:
        """For ``asco status --json``."""
        return {
            "wave": self.wave,
            "run": asdict(self.run) if self.run else None,
            "gates": {
                "counts": {state: self.count(state) for state in STATES},
                "by_asset": dict(self.gates),
                "not_judged": dict(self.unjudged),
            },
            "release": {"version": self.release, "released_at": self.released_at} if self.release else None,
            "candidate": asdict(self.candidate) | {"folder": str(self.candidate.folder)}
            if self.candidate
            else None,
        }


def overview(settings: Settings, places: Places) -> list[WaveStatus]:
    """Status of every wave.

    Raises:
        ConfigurationError: the storage is not available.
        ReleaseError: a release folder cannot be read.
    """
    with ExitStack() as stack:
        instance = None
        # Before the first run there is no storage, and a query must not create one.
        if settings.postgres_url is not None or (places.postgres / "PG_VERSION").exists():
            instance = stack.enter_context(open_instance(settings, places))
            mark_dead_runs(instance)
        return [wave_status(instance, places, wave) for wave in wave_names()]


def wave_status(instance: "DagsterInstance | None", places: Places, wave: str) -> WaveStatus:
    """Status of one wave; without an instance it never ran.

    Raises:
        ReleaseError: a release folder cannot be read.
    """
    assets = suite_assets()
    latest = next((release for release in list_releases(places, [wave]) if release.latest), None)
    gates, unjudged = dict.fromkeys(assets, "never"), {}
    if instance is not None:
        known = _judgements(instance, wave, assets)
        unjudged = _unjudged(known, places, wave)
        gates |= {asset: _state(found) for asset, found in known.items() if asset not in unjudged}
    return WaveStatus(
        wave=wave,
        run=None if instance is None else last_run(instance, wave),
        gates=gates,
        unjudged=unjudged,
        release=latest.version if latest else None,
        released_at=latest.released_at if latest else None,
        candidate=candidate_of(places, wave),
    )


def last_run(instance: "DagsterInstance", wave: str) -> LastRun | None:
    """The last run of a wave; None if it never ran."""
    from dagster import RunsFilter

    records = instance.get_run_records(RunsFilter(tags={PARTITION_TAG: wave}), limit=1)
    if not records:
        return None
    record = records[0]
    start, seconds = None, None
    if record.start_time is not None:
        start = datetime.fromtimestamp(record.start_time, UTC).isoformat(timespec="seconds")
        seconds = round((record.end_time or datetime.now(UTC).timestamp()) - record.start_time, 1)
    return LastRun(record.dagster_run.run_id, record.dagster_run.status.value, start, seconds)


def _judgements(
    instance: "DagsterInstance", wave: str, assets: list[str]
) -> dict[str, "AssetCheckEvaluation"]:
    """The latest result of each gate that has one, as the release guard reads it."""
    from dagster import AssetCheckKey, AssetKey

    from asco_dagster.orchestration.release_guard import latest_evaluations  # dagster

    keys = {AssetCheckKey(AssetKey(asset), f"gx__{asset}"): asset for asset in assets}
    if not keys:
        return {}
    found = latest_evaluations(instance, wave, list(keys))
    return {keys[key]: result for key, result in found.items() if result is not None}


def unjudged_gates(instance: "DagsterInstance", places: Places, wave: str) -> dict[str, str]:
    """By asset, why a result in Dagster does not count."""
    return _unjudged(_judgements(instance, wave, suite_assets()), places, wave)


def _unjudged(known: Mapping[str, "AssetCheckEvaluation"], places: Places, wave: str) -> dict[str, str]:
    """Why results in Dagster do not count: the stored result is missing or differs."""
    from asco_dagster.orchestration.release_guard import mismatch  # dagster

    folder = places.gates(wave)
    if not any(folder.glob("*.json")):
        return {}  # the wave ran on another machine
    found = {asset: mismatch(result, folder, asset, wave) for asset, result in known.items()}
    return {asset: str(fault) for asset, fault in found.items() if fault is not None}


def _state(result: "AssetCheckEvaluation") -> str:
    if result.passed:
        return "passed"
    return "warned" if result.severity.value == "WARN" else "failed"
