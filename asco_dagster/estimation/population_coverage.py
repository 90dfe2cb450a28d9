"""The asset that sets the weighted population of each département beside the census."""

import pandas as pd

from asco_dagster.methods.population_coverage import population_coverage
from asco_dagster.orchestration.wave_step import WaveStep, wave_asset
from asco_dagster.storage.warehouse import read_table

AREA = "departement_code"
FRAME = ["unit_type", "stratum", "population", AREA]


@wave_asset(deps=["est_asco__sample", "est_asco__weights", "stg_asco__units"])
def est_quality__population(step: WaveStep) -> pd.DataFrame:
    """One row a département: the weighted population of its communes beside that of the census.

    EPCI are left out: their sample represents régions, and a body lies in several départements.
    """
    frame = read_table(step.database, "stg_asco__units", FRAME)
    sample = read_table(step.database, "est_asco__sample", ["unit_id", "stratum", "population", AREA])
    weights = read_table(step.database, "est_asco__weights", ["unit_id", "unit_type", "weight"])
    communes = weights[weights["unit_type"] == "commune"]
    respondents = communes.merge(sample, on="unit_id", validate="one_to_one")
    # The frame's crossing of variables: the part that is taken whole has a label of its own in the sample.
    respondents["stratum"] = respondents["stratum"].str.removesuffix(":all")
    return population_coverage(frame[frame["unit_type"] == "commune"], respondents, AREA)
