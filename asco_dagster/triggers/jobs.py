"""The jobs: run a wave, publish a sealed version, prune the run history."""

import dagster as dg

from asco_dagster.operations.upkeep.pruning import prune
from asco_dagster.orchestration.run_guard import require_home_instance
from asco_dagster.orchestration.wave_executor import wave_executor
from asco_dagster.releases.release import publish_sealed
from asco_dagster.releases.signature import signer
from asco_dagster.releases.store import ReleaseStore
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
    places = Places.of(settings)
    require_home_instance(context.instance, settings, places)
    require_held(settings, config.wave)
    published = publish_sealed(ReleaseStore.of(places, config.wave), config.version, signer(settings, places))
    upload_releases(settings, config.wave)
    context.log.info("wave %s: version %s published in %s", config.wave, config.version, published.folder)


@dg.job(description="Publishes a sealed version of a wave after its embargo.")
def publish_due_job() -> None:
    """One sealed version, published."""
    publish_due()


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
