"""What Dagster loads: assets of the five layers, jobs, schedules, sensors and resources."""

from typing import Any

import dagster as dg

from asco_dagster.confidentiality.assets import confidentiality_assets
from asco_dagster.estimation.assets import estimation_assets
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

    Resources in ``overrides`` replace the usual ones, for tests.
    """
    settings = overrides.get("settings") or Settings.from_environment()
    lower = [*source_assets, *staging_assets, *estimation_assets, *confidentiality_assets]
    return dg.Definitions(
        assets=[*lower, *publication_assets(lower)],
        jobs=[wave_job, publish_due_job, approve_job, prune_job],
        schedules=[yearly_sources_schedule, release_calendar, prune_schedule],
        sensors=[inbox_sensor, wave_state_sensor, failure_sensor(settings), candidate_sensor(settings)],
        resources={"settings": settings, **overrides},
        executor=wave_executor,
    )


defs = build_definitions()
