"""Retries that Dagster's daemon overlooked are asked for again while ``asco up`` runs.

Dagster stores the event of a failure, then the run's state, then its tag “will retry”. Its daemon looks for
new events every five seconds; one that looks between takes the run for one that is not to be retried, and
never looks at it again: the run says that it will be retried, and waits for ever. A second event of the
failure, written when the tag stands, has the daemon look anew; it retries no run twice. (Dagster's issue
33741 tells of such runs, 54 of 24,112.) What does not belong here: runs that lost their process
(``instance.mark_dead_runs``).
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from asco_dagster.errors import AscoError
from asco_dagster.orchestration.tags import PARTITION_TAG

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

_PAUSE = 20.0  # seconds between two looks; the daemon's own are five apart
_AGE = 3600.0  # seconds after which a failure is left to people
_MOST = 2  # times that the retry of one run is asked for


class Reminders:
    """Remembers which retries were missing at the last look, and how often each was asked for."""

    def __init__(self, instance: "DagsterInstance") -> None:
        self._instance = instance
        self._missing: set[str] = set()
        self._asked: Counter[str] = Counter()

    def look(self) -> list[str]:
        """Ask for the retries that are missing now and were so at the last look.

        Returns:
            The ids of the runs whose retry was asked for.
        """
        missing = {run.run_id: run for run in self._overlooked()}
        due = sorted(self._missing & set(missing))
        for run_id in due:
            self._asked[run_id] += 1
            self._instance.report_run_failed(
                missing[run_id], "The daemon overlooked the retry of this run; it is asked for again."
            )
        self._missing = set(missing) - set(due)
        return due

    def _overlooked(self) -> list["DagsterRun"]:
        from dagster import DagsterRunStatus, RunsFilter
        from dagster._core.storage.tags import WILL_RETRY_TAG

        failed = RunsFilter(statuses=[DagsterRunStatus.FAILURE], tags={WILL_RETRY_TAG: "true"})
        records = self._instance.get_run_records(failed, limit=100)
        recent = [one.dagster_run for one in records if time.time() - (one.end_time or 0.0) < _AGE]
        return [run for run in recent if self._asked[run.run_id] < _MOST and self._is_missing(run)]

    def _is_missing(self, run: "DagsterRun") -> bool:
        from dagster import RunsFilter
        from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG

        # a run of the command line has no code location that the daemon could launch it from
        if AUTO_RETRY_RUN_ID_TAG in run.tags or run.remote_job_origin is None:
            return False
        wave = run.tags.get(PARTITION_TAG)
        of_the_wave = RunsFilter(tags={PARTITION_TAG: wave} if wave else {}, job_name=run.job_name)
        # whoever ran the wave again meanwhile has it in hand
        return [one.run_id for one in self._instance.get_runs(of_the_wave, limit=1)] == [run.run_id]


@contextmanager
def reminding(instance: "DagsterInstance") -> Iterator[None]:
    """Look again and again, in a thread of its own, until the end."""
    over = threading.Event()
    thread = threading.Thread(target=_remind, args=(Reminders(instance), over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _remind(reminders: Reminders, over: threading.Event) -> None:
    from asco_dagster.operations.wave_run import storage_told

    while not over.wait(_PAUSE):
        try:
            with storage_told():
                reminders.look()
        except AscoError:
            continue  # the storage is away, which the daemon's log tells; the next look may find it again
