"""The staging layer as one dbt step; the models are in ``dbt_project/models/staging``."""

from asco_dagster.orchestration.dbt_layer import dbt_layer

staging = dbt_layer("staging")
