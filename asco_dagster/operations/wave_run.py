"""One wave run in this process, told line by line: what ``asco run`` does.

It executes the same job as the UI does, on the same instance, so its runs, checks and materialisations are
seen there. What does not belong here: the command line's arguments.
"""

import dataclasses
import fcntl
import functools
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asco_dagster.errors import AscoError, is_sentence
from asco_dagster.escaping import on_one_line
from asco_dagster.gates.results import shortened, unjudged
from asco_dagster.gates.suite import require_suite_files
from asco_dagster.operations.notices import redacted, tell_failure
from asco_dagster.orchestration.tags import FRESH, PARTITION_TAG, REBUILT, UNCHANGED
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.postgres.server_faults import Fault, connecting_fault
from asco_dagster.waves import load_wave

if TYPE_CHECKING:
    import dagster as dg

Tell = Callable[[str], None]
Pipeline = Callable[[], Callable[..., "dg.Definitions"]]
"""Imports the assets, which takes seconds, and gives what builds the definitions of some settings."""


class _Narrator:
    """Follows the events of a run and tells the ones that a person waits for."""

    def __init__(self, tell: Tell, total: int) -> None:
        self.tell, self.total = tell, total
        self.made = 0
        self.unchanged = 0
        self.closed: list[str] = []
        self.warned: list[str] = []
        self.passed = 0
        self.failures: list[str] = []
        self.refused = False
        self.release: str | None = None

    def follow(self, entry: Any) -> None:
        event = entry.dagster_event
        if event is None:
            return
        kind = event.event_type_value
        if kind == "ASSET_MATERIALIZATION":
            self._materialized(event.step_materialization_data.materialization)
        elif kind == "ASSET_CHECK_EVALUATION":
            self._judged(event.asset_check_evaluation_data)
        elif kind == "STEP_FAILURE":
            self._failed(event.step_failure_data.error)
        elif kind == "PIPELINE_FAILURE" and event.job_failure_data.error is not None:
            self._failed(event.job_failure_data.error)

    def _materialized(self, made: Any) -> None:
        self.made += 1
        rows = made.metadata.get("dagster/row_count")
        counted = f"{rows.value:>11,} rows" if rows is not None else ""
        stands = UNCHANGED in made.metadata
        self.unchanged += stands
        rebuilt = made.metadata.get(REBUILT)
        word = "  unchanged" if stands else f"  rebuilt: {rebuilt.value}" if rebuilt is not None else ""
        self.tell(f"{self.made:>3}/{self.total}  {made.asset_key.path[-1]:<36}{counted}{word}")
        folder = made.metadata.get("folder")
        if folder is not None:
            state = str(getattr(made.metadata.get("state"), "value", ""))
            self.release = f"{folder.value} ({state})" if state.startswith("sealed") else str(folder.value)

    def _judged(self, check: Any) -> None:
        if check.passed:
            self.passed += 1
        elif check.severity.value == "ERROR":
            self.closed.append(f"{check.check_name}: {check.description}")
            self.tell(f"        CLOSED  {check.check_name}: {check.description}")
        else:
            self.warned.append(check.check_name)
            self.tell(f"        warns   {check.check_name}: {check.description}")

    def _failed(self, error: Any) -> None:
        # ours first: a sentence of this project says more than what a library raised below it
        while error is not None and error.cause is not None and not is_sentence(error.cls_name):
            error = error.cause
        name = (error.cls_name or "") if error is not None else ""
        if name == "DagsterAssetCheckFailedError":
            return  # told already, as a closed gate
        self.refused = self.refused or name == "GateError"
        message = on_one_line(error.message) if error is not None else "a step failed without a reason"
        told = message.split(": ", 1)[-1] if is_sentence(name) else message
        if told not in self.failures:  # the failure of the run repeats that of its step
            self.failures.append(told)


def run_wave(
    wave: str,
    settings: Settings,
    pipeline: Pipeline,
    *,
    inbox: Path | None,
    tell: Tell,
    fresh: bool = False,
) -> int:
    """Run the wave job for one wave.

    Args:
        wave: the wave.
        settings: the environment.
        pipeline: of which the wave job is one; called while Dagster's storage starts.
        inbox: folder of the deliveries, when it is not the home's.
        tell: called with each line for the reader.
        fresh: make everything anew, also what did not change.

    Returns:
        0 released, 1 a gate refused, 3 failed.

    Raises:
        AscoError: the wave is running already, or Dagster's storage cannot be reached.
        ConfigurationError: a suite is not as it must be.
    """
    from asco_dagster.operations.instance import (
        is_unserved,
        mark_dead_runs,
        open_instance,
        run_tags,
        running_run,
    )

    settings = dataclasses.replace(settings, inbox=inbox.absolute() if inbox else None)
    places = Places.of(settings)
    load = functools.partial(_load_pipeline, places, pipeline)
    with (
        only_run(places, wave),
        storage_told(),
        open_instance(settings, places, meanwhile=load) as instance,
    ):
        for dead in mark_dead_runs(instance, unserved=is_unserved(settings, places)):
            tell(f"run {dead[:8]} had lost its process and is marked failed")
        other = running_run(instance, wave)
        if other is not None and settings.store is not None and _is_over(other.run_id, wave, settings.store):
            instance.report_run_failed(
                other, "The worker of this run no longer renews its lease in the store."
            )
            tell(f"run {other.run_id[:8]} had lost its worker and is marked failed")
            other = running_run(instance, wave)
        if other is not None:
            raise _running_already(wave, f" (run {other.run_id[:8]})")
        tags = {**run_tags(), **({FRESH: "true"} if fresh else {})}
        return _execute(wave, settings, pipeline, instance, tags, tell)


