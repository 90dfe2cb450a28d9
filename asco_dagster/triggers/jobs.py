"""The jobs: one wave from its sources to its release."""

import dagster as dg

from asco_dagster.orchestration.wave_executor import wave_executor

wave_job = dg.define_asset_job(
    "wave_job",
    selection=dg.AssetSelection.all(),
    description="One wave, from its deliveries to a gated and protected release.",
    # Dagster, pandas and Great Expectations are imported once a run, not once a step.
    executor_def=wave_executor,
)
