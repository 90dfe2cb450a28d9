"""Prometheus metrics of a home: runs, gates, releases; rows, seconds and memory of the steps.

Counts and durations only: no name of a unit, no value of the survey.
"""

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

from asco_dagster.gates.suite import suite_assets
from asco_dagster.observation import PEAK, SECONDS
from asco_dagster.operations.monitoring.overview import STATES, wave_status
from asco_dagster.operations.monitoring.releases import list_releases
from asco_dagster.orchestration.tags import PARTITION_TAG
from asco_dagster.storage.places import Places
from asco_dagster.waves import wave_names

if TYPE_CHECKING:
    from dagster import DagsterInstance

_MEGABYTE = 1e6


def exposition(instance: "DagsterInstance", places: Places) -> bytes:
    """The metrics of every wave in Prometheus's text format.

    Raises:
        ReleaseError: a release folder cannot be read.
    """
    from prometheus_client import CollectorRegistry, Gauge, generate_latest

    registry = CollectorRegistry()

    def gauge(name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"asco_{name}", text, ("wave", *labels), registry=registry)

    runs = gauge("runs", "Runs in the history", "status")
    last = gauge("last_run_seconds", "Duration of the last run")
    gates = gauge("gates", "Gates by state", "state")
    rows = gauge("rows", "Rows of the latest materialization", "asset")
    seconds = gauge("step_seconds", "Duration of the latest materialization", "asset")
    memory = gauge("step_peak_memory_bytes", "Peak memory of the latest materialization", "asset")
    releases = gauge("releases", "Public versions")
    released_at = gauge("last_release_timestamp_seconds", "Time of the newest release, since 1970")
    candidate = gauge("candidate_numbers", "Numbers changed by the version that waits for approval", "change")
    for wave in wave_names():
        for state, count in _runs(instance, wave).items():
            runs.labels(wave, state).set(count)
        status = wave_status(instance, places, wave)
        if status.run is not None and status.run.seconds is not None:
            last.labels(wave).set(status.run.seconds)
        for state in STATES:
            gates.labels(wave, state).set(status.count(state))
        for asset, metadata in _materialized(instance, wave).items():
            for name, metric, unit in (
                ("dagster/row_count", rows, 1),
                (SECONDS, seconds, 1),
                (PEAK, memory, _MEGABYTE),
            ):
                if name in metadata:
                    metric.labels(wave, asset).set(metadata[name] * unit)
        if status.candidate is not None:
            for change, count in status.candidate.changes.items():
                candidate.labels(wave, change).set(count)
        found = [release for release in list_releases(places, [wave]) if release.state == "public"]
        releases.labels(wave).set(len(found))
        if found:
            moment = datetime.fromisoformat(found[-1].released_at)
            released_at.labels(wave).set(moment.timestamp())
    return bytes(generate_latest(registry))


def _runs(instance: "DagsterInstance", wave: str) -> Counter[str]:
    from dagster import RunsFilter

    return Counter(run.status.value for run in instance.get_runs(RunsFilter(tags={PARTITION_TAG: wave})))


def _materialized(instance: "DagsterInstance", wave: str) -> dict[str, dict[str, float]]:
    from dagster import AssetKey, AssetRecordsFilter

    found = {}
    for asset in suite_assets():
        chosen = AssetRecordsFilter(asset_key=AssetKey(asset), asset_partitions=[wave])
        records = instance.fetch_materializations(chosen, limit=1).records
        made = records[0].asset_materialization if records else None
        if made is not None:
            values = {name: value.value for name, value in made.metadata.items()}
            found[asset] = {k: float(v) for k, v in values.items() if isinstance(v, int | float)}
    return found
