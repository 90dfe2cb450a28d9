"""The jobs: run a wave, publish a sealed version, approve a candidate, prune the run history."""

import dagster as dg
from pydantic import Field

from asco_dagster.operations.upkeep.pruning import prune
from asco_dagster.orchestration.run_guard import require_home_instance
from asco_dagster.orchestration.wave_executor import wave_executor
from asco_dagster.publication.waiting_versions import publish_waiting
from asco_dagster.releases.release import Published
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.shared_store.held import require_held, upload_releases

KEPT = 100
"""Newest runs of each wave to keep by default: some 200 MB of PostgreSQL per wave at true size."""

wave_job = dg.define_asset_job(
    "wave_job",
    selection=dg.AssetSelection.all(),
    description="Runs one wave from its deliveries to a gated and protected release.",
    # Dagster, pandas and Great Expectations are imported once a run, not once a step.
    executor_def=wave_executor,
)


class SealedVersion(dg.Config):
    """The sealed version to publish."""

    wave: str
    version: str


@dg.op
def publish_due(
    context: dg.OpExecutionContext, config: SealedVersion, settings: dg.ResourceParam[Settings]
) -> None:
    """Publish one sealed version."""
    published = _publish(context, settings, config.wave, config.version)
    context.log.info("wave %s: version %s published in %s", config.wave, config.version, published.folder)


def _publish(
    context: dg.OpExecutionContext, settings: Settings, wave: str, version: str, by: str | None = None
) -> Published:
    """Publish the version of a wave that waits; ``by`` approves it."""
    places = Places.of(settings)
    require_home_instance(context.instance, settings, places)
    require_held(settings, wave)
    published = publish_waiting(
        settings, places, wave, version, run_id=context.run_id, warn=context.log.warning, by=by
    )
    upload_releases(settings, wave)
    return published


@dg.job(description="Publishes a sealed version of a wave after its embargo.")
def publish_due_job() -> None:
    """One sealed version, published."""
    publish_due()


class Approval(dg.Config):
    """The candidate to approve, and who does."""

    wave: str
    version: str = Field(description="The version, or the candidate's name, which pins its content.")
    by: str = Field(description="Name of who approves it, for the record.")


@dg.op
def approve_candidate(
    context: dg.OpExecutionContext, config: Approval, settings: dg.ResourceParam[Settings]
) -> None:
    """Record the approval of one candidate, and publish it once its day has come."""
    published = _publish(context, settings, config.wave, config.version, config.by)
    state = f"sealed until {published.sealed_until}" if published.sealed_until else "published"
    context.log.info("wave %s: %s, %s in %s", config.wave, config.version, state, published.folder)


@dg.job(description="Approves a version of a wave that changes public numbers, and publishes it.")
def approve_job() -> None:
    """One candidate, approved."""
    approve_candidate()


class Keep(dg.Config):
    """Number of newest runs of each wave to keep."""

    runs: int = KEPT


@dg.op
def prune_runs(context: dg.OpExecutionContext, config: Keep, settings: dg.ResourceParam[Settings]) -> None:
    """Delete superseded runs with their events, logs and history; never a release."""
    places = Places.of(settings)
    require_home_instance(context.instance, settings, places)
    context.log.info(str(prune(context.instance, settings, places, config.runs)))


@dg.job(description="Deletes superseded runs with their events, logs and history; never a release.")
def prune_job() -> None:
    """The run history, pruned."""
    prune_runs()
