"""The asset that sets the weighted population of each département beside the census."""

import pandas as pd

from asco_dagster.methods.population_coverage import population_coverage
from asco_dagster.orchestration.wave_step import WaveStep, wave_asset
from asco_dagster.storage.warehouse import read_table

AREA = "departement_code"
FRAME = ["unit_type", "stratum", "population", AREA]


@wave_asset(deps=["est_asco__sample", "est_asco__silent_units", "est_asco__weights", "stg_asco__units"])
def est_quality__population(step: WaveStep) -> pd.DataFrame:
    """One row per département: the weighted population of its communes beside that of the census.

    EPCI are left out: their sample represents régions, and a body lies in several départements.
    """
    frame = read_table(step.database, "stg_asco__units", FRAME)
    sample = read_table(step.database, "est_asco__sample", ["unit_id", "stratum", "population", AREA])
    weights = read_table(step.database, "est_asco__weights", ["unit_id", "unit_type", "weight"])
    communes = weights[weights["unit_type"] == "commune"]
    silent = read_table(step.database, "est_asco__silent_units", ["unit_id", "unit_type", "is_imputed"])
    imputed = silent[(silent["unit_type"] == "commune") & (silent["is_imputed"] == 1)]
    # An imputed unit represents itself, as the others do not.
    represented = pd.concat([communes, imputed.assign(weight=1.0)])[["unit_id", "weight"]]
    respondents = represented.merge(sample, on="unit_id", validate="one_to_one")
    # The frame's crossing of variables: the part that is taken whole has a label of its own in the sample.
    respondents["stratum"] = respondents["stratum"].str.removesuffix(":all")
    return population_coverage(frame[frame["unit_type"] == "commune"], respondents, AREA)
