"""One run of a wave in this process, reported line by line: ``asco run``.

It executes the same job as the UI, on the same instance, so that its runs and checks are visible there.
"""

import dataclasses
import functools
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asco_dagster.durable import locked
from asco_dagster.errors import AscoError, is_sentence
from asco_dagster.escaping import on_one_line
from asco_dagster.gates.results import shortened, unjudged
from asco_dagster.gates.suite import require_suite_files
from asco_dagster.operations.instance import (
    is_unserved,
    mark_dead_runs,
    open_instance,
    run_tags,
    running_run,
    storage_errors,
)
from asco_dagster.operations.monitoring.notices import Notice, redacted, send_candidate, send_failure
from asco_dagster.orchestration.dbt_manifest import parsed_beside
from asco_dagster.orchestration.tags import (
    APPROVE,
    CLOSED,
    FRESH,
    PARTITION_TAG,
    REBUILT,
    UNCHANGED,
)
from asco_dagster.releases.candidate import PAGE
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.readable import update_readable
from asco_dagster.storage.shared_store.claim import look
from asco_dagster.storage.shared_store.objects import Store
from asco_dagster.waves import load_wave

if TYPE_CHECKING:
    import dagster as dg

Say = Callable[[str], None]
Pipeline = Callable[[], Callable[..., "dg.Definitions"]]
"""Imports the assets, which takes seconds, and returns ``build_definitions``."""


class _Reporter:
    """Prints the events of a run that a person waits for."""

    def __init__(self, say: Say, total: int) -> None:
        self.say, self.total = say, total
        self.materialized = 0
        self.unchanged = 0
        self.closed: list[str] = []
        self.warned: list[str] = []
        self.passed = 0
        self.failures: list[str] = []
        self.refused = False
        self.release: str | None = None
        self.approval: str | None = None

    def follow(self, entry: Any) -> None:
        event = entry.dagster_event
        if event is None:
            return
        kind = event.event_type_value
        if kind == "ASSET_MATERIALIZATION":
            self._materialized(event.step_materialization_data.materialization)
        elif kind == "ASSET_CHECK_EVALUATION":
            self._checked(event.asset_check_evaluation_data)
        elif kind == "STEP_FAILURE":
            said = event.step_failure_data.user_failure_data
            if said is None or CLOSED not in said.metadata:  # else reported as a closed gate
                self._failed(event.step_failure_data.error)
        elif kind == "PIPELINE_FAILURE" and event.job_failure_data.error is not None:
            self._failed(event.job_failure_data.error)

    def _materialized(self, made: Any) -> None:
        self.materialized += 1
        rows = made.metadata.get("dagster/row_count")
        counted = f"{rows.value:>11,} rows" if rows is not None else ""
        unchanged = UNCHANGED in made.metadata
        self.unchanged += unchanged
        rebuilt = made.metadata.get(REBUILT)
        word = "  up to date" if unchanged else f"  rebuilt: {rebuilt.value}" if rebuilt is not None else ""
        self.say(f"{self.materialized:>3}/{self.total}  {made.asset_key.path[-1]:<36}{counted}{word}")
        folder = made.metadata.get("folder")
        if folder is not None:
            state = str(getattr(made.metadata.get("state"), "value", ""))
            self.release = str(folder.value)
            if state.startswith(("sealed", "candidate")):
                self.release += f" ({state})"
            if APPROVE in made.metadata:
                self.approval = str(made.metadata[APPROVE].value)

    def _checked(self, check: Any) -> None:
        if check.passed:
            self.passed += 1
        elif check.severity.value == "ERROR":
            self.closed.append(f"{check.check_name}: {check.description}")
            self.say(f"        CLOSED  {check.check_name}: {check.description}")
        else:
            self.warned.append(check.check_name)
            self.say(f"        warns   {check.check_name}: {check.description}")

    def _failed(self, error: Any) -> None:
        # an error of this project says more than the library's error that caused it
        while error is not None and error.cause is not None and not is_sentence(error.cls_name):
            error = error.cause
        name = (error.cls_name or "") if error is not None else ""
        self.refused = self.refused or name == "GateError"
        message = on_one_line(error.message) if error is not None else "a step failed without a reason"
        sentence = message.split(": ", 1)[-1] if is_sentence(name) else message
        if sentence not in self.failures:  # the failure of the run repeats that of its step
            self.failures.append(sentence)


