"""The jobs: one wave from its sources to its release."""

import dagster as dg

wave_job = dg.define_asset_job(
    "wave_job",
    selection=dg.AssetSelection.all(),
    description="One wave, from its deliveries to a gated and protected release.",
    # Dagster, pandas and Great Expectations are imported once a run, not once a step.
    executor_def=dg.in_process_executor,
)
