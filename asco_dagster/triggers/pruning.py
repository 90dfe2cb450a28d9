"""The schedule that cuts the history of runs back each week, as ``asco prune`` does.

What does not belong here: what goes (``operations.pruning``).
"""

import dagster as dg

from asco_dagster.operations.pruning import prune
from asco_dagster.orchestration.run_guard import require_home_instance
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places

KEPT = 100
"""Newest runs of each wave that the schedule keeps: some 200 MB of PostgreSQL a wave at true size."""


class Keep(dg.Config):
    """How many of the newest runs of each wave stay."""

    runs: int = KEPT


@dg.op
def prune_runs(context: dg.OpExecutionContext, config: Keep, settings: dg.ResourceParam[Settings]) -> None:
    """Delete superseded runs with their events, logs and history; never a release."""
    places = Places.of(settings)
    require_home_instance(context.instance, settings, places)
    told = prune(context.instance, settings, places, config.runs)
    context.log.info(f"{told.runs} runs deleted, {told.kept} kept; {told.freed / 1e6:.1f} MB of logs freed")


@dg.job(description="Deletes superseded runs with their events, logs and history; never a release.")
def prune_job() -> None:
    """The history of runs, cut back."""
    prune_runs()


@dg.schedule(
    name="prune_schedule",
    job=prune_job,
    cron_schedule="30 3 * * 0",
    execution_timezone="Europe/Paris",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description=f"On Sunday night, keeps the newest {KEPT} runs of each wave and what the present rests on.",
)
def prune_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """One run a week."""
    return dg.RunRequest(run_key=context.scheduled_execution_time.strftime("%G-W%V"))
