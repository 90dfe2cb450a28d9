"""Requests again the retries that Dagster's daemon missed, while ``asco up`` runs.

Dagster stores the event of a failure, then the run's state, then its tag “will retry”. Its daemon reads new
events every five seconds; between these writes it sees a run without the tag, and never looks at it again:
the retry never happens (Dagster's issue 33741: 54 of 24,112 runs). A second failure event, written when the
tag exists, makes the daemon look again; it retries no run twice.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from asco_dagster.errors import AscoError
from asco_dagster.operations.instance import storage_errors
from asco_dagster.orchestration.tags import PARTITION_TAG

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

_PAUSE = 20.0  # seconds between two checks; the daemon's are five apart
_AGE = 3600.0  # seconds after which a failure is no longer retried
_MOST = 2  # requests of a retry of one run


class Reminders:
    """Retries that were missing at the last check, and how often each was requested."""

    def __init__(self, instance: "DagsterInstance") -> None:
        self._instance = instance
        self._missing: set[str] = set()
        self._asked: Counter[str] = Counter()

    def look(self) -> list[str]:
        """Request the retries that are missing now and were at the last check.

        Returns:
            Ids of the runs whose retry was requested.
        """
        missing = {run.run_id: run for run in self._missed()}
        due = sorted(self._missing & set(missing))
        for run_id in due:
            self._asked[run_id] += 1
            self._instance.report_run_failed(
                missing[run_id], "The daemon missed the retry of this run; it is requested again."
            )
        self._missing = set(missing) - set(due)
        return due

    def _missed(self) -> list["DagsterRun"]:
        from dagster import DagsterRunStatus, RunsFilter
        from dagster._core.storage.tags import WILL_RETRY_TAG

        failed = RunsFilter(statuses=[DagsterRunStatus.FAILURE], tags={WILL_RETRY_TAG: "true"})
        records = self._instance.get_run_records(failed, limit=100)
        recent = [one.dagster_run for one in records if time.time() - (one.end_time or 0.0) < _AGE]
        return [run for run in recent if self._asked[run.run_id] < _MOST and self._is_missing(run)]

    def _is_missing(self, run: "DagsterRun") -> bool:
        from dagster import RunsFilter
        from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG

        # the daemon cannot launch a run of the command line, which has no code location
        if AUTO_RETRY_RUN_ID_TAG in run.tags or run.remote_job_origin is None:
            return False
        wave = run.tags.get(PARTITION_TAG)
        of_the_wave = RunsFilter(tags={PARTITION_TAG: wave} if wave else {}, job_name=run.job_name)
        # not if the wave was run again meanwhile
        return [one.run_id for one in self._instance.get_runs(of_the_wave, limit=1)] == [run.run_id]


@contextmanager
def reminding(instance: "DagsterInstance") -> Iterator[None]:
    """Check regularly, in a thread."""
    over = threading.Event()
    thread = threading.Thread(target=_remind, args=(Reminders(instance), over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _remind(reminders: Reminders, over: threading.Event) -> None:
    while not over.wait(_PAUSE):
        try:
            with storage_errors():
                reminders.look()
        except AscoError:
            continue  # the storage is unreachable, as the daemon's log says; perhaps not at the next check
