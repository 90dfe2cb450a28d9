"""``asco prune``: the history of runs is cut back to the newest, and to what the present state rests on.

A run goes when it is over, not among the newest of its wave, and superseded: no asset and no check has its
latest result in it, since reuse and the release guard ask for those. With a run go its events, its logs and
its lines in the history of the gates. Releases, and what explains them, are never touched. What does not
belong here: the raw data of a wave (``purge``).
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
# Events without a run: what a sensor observed, of which the latest is shown.
_FORMER_OBSERVATIONS = """
delete from event_logs where run_id = '' and timestamp < :before and id not in (
    select max(id) from event_logs where run_id = '' group by asset_key, partition, dagster_event_type
)
"""
_BATCH = 500


@dataclass(frozen=True)
class Pruned:
    """What was pruned: ``runs`` deleted and ``kept``, and ``freed`` bytes of logs."""

    runs: int
    kept: int
    freed: int


def prune(instance: "DagsterInstance", settings: Settings, places: Places, keep: int) -> Pruned:
    """Delete the superseded runs of a home.

    Args:
        instance: Dagster's, on PostgreSQL.
        settings: the environment.
        places: the home.
        keep: newest finished runs of each wave that stay, and of the runs without a wave as many.
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
    """Ids of the runs that may go, and the number of those that stay."""
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
    """Delete the results of checks of these runs, which Dagster leaves behind when it deletes a run."""
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable

    for start in range(0, len(runs), _BATCH):
        some = runs[start : start + _BATCH]
        with _connection(instance) as connection:
            connection.execute(
                AssetCheckExecutionsTable.delete().where(AssetCheckExecutionsTable.c.run_id.in_(some))
            )


def _delete_observations(instance: "DagsterInstance") -> None:
    """Delete what was observed before the oldest run that stays, but for the latest of each."""
    from sqlalchemy import text

    oldest = instance.get_run_records(limit=1, ascending=True)
    if oldest:
        before = oldest[0].create_timestamp.replace(tzinfo=None)
        with _connection(instance) as connection:
            connection.execute(text(_FORMER_OBSERVATIONS), {"before": before})


def _vacuum(instance: "DagsterInstance", *, full: bool) -> None:
    """Let PostgreSQL use the space again, or where nobody else is connected give it back to the disk."""
    from sqlalchemy import text

    storage: Any = instance.event_log_storage
    with storage._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum (full, analyze)" if full else "vacuum (analyze)"))


def _connection(instance: "DagsterInstance") -> Any:
    """A transaction on the storage of events; Dagster's own door for reading and writing its index."""
    storage: Any = instance.event_log_storage
    return storage.index_connection()


def _logs(home: Path, run_id: str) -> Iterable[Path]:
    """What a run printed."""
    return (
        home / "compute_logs" / run_id,
        home / "storage" / run_id,
        home / "servers" / f"run-{run_id}.log",
    )


def _remove(path: Path) -> int:
    """Remove a file or folder; its bytes."""
    if path.is_dir():
        size = sum(part.stat().st_size for part in path.rglob("*") if part.is_file())
        shutil.rmtree(path)
        return size
    size = path.stat().st_size if path.exists() else 0
    path.unlink(missing_ok=True)
    return size


def _shorten_history(places: Places, runs: Sequence[str]) -> None:
    """Drop the runs' lines from the history of each wave, and write its page again."""
    waves = places.home / "waves"
    for folder in sorted(waves.glob("*/")):
        quality = places.home / "quality" / folder.name
        if forget_runs(folder, runs) and (quality / PAGE).is_file():
            write_history_page(waves, quality, folder.name)
