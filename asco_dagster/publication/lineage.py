"""One OpenLineage event a published version, to the collector that OPENLINEAGE_URL names; without it, none.

The event names inputs and released files, never a row. A collector that is away delays nothing and refuses
nothing: the release is published, and the log says so.
"""

import datetime as dt
from typing import Any

from asco_dagster.releases.release import Published
from asco_dagster.releases.store import read_manifest

PRODUCER = "https://pypi.org/project/asco_dagster/"
SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
VERSION_FACET = "https://openlineage.io/spec/facets/1-0-1/DatasetVersionDatasetFacet.json"
NAMESPACE = "asco"
_PATIENCE = 5  # seconds


def run_event(published: Published, run_id: str, now: dt.datetime) -> dict[str, Any]:
    """The event of one published version.

    Args:
        published: the version.
        run_id: the run's identifier, a UUID.
        now: the present instant, with its offset.
    """
    manifest = read_manifest(published.folder)
    wave = manifest["wave"]
    return {
        "eventType": "COMPLETE",
        "eventTime": now.isoformat(),
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
        "run": {"runId": run_id},
        "job": {"namespace": NAMESPACE, "name": f"wave_job.{wave}"},
        "inputs": [
            _dataset(f"inbox/{wave}/{file['address']}", file["sha256"]) for file in manifest["inputs"]
        ],
        "outputs": [
            _dataset(f"releases/{wave}/{manifest['version']}/{path}", entry["sha256"])
            for path, entry in manifest["files"].items()
        ],
    }


def emit(collector: str, event: dict[str, Any]) -> str | None:
    """Send an event to a collector; what went wrong as a sentence, None when it took it."""
    import requests

    address = f"{collector.rstrip('/')}/api/v1/lineage"
    try:
        answer = requests.post(address, json=event, timeout=_PATIENCE)
    except requests.RequestException as error:
        return f"The OpenLineage collector cannot be reached ({type(error).__name__})."
    return None if answer.ok else f"The OpenLineage collector answered {answer.status_code}."


def _dataset(name: str, sha256: str) -> dict[str, Any]:
    version = {"_producer": PRODUCER, "_schemaURL": VERSION_FACET, "datasetVersion": f"sha256:{sha256}"}
    return {"namespace": NAMESPACE, "name": name, "facets": {"version": version}}
