"""``asco prune``: deletes superseded runs with their events, logs and lines in the history of the gates.

A run is superseded if it is over, not among the newest of its wave, and no asset or check has its latest
result in it: reuse and the release guard need those. Releases are never deleted.
"""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asco_dagster.gates.history.page import PAGE, write_history_page
from asco_dagster.gates.history.store import forget_runs
from asco_dagster.operations.instance import is_unserved
from asco_dagster.orchestration.tags import PARTITION_TAG
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places

if TYPE_CHECKING:
    from dagster import DagsterInstance

_LATEST_MATERIALIZATIONS = """
select distinct run_id from event_logs where id in (
    select max(id) from event_logs
    where dagster_event_type = 'ASSET_MATERIALIZATION' group by asset_key, partition
)
"""
_LATEST_CHECKS = """
select distinct run_id from asset_check_executions where id in (
    select max(id) from asset_check_executions
    where execution_status in ('SUCCEEDED', 'FAILED') group by asset_key, check_name, partition
)
"""
# Events without a run: observations of a sensor, of which the latest is shown.
_FORMER_OBSERVATIONS = """
delete from event_logs where run_id = '' and timestamp < :before and id not in (
    select max(id) from event_logs where run_id = '' group by asset_key, partition, dagster_event_type
)
"""
_BATCH = 500


@dataclass(frozen=True)
class Pruned:
    """Number of ``runs`` deleted and ``kept``, and ``freed`` bytes of logs."""

    runs: int
    kept: int
    freed: int

    def __str__(self) -> str:
        return f"{self.runs} runs deleted, {self.kept} kept; {self.freed / 1e6:.1f} MB of logs freed"


def prune(instance: "DagsterInstance", settings: Settings, places: Places, keep: int) -> Pruned:
    """Delete the superseded runs of a home.

    ``keep`` is the number of newest finished runs to keep for each wave, and of runs without a wave.
    """
    superseded, kept = _superseded(instance, keep)
    for run_id in superseded:
        instance.delete_run(run_id)
    _delete_checks(instance, superseded)
    _delete_observations(instance)
    _vacuum(instance, full=is_unserved(settings, places))
    freed = sum(_remove(path) for run_id in superseded for path in _logs(places.dagster_home, run_id))
    _shorten_history(places, superseded)
    return Pruned(len(superseded), kept, freed)


def _superseded(instance: "DagsterInstance", keep: int) -> tuple[list[str], int]:
    """Ids of superseded runs, and the number of others."""
    from dagster import DagsterRunStatus

    needed = _needed(instance)
    newest: dict[str, int] = {}
    superseded, kept = [], 0
    for record in instance.get_run_records():  # the newest first
        run = record.dagster_run
        over = run.status in {DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED}
        wave = run.tags.get(PARTITION_TAG, "")
        newest[wave] = newest.get(wave, 0) + over
        if over and newest[wave] > keep and run.run_id not in needed:
            superseded.append(run.run_id)
        else:
            kept += 1
    return superseded, kept


def _needed(instance: "DagsterInstance") -> set[str]:
    """Runs in which an asset or a check has its latest result."""
    from sqlalchemy import text

    with _connection(instance) as connection:
        rows = [
            row
            for statement in (_LATEST_MATERIALIZATIONS, _LATEST_CHECKS)
            for row in connection.execute(text(statement))
        ]
    return {run_id for (run_id,) in rows}


def _delete_checks(instance: "DagsterInstance", runs: Sequence[str]) -> None:
    """Delete the check results of these runs, which Dagster keeps when it deletes a run."""
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable

    for start in range(0, len(runs), _BATCH):
        some = runs[start : start + _BATCH]
        with _connection(instance) as connection:
            connection.execute(
                AssetCheckExecutionsTable.delete().where(AssetCheckExecutionsTable.c.run_id.in_(some))
            )


def _delete_observations(instance: "DagsterInstance") -> None:
    """Delete observations before the oldest remaining run, except the latest of each."""
    from sqlalchemy import text

    oldest = instance.get_run_records(limit=1, ascending=True)
    if oldest:
        before = oldest[0].create_timestamp.replace(tzinfo=None)
        with _connection(instance) as connection:
            connection.execute(text(_FORMER_OBSERVATIONS), {"before": before})


def _vacuum(instance: "DagsterInstance", *, full: bool) -> None:
    """Free the space for PostgreSQL, or for the disk if nobody else is connected."""
    from sqlalchemy import text

    storage: Any = instance.event_log_storage
    with storage._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum (full, analyze)" if full else "vacuum (analyze)"))


def _connection(instance: "DagsterInstance") -> Any:
    """A transaction on the event storage."""
    storage: Any = instance.event_log_storage
    return storage.index_connection()


def _logs(home: Path, run_id: str) -> Iterable[Path]:
    """Logs of a run."""
    return (home / "compute_logs" / run_id, home / "storage" / run_id, home / "servers" / f"run-{run_id}.log")


def _remove(path: Path) -> int:
    """Delete a file or folder; its size in bytes."""
    if path.is_dir():
        size = sum(part.stat().st_size for part in path.rglob("*") if part.is_file())
        shutil.rmtree(path)
        return size
    size = path.stat().st_size if path.exists() else 0
    path.unlink(missing_ok=True)
    return size


def _shorten_history(places: Places, runs: Sequence[str]) -> None:
    """Delete the runs' lines in the history of each wave, and rewrite its page."""
    waves = places.home / "waves"
    for folder in sorted(waves.glob("*/")):
        quality = places.home / "quality" / folder.name
        if forget_runs(folder, runs) and (quality / PAGE).is_file():
            write_history_page(waves, quality, folder.name)
