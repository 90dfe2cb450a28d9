"""The executor of every run: Dagster's in-process executor, as the holder of the run's wave.

Its last event of a failed run says why, below the lines with which Dagster lists the steps that did not run:
the page of a run opens at its end. With ``ASCO_STORE`` the wave is claimed and downloaded
before the first step, each event checks that the claim is still valid, and the run succeeds only once the
store holds everything: an executor is the one place whose failure is the run's (Dagster only logs a resource
that fails to close).
"""

import contextlib
import signal
from collections.abc import Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.definitions.executor_definition import IN_PROC_CONFIG
from dagster._core.executor.in_process import InProcessExecutor
from dagster._core.storage.tags import RETRY_STRATEGY_TAG
from dagster._utils.interrupts import pop_captured_interrupt

from asco_dagster.errors import AscoError
from asco_dagster.escaping import on_one_line
from asco_dagster.orchestration.tags import PARTITION_TAG
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.readable import update_readable
from asco_dagster.storage.shared_store.held import Held, hold

if TYPE_CHECKING:
    from dagster._core.execution.context.system import PlanOrchestrationContext
    from dagster._core.execution.plan.plan import ExecutionPlan


class WaveExecutor(InProcessExecutor):
    """Runs the steps in this process, as the holder of the wave."""

    def _steps(
        self, plan_context: "PlanOrchestrationContext", execution_plan: "ExecutionPlan"
    ) -> Generator[dg.DagsterEvent]:
        steps = _with_their_verdicts(execution_plan, super().execute(plan_context, execution_plan))
        yield from _explained(plan_context, steps)

    def execute(
        self, plan_context: "PlanOrchestrationContext", execution_plan: "ExecutionPlan"
    ) -> Generator[dg.DagsterEvent]:
        """Claim the wave, run, store; an error in any of them is the run's failure."""
        settings, run = Settings.from_environment(), plan_context.dagster_run
        wave = run.tags.get(PARTITION_TAG)
        if wave is None:
            yield from self._steps(plan_context, execution_plan)
            return
        if settings.store is None:
            yield from self._steps(plan_context, execution_plan)
            yield from _readable(plan_context, settings, wave)
            return
        # By default Dagster's retry resumes where a run failed; but what a lost machine made is lost with it,
        # and what is stored is reused by its fingerprint.
        plan_context.instance.add_run_tags(run.run_id, {RETRY_STRATEGY_TAG: "ALL_STEPS"})
        with hold(settings, Places.of(settings), wave, run.run_id) as held:
            yield from self._held(held, plan_context, execution_plan)
        yield from _readable(plan_context, settings, wave)

    def _held(
        self, held: Held | None, plan_context: "PlanOrchestrationContext", execution_plan: "ExecutionPlan"
    ) -> Generator[dg.DagsterEvent]:
        if held is None:  # only without a store
            return
        yield _engine_event(
            plan_context,
            f"Wave {held.wave} is held by this run (fence {held.claim.fence}); "
            f"{held.downloaded} files downloaded",
        )
        steps = self._steps(plan_context, execution_plan)
        with contextlib.closing(steps):  # a step that is interrupted closes its database at once
            for event in steps:
                held.claim.require()
                yield event
        held.upload()  # of a failed run too: its tables are reusable, and its gates explain the failure
        yield _engine_event(plan_context, f"Wave {held.wave} is stored ({len(held.state.files)} files)")


@dg.executor(name="in_process", config_schema=IN_PROC_CONFIG)
def wave_executor(context: dg.InitExecutorContext) -> WaveExecutor:
    """All steps of a run in one process; with ``ASCO_STORE`` as the holder of its wave."""
    from dagster._core.execution.retries import RetryMode

    config: Any = context.executor_config
    return WaveExecutor(retries=RetryMode.from_config(config["retries"]) or RetryMode.ENABLED)


def _with_their_verdicts(
    plan: "ExecutionPlan", events: Iterable[dg.DagsterEvent]
) -> Generator[dg.DagsterEvent]:
    """The events of the steps; a cancellation waits between that of a table and those of its checks.

    “Re-execute from failure” makes the tables that were not reported. One without its verdicts would
    never be judged, and the release be refused.
    """
    waiting: set[dg.AssetCheckKey] = set()
    is_cancelled = False
    for event in events:
        yield event
        if event.is_step_materialization and event.step_key is not None:
            outputs = plan.get_step_by_key(event.step_key).step_outputs
            checks = [output.properties.asset_check_key for output in outputs]
            waiting = {check for check in checks if check and check.asset_key == event.asset_key}
        elif event.event_type_value == "ASSET_CHECK_EVALUATION":
            waiting.discard(event.asset_check_evaluation_data.asset_check_key)
        elif event.is_step_failure or event.is_step_success:
            waiting.clear()
        if waiting:
            is_cancelled = pop_captured_interrupt() or is_cancelled
        elif is_cancelled:
            is_cancelled = False
            signal.raise_signal(signal.SIGINT)


def _explained(
    context: "PlanOrchestrationContext", events: Iterable[dg.DagsterEvent]
) -> Generator[dg.DagsterEvent]:
    """The events of the steps, then one for each different reason why some of them failed."""
    reasons: dict[str, Mapping[str, Any]] = {}
    for event in events:
        if event.is_step_failure:
            data = event.step_failure_data
            said, error = data.user_failure_data, data.error
            if said is not None and said.description:
                reasons.setdefault(said.description, said.metadata)
            elif error is not None:
                reasons.setdefault(f"{event.step_key}: {on_one_line(error.message)}", {})
        yield event
    for reason, metadata in reasons.items():
        yield _engine_event(context, f"Why this run failed: {reason}", metadata)


def _readable(
    context: "PlanOrchestrationContext", settings: Settings, wave: str
) -> Generator[dg.DagsterEvent]:
    """Refresh the copy for readers; a failure is logged and does not change the run's result."""
    try:
        update_readable(Places.of(settings), wave)
    except AscoError as error:
        yield _engine_event(context, str(error))


def _engine_event(
    context: "PlanOrchestrationContext", message: str, metadata: Mapping[str, Any] | None = None
) -> dg.DagsterEvent:
    from dagster._core.events import EngineEventData

    return dg.DagsterEvent.engine_event(context, message, EngineEventData(metadata=metadata or {}))