def run_wave(
    wave: str,
    settings: Settings,
    pipeline: Pipeline,
    *,
    inbox: Path | None,
    say: Say,
    fresh: bool = False,
) -> int:
    """Run the wave job for one wave.

    ``pipeline`` is called while Dagster's storage starts, ``say`` with each line to print.

    Returns:
        0 released, 1 a gate refused, 3 failed.

    Raises:
        AscoError: the wave is running already, or Dagster's storage cannot be reached.
        ConfigurationError: a suite is not valid.
    """
    settings = dataclasses.replace(settings, inbox=inbox.absolute() if inbox else None)
    places = Places.of(settings)
    load = functools.partial(_load_pipeline, places, pipeline)
    with (
        only_run(places, wave),
        storage_errors(),
        open_instance(settings, places, meanwhile=load) as instance,
    ):
        for dead in mark_dead_runs(instance, unserved=is_unserved(settings, places)):
            say(f"run {dead[:8]}: its process died; marked as failed")
        other = running_run(instance, wave)
        if other is not None and settings.store is not None and _is_over(other.run_id, wave, settings.store):
            instance.report_run_failed(
                other, "The worker of this run no longer renews its lease in the store."
            )
            say(f"run {other.run_id[:8]}: its worker died; marked as failed")
            other = running_run(instance, wave)
        if other is not None:
            raise _running_already(wave, f" (run {other.run_id[:8]})")
        tags = {**run_tags(), **({FRESH: "true"} if fresh else {})}
        return _execute(wave, settings, pipeline, instance, tags, say)


@contextmanager
def only_run(places: Places, wave: str) -> Iterator[None]:
    """Refuse a second command line for a wave: two that start at once would not see each other's run."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(places.dagster_home / f"run-{wave}.lock", wait=False))
        except BlockingIOError:
            raise _running_already(wave) from None
        yield


def _running_already(wave: str, which: str = "") -> AscoError:
    return AscoError(
        f"wave {wave} is running already{which}",
        remedy="Wait for it, or cancel it in the UI; two runs of one wave never overlap",
    )


def _is_over(run_id: str, wave: str, address: str) -> bool:
    """Whether, according to the store, the worker of a run on any machine is dead."""
    found = look(Store(address), wave)
    return found is not None and found[0].run == run_id and found[1]


def _load_pipeline(places: Places, pipeline: Pipeline) -> None:
    """Import the assets; a changed dbt project is parsed meanwhile in another process."""
    with parsed_beside(places) as parsing:
        if parsing:  # every table will be rebuilt and checked: import what that needs meanwhile
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
    say: Say,
) -> int:
    os.environ["ASCO_HOME"] = str(settings.home)
    job = pipeline()(settings=settings).resolve_job_def("wave_job")
    assets = [key.path[-1] for key in job.asset_layer.selected_asset_keys]
    require_suite_files(assets, [load_wave(wave)])
    for line in shortened(str(fault) for fault in unjudged(Places.of(settings).gates(wave), wave)):
        say(f"asco: {line}")
    reporter = _Reporter(say, len(assets))
    run_id = str(uuid.uuid4())
    instance.add_event_listener(run_id, reporter.follow)
    succeeded = _succeeds(job, wave, settings, instance, run_id, tags)
    if settings.store is None:  # else the executor has done it
        with _printing_errors(say):
            update_readable(Places.of(settings), wave)
    warned, closed = len(reporter.warned), len(reporter.closed)
    say(f"wave {wave}: {reporter.passed} checks passed, {warned} warned, {closed} closed")
    if reporter.unchanged:
        say(f"{reporter.unchanged} of {reporter.materialized} tables are up to date")
    if succeeded:
        say(f"release: {reporter.release}")
        if reporter.approval is not None:
            say(f"differences: {Places.of(settings).quality(wave) / PAGE}")
            say(f"approve with: {reporter.approval}")
        run = instance.get_run_by_id(run_id)
        with _printing_errors(say):
            _say_sent(send_candidate(instance, run, settings) if run is not None else [], say)
        return 0
    for failure in reporter.failures:
        say(f"asco: {redacted(failure, settings)}")
    run = instance.get_run_by_id(run_id)
    with _printing_errors(say):
        _say_sent(send_failure(instance, run, settings) if run is not None else [], say)
    say(f"wave {wave} was not released; the former release, if any, is unchanged")
    return 1 if reporter.closed or reporter.refused else 3


def _say_sent(notices: Sequence[Notice], say: Say) -> None:
    if notices:
        say(f"{len(notices)} notice{'s' if len(notices) > 1 else ''} sent")


def _succeeds(
    job: "dg.JobDefinition",
    wave: str,
    settings: Settings,
    instance: "dg.DagsterInstance",
    run_id: str,
    tags: dict[str, str],
) -> bool:
    # the reporter prints what happens; Dagster's log is in its storage
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
    # execute_in_process replaces the job's executor, which claims and uploads the wave
    from dagster._core.definitions.job_base import InMemoryJob
    from dagster._core.execution.api import execute_run

    run = instance.create_run_for_job(
        job, run_id=run_id, run_config=config, tags={**tags, PARTITION_TAG: wave}
    )
    return execute_run(InMemoryJob(job), run, instance).success


@contextmanager
def _printing_errors(say: Say) -> Iterator[None]:
    """Print an error of what does not change the result of the run."""
    try:
        yield
    except AscoError as error:
        say(f"asco: {error}")
