"""The schedule: once a month the publishers are asked whether a yearly source has a new edition.

Asking costs little, since a download is conditional (``connectors/fetch.py``): what has not changed is not
sent again, and the same tables make no new release. What does not belong here: the download.
"""

from collections.abc import Iterator

import dagster as dg

from asco_dagster.connectors.addresses import is_remote
from asco_dagster.sources.assets import SOURCES
from asco_dagster.triggers.jobs import wave_job
from asco_dagster.waves import Wave, readable_waves


@dg.schedule(
    name="yearly_sources_schedule",
    job=wave_job,
    cron_schedule="15 4 2 * *",
    execution_timezone="Europe/Paris",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="On the second of each month, runs the waves that take a yearly source from an address.",
)
def yearly_sources_schedule(
    context: dg.ScheduleEvaluationContext,
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run for each wave with a remote yearly source."""
    month = context.scheduled_execution_time.strftime("%Y-%m")
    readable = readable_waves()
    for fault in readable.faults.values():
        context.log.warning(fault)
    waves = [wave.wave for wave in readable.waves if remote_yearly(wave)]
    if not waves:
        yield dg.SkipReason("no wave takes a yearly source from an address; deliveries are the inbox's")
    for wave in waves:
        yield dg.RunRequest(run_key=f"{wave}:{month}", partition_key=wave)


def remote_yearly(wave: Wave) -> list[str]:
    """Addresses of the yearly sources that a wave takes from elsewhere."""
    yearly = [source.key for source in SOURCES if source.yearly]
    files = [delivery for key in yearly for delivery in getattr(wave.sources, key)]
    return [delivery.address for delivery in files if is_remote(delivery.address)]
