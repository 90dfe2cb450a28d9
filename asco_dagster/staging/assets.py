"""The assets of the staging layer: the territory, then the dbt models of ``dbt_project/models/staging``."""

from asco_dagster.orchestration.dbt_layer import dbt_layer
from asco_dagster.staging.territory import territory

staging = dbt_layer("staging")

staging_assets = [territory, staging]
