"""The schedules: release calendar, weekly pruning, monthly check of yearly sources."""

import datetime as dt
from collections.abc import Iterator

import dagster as dg

from asco_dagster.connectors.addresses import is_remote
from asco_dagster.orchestration.partitions import waves_to_start
from asco_dagster.orchestration.tags import PARTITION_TAG
from asco_dagster.releases.embargo import due_versions
from asco_dagster.settings import Settings
from asco_dagster.sources.assets import SOURCES
from asco_dagster.storage.places import Places
from asco_dagster.triggers.jobs import KEPT, prune_job, publish_due_job, wave_job
from asco_dagster.waves import Wave, wave_names


@dg.schedule(
    job=publish_due_job,
    cron_schedule="*/5 * * * *",
    execution_timezone="Europe/Paris",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every five minutes, publishes sealed versions whose embargo has ended.",
)
def release_calendar(
    context: dg.ScheduleEvaluationContext, settings: dg.ResourceParam[Settings]
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run for each sealed version that is due; its tag keeps it from overlapping a run of its wave."""
    due = due_versions(Places.of(settings), wave_names(), dt.datetime.now(dt.UTC))
    if not due:
        yield dg.SkipReason("No sealed version is due.")
    for wave, version in due.items():
        yield dg.RunRequest(
            run_key=f"{wave} {version} {context.scheduled_execution_time.isoformat()}",
            run_config={"ops": {"publish_due": {"config": {"wave": wave, "version": version}}}},
            tags={PARTITION_TAG: wave},
        )


@dg.schedule(
    job=prune_job,
    cron_schedule="30 3 * * 0",
    execution_timezone="Europe/Paris",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description=f"On Sunday night, deletes superseded runs and keeps the newest {KEPT} of each wave.",
)
def prune_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """One run a week."""
    return dg.RunRequest(run_key=context.scheduled_execution_time.strftime("%G-W%V"))


@dg.schedule(
    job=wave_job,
    cron_schedule="15 4 2 * *",
    execution_timezone="Europe/Paris",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="On the second of each month, runs the waves that download a yearly source.",
)
def yearly_sources_schedule(
    context: dg.ScheduleEvaluationContext,
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run for each wave with a remote yearly source; unchanged files are not downloaded again."""
    month = context.scheduled_execution_time.strftime("%Y-%m")
    readable = waves_to_start()
    for fault in readable.faults.values():
        context.log.warning(fault)
    waves = [wave.wave for wave in readable.waves if remote_yearly(wave)]
    if not waves:
        yield dg.SkipReason("No wave downloads a yearly source; deliveries are in the inbox.")
    for wave in waves:
        yield dg.RunRequest(run_key=f"{wave}:{month}", partition_key=wave)


def remote_yearly(wave: Wave) -> list[str]:
    """Addresses of the yearly sources that a wave downloads."""
    yearly = [source.key for source in SOURCES if source.yearly]
    files = [delivery for key in yearly for delivery in getattr(wave.sources, key)]
    return [delivery.address for delivery in files if is_remote(delivery.address)]
