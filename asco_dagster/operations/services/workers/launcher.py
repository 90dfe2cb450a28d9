"""Dagster's Celery launcher, which reads in the store whether the worker of a run is alive.

Celery does not notice that a machine died: its task remains “started”, and Dagster would wait for hours. The
lease of the wave's owner shows it within seconds, and Dagster then retries the run on another worker.
"""

from dagster import DagsterRun
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from asco_dagster.orchestration.tags import PARTITION_TAG
from asco_dagster.settings import Settings
from asco_dagster.storage.shared_store.claim import Lease, look
from asco_dagster.storage.shared_store.objects import Store


class WorkerLauncher(CeleryRunLauncher):
    """Sends runs to workers through Redis."""

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """State of the run's lease in the store; before it has one, of its Celery task."""
        found = _lease_of(run)
        if found is not None:
            lease, over = found
            if over and not lease.released:
                reason = f"The worker of this run ({lease.owner()}) no longer renews its lease in the store."
                return CheckRunHealthResult(WorkerStatus.FAILED, reason)
            if not over:
                return CheckRunHealthResult(WorkerStatus.RUNNING)
        if DAGSTER_CELERY_TASK_ID_TAG not in run.tags:  # of asco run, which has no launcher
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return super().check_run_worker_health(run)

    def terminate(self, run_id: str) -> bool:
        """Cancel a run; reported before its worker interrupts it, otherwise it would count as failed."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished or DAGSTER_CELERY_TASK_ID_TAG not in run.tags:
            return False
        self._instance.report_run_canceling(run)
        return super().terminate(run_id)


def _lease_of(run: DagsterRun) -> tuple[Lease, bool] | None:
    settings, wave = Settings.from_environment(), run.tags.get(PARTITION_TAG)
    found = look(Store(settings.store), wave) if settings.store and wave else None
    return found if found is not None and found[0].run == run.run_id else None
