"""What Dagster loads: the assets of the five layers, jobs and resources, assembled and nothing more."""

from typing import Any

import dagster as dg

from asco_dagster.confidentiality.assets import confidentiality_assets
from asco_dagster.estimation.assets import estimation_assets
from asco_dagster.orchestration.calendar import publish_due_job, release_calendar
from asco_dagster.orchestration.jobs import wave_job
from asco_dagster.publication.assets import publication_assets
from asco_dagster.settings import Settings
from asco_dagster.sources.assets import source_assets
from asco_dagster.staging.assets import staging


def build_definitions(**overrides: Any) -> dg.Definitions:
    """Assemble the definitions.

    Args:
        **overrides: resources to put in place of the usual ones, for tests.
    """
    return dg.Definitions(
        assets=[*source_assets, staging, *estimation_assets, *confidentiality_assets, *publication_assets],
        jobs=[wave_job, publish_due_job],
        schedules=[release_calendar],
        resources={"settings": Settings.from_environment(), **overrides},
        executor=dg.in_process_executor,
    )


defs = build_definitions()
