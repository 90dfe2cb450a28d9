"""The schedule of the release calendar: every five minutes it asks what is due, and publishes it in a run.

A tick without anything due starts no run. The run carries the wave's partition tag, so that it never overlaps
a run of that wave.
"""

import datetime as dt
from collections.abc import Iterator

import dagster as dg

from asco_dagster.orchestration.run_guard import require_home_instance
from asco_dagster.orchestration.tags import PARTITION_TAG
from asco_dagster.releases.embargo import due_versions
from asco_dagster.releases.release import publish_sealed
from asco_dagster.releases.signature import signer
from asco_dagster.releases.store import ReleaseStore
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.shared_store.held import keep_shelf, require_held
from asco_dagster.waves import wave_names


class Due(dg.Config):
    """The sealed version to publish."""

    wave: str
    version: str


@dg.op
def publish_due(context: dg.OpExecutionContext, config: Due, settings: dg.ResourceParam[Settings]) -> None:
    """Publish one sealed version."""
    require_home_instance(context.instance, settings, Places.of(settings))
    require_held(settings, config.wave)
    places = Places.of(settings)
    published = publish_sealed(ReleaseStore.of(places, config.wave), config.version, signer(settings, places))
    keep_shelf(settings, config.wave)
    context.log.info("wave %s: version %s is public in %s", config.wave, config.version, published.folder)


@dg.job(description="Publishes a sealed version of a wave whose instant has come.")
def publish_due_job() -> None:
    """One sealed version, published."""
    publish_due()


@dg.schedule(
    job=publish_due_job,
    cron_schedule="*/5 * * * *",
    execution_timezone="Europe/Paris",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def release_calendar(
    context: dg.ScheduleEvaluationContext, settings: dg.ResourceParam[Settings]
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Moves ``latest`` at the hour of the calendar: publishes each sealed version that is due."""
    due = due_versions(Places.of(settings), wave_names(), dt.datetime.now(dt.UTC))
    if not due:
        yield dg.SkipReason("No sealed version is due.")
    for wave, version in due.items():
        yield dg.RunRequest(
            run_key=f"{wave} {version} {context.scheduled_execution_time.isoformat()}",
            run_config={"ops": {"publish_due": {"config": {"wave": wave, "version": version}}}},
            tags={PARTITION_TAG: wave},
        )
