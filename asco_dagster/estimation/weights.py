"""The assets of weighting: weights, margins before and after, and the log of every decision."""

from typing import Any

import pandas as pd

from asco_dagster.estimation.diagnostics import diagnostics_metadata
from asco_dagster.estimation.weighting import weigh
from asco_dagster.orchestration.wave_step import Table, WaveStep, wave_assets
from asco_dagster.storage.warehouse import read_table

UNIT_TYPES = ("commune", "epci")
FRAME = ["unit_type", "departement_code", "region_code", "size_class", "population", "epci_nature"]


def read_frame(database: Any) -> pd.DataFrame:
    """Every unit of the population, with what margins and domains are made of, and who is imputed."""
    frame = read_table(database, "stg_asco__units", ["unit_id", *FRAME], categories=FRAME)
    silent = read_table(database, "est_asco__silent_units", ["unit_id", "is_imputed"])
    imputed = silent.loc[silent["is_imputed"] == 1, "unit_id"]
    return frame.assign(is_imputed=frame["unit_id"].isin(imputed))


@wave_assets(
    [
        "est_asco__weights: One row per respondent: design weight, nonresponse group and weight, "
        "calibrated weight.",
        "est_asco__margins: One row per calibration margin: its known total, and what the weights give "
        "before and after.",
        "est_asco__weighting_log: One row per decision of the weighting: groups and post-strata merged, "
        "collinear margins dropped, bounds widened.",
    ],
    deps=["est_asco__sample", "est_asco__silent_units", "stg_asco__units"],
)
def weighting(step: WaveStep) -> dict[str, Table]:
    """Weights of both types of unit."""
    sample = read_table(step.database, "est_asco__sample")
    frame = read_frame(step.database)
    made = [
        weigh(
            sample[sample["unit_type"] == unit_type],
            frame[frame["unit_type"] == unit_type],
            step.wave.calibration,
            getattr(step.wave.calibration, unit_type),
            unit_type,
        )
        for unit_type in UNIT_TYPES
    ]
    weights = pd.concat([weighted.weights for weighted in made], ignore_index=True)
    weights["weight_factor"] = weights["weight"] / weights["design_weight"]
    margins = pd.concat([weighted.margins for weighted in made], ignore_index=True)
    log = pd.concat([weighted.log for weighted in made], ignore_index=True)
    distances = {unit_type: weighted.distance for unit_type, weighted in zip(UNIT_TYPES, made, strict=True)}
    metadata = diagnostics_metadata(weights, margins, log, distances)
    return {
        "est_asco__weights": Table(weights, metadata),
        "est_asco__margins": Table(margins, {"margins": metadata["margins"]}),
        "est_asco__weighting_log": Table(log, {"decisions": metadata["decisions"]}),
    }
