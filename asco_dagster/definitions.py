"""What Dagster loads: assets of the five layers, jobs, schedules, sensors and resources."""

import logging
from typing import Any

import dagster as dg

from asco_dagster.confidentiality.assets import confidentiality_assets
from asco_dagster.estimation.assets import estimation_assets
from asco_dagster.gates.suite import require_suite_files
from asco_dagster.orchestration.partitions import LOADED
from asco_dagster.orchestration.wave_executor import wave_executor
from asco_dagster.publication.assets import publication_assets
from asco_dagster.settings import Settings
from asco_dagster.sources.assets import source_assets
from asco_dagster.staging.assets import staging_assets
from asco_dagster.triggers.jobs import approve_job, prune_job, publish_due_job, wave_job
from asco_dagster.triggers.schedules import prune_schedule, release_calendar, yearly_sources_schedule
from asco_dagster.triggers.sensors import candidate_sensor, failure_sensor, inbox_sensor, wave_state_sensor


def build_definitions(**overrides: Any) -> dg.Definitions:
    """Assemble the definitions.

    Resources in ``overrides`` replace the usual ones, for tests. An invalid wave file is left out and
    named in the metadata of the location.

    Raises:
        ConfigurationError: a suite is not valid, so that the location does not load.
    """
    settings = overrides.get("settings") or Settings.from_environment()
    for fault in LOADED.faults.values():
        logging.getLogger(__name__).warning("%s", fault)
    lower = [*source_assets, *staging_assets, *estimation_assets, *confidentiality_assets]
    assets = [*lower, *publication_assets(lower)]
    require_suite_files([key.path[-1] for made in assets for key in made.keys], ())
    return dg.Definitions(
        assets=assets,
        jobs=[wave_job, publish_due_job, approve_job, prune_job],
        schedules=[yearly_sources_schedule, release_calendar, prune_schedule],
        sensors=[inbox_sensor, wave_state_sensor, failure_sensor(settings), candidate_sensor(settings)],
        resources={"settings": settings, **overrides},
        executor=wave_executor,
        metadata={"wave files left out": dg.MetadataValue.text(" ".join(LOADED.faults.values()) or "none")},
    )


defs = build_definitions()
