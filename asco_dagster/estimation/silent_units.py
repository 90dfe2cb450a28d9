"""The asset of large silent units: for follow-up while the collection lasts, for imputation afterwards."""

import pandas as pd

from asco_dagster.methods.silent_units import silent_units
from asco_dagster.orchestration.wave_step import Table, WaveStep, wave_asset
from asco_dagster.storage.warehouse import read_table

AREAS = {"commune": "departement_code", "epci": "region_code"}
"""The area that the sample of each type of unit represents."""
UNITS = ["unit_id", "unit_type", "stratum", "departement_code", "region_code", "size_class", "population"]
COLUMNS = [*UNITS, "area_code", "area_population", "share_of_area", "is_imputed"]


@wave_asset(deps=["est_asco__sample", "stg_asco__units"])
def est_asco__silent_units(step: WaveStep) -> Table:
    """One row per large silent unit: its share of its area, and whether its amounts are imputed."""
    sample = read_table(
        step.database, "est_asco__sample", [*UNITS, "inclusion_probability", "response_status"]
    )
    frame = read_table(step.database, "stg_asco__units", ["unit_type", "population", *set(AREAS.values())])
    listed = [
        silent_units(sample[sample["unit_type"] == name], frame[frame["unit_type"] == name], area)
        for name, area in AREAS.items()
    ]
    rows = pd.concat(listed, ignore_index=True)[COLUMNS]
    counts = {
        f"{name} imputed": int(rows.loc[rows["unit_type"] == name, "is_imputed"].sum()) for name in AREAS
    }
    return Table(rows.astype({"is_imputed": "int64"}), {"to follow up": len(rows), **counts})
