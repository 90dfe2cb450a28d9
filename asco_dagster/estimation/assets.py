"""The estimation layer: draw, weights and estimates in Python; sample, indicators and profiles in dbt."""

from asco_dagster.estimation.collection import est_asco__collection
from asco_dagster.estimation.draw import est_asco__draw
from asco_dagster.estimation.estimates import estimating
from asco_dagster.estimation.imputing import est_asco__imputations
from asco_dagster.estimation.nonresponse import est_quality__nonresponse
from asco_dagster.estimation.population_coverage import est_quality__population
from asco_dagster.estimation.published import est_quality__published
from asco_dagster.estimation.silent_units import est_asco__silent_units
from asco_dagster.estimation.weights import weighting
from asco_dagster.orchestration.dbt_layer import dbt_layer

estimation = dbt_layer("estimation")

estimation_assets = [
    est_asco__draw,
    estimation,
    est_asco__collection,
    est_asco__imputations,
    est_asco__silent_units,
    weighting,
    estimating,
    est_quality__nonresponse,
    est_quality__population,
    est_quality__published,
]