@contextmanager
def only_run(places: "Places", wave: str) -> Iterator[None]:
    """No other command line runs this wave: two that start at once would not see each other's run."""
    from asco_dagster.storage.postgres.embedded import open_lock

    # the kernel drops the lock of a killed process
    lock = open_lock(places.dagster_home / f"run-{wave}.lock")
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _running_already(wave) from None
        yield
    finally:
        os.close(lock)


@contextmanager
def storage_told() -> Iterator[None]:
    """Tell in one sentence that Dagster's storage was lost, for example because its server was killed.

    Raises:
        AscoError: it was; its cause says how.
    """
    try:
        yield
    except Exception as error:
        # imported here: before the run it would keep the server from starting meanwhile
        from dagster_postgres.utils import DagsterPostgresException
        from psycopg2 import OperationalError  # type: ignore[import-untyped]
        from sqlalchemy.exc import DBAPIError

        if not isinstance(error, DBAPIError | DagsterPostgresException | OperationalError):
            raise
        told = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
        fault = connecting_fault(told[0]) or Fault(
            told[0], "Run the wave again; the former release, if any, stands unchanged"
        )
        raise AscoError(
            f"Dagster's storage was lost while the wave ran: {fault.cause}", remedy=fault.remedy
        ) from error


def _running_already(wave: str, which: str = "") -> AscoError:
    return AscoError(
        f"wave {wave} is running already{which}",
        remedy="Wait for it, or cancel it in the UI; two runs of one wave never overlap",
    )


def _is_over(run_id: str, wave: str, address: str) -> bool:
    """Whether the store tells that the worker of a run is gone, whichever machine it was."""
    from asco_dagster.storage.shared_store.claim import look
    from asco_dagster.storage.shared_store.objects import Store

    found = look(Store(address), wave)
    return found is not None and found[0].run == run_id and found[1]


def _load_pipeline(places: "Places", pipeline: Pipeline) -> None:
    """Import the assets; a dbt project that has changed is parsed meanwhile, in a process of its own."""
    from asco_dagster.orchestration.dbt_manifest import parsed_beside

    with parsed_beside(places) as parsing:
        if parsing:  # every table will be made and judged: import what that needs while waiting
            import dbt.cli.main  # noqa: F401

            from asco_dagster.gates.validation import great_expectations

            great_expectations()
    pipeline()


def _execute(
    wave: str,
    settings: Settings,
    pipeline: Pipeline,
    instance: "dg.DagsterInstance",
    tags: dict[str, str],
    tell: Tell,
) -> int:
    os.environ["ASCO_HOME"] = str(settings.home)
    job = pipeline()(settings=settings).resolve_job_def("wave_job")
    assets = [key.path[-1] for key in job.asset_layer.selected_asset_keys]
    require_suite_files(assets, load_wave(wave))
    for line in shortened(str(fault) for fault in unjudged(Places.of(settings).gates(wave), wave)):
        tell(f"asco: {line}")
    narrator = _Narrator(tell, len(assets))
    run_id = str(uuid.uuid4())
    instance.add_event_listener(run_id, narrator.follow)
    succeeded = _succeeds(job, wave, settings, instance, run_id, tags)
    if settings.store is None:  # else the executor has made it
        _keep_readable(wave, settings, tell)
    warned, closed = len(narrator.warned), len(narrator.closed)
    tell(f"wave {wave}: {narrator.passed} checks passed, {warned} warned, {closed} closed")
    if narrator.unchanged:
        tell(f"{narrator.unchanged} of {narrator.made} tables stand as they were: nothing of theirs changed")
    if succeeded:
        tell(f"release: {narrator.release}")
        return 0
    for failure in narrator.failures:
        tell(f"asco: {redacted(failure, settings)}")
    _notify(instance, run_id, settings, tell)
    tell(f"wave {wave} is not released; the former release, if any, stands unchanged")
    return 1 if narrator.closed or narrator.refused else 3


def _succeeds(
    job: "dg.JobDefinition",
    wave: str,
    settings: Settings,
    instance: "dg.DagsterInstance",
    run_id: str,
    tags: dict[str, str],
) -> bool:
    # the narrator tells what happens; Dagster's own log is kept in its storage
    config = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    if settings.store is None:
        return job.execute_in_process(
            instance=instance,
            partition_key=wave,
            run_id=run_id,
            tags=tags,
            raise_on_error=False,
            run_config=config,
        ).success
    # execute_in_process puts an executor of its own in the place of the job's, which owns and stores the wave
    from dagster._core.definitions.job_base import InMemoryJob
    from dagster._core.execution.api import execute_run

    own = {**tags, PARTITION_TAG: wave}
    run = instance.create_run_for_job(job, run_id=run_id, run_config=config, tags=own)
    return execute_run(InMemoryJob(job), run, instance).success


def _keep_readable(wave: str, settings: Settings, tell: Tell) -> None:
    """Have readers see what this run left; that they cannot changes nothing of what the run came to."""
    from asco_dagster.storage.places import Places
    from asco_dagster.storage.readable import keep_readable

    try:
        keep_readable(Places.of(settings), wave)
    except AscoError as error:
        tell(f"asco: {error}")


def _notify(instance: "dg.DagsterInstance", run_id: str, settings: Settings, tell: Tell) -> None:
    """Tell who must know; a message that does not go out changes nothing of what the run came to."""
    run = instance.get_run_by_id(run_id)
    if run is None:
        return
    try:
        notices = tell_failure(instance, run, settings)
    except AscoError as error:
        tell(f"asco: {error}")
    else:
        if notices:
            tell(f"{len(notices)} message{'s' if len(notices) > 1 else ''} sent")
