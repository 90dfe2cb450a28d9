"""The asset of influential answers: what one respondent alone does to a total, for a statistician to see."""

import pandas as pd

from asco_dagster.estimation.estimates import RESPONDENT_TABLES, respondents_by_type, survey_design
from asco_dagster.methods.domains import estimation_domains
from asco_dagster.methods.influence import influential_answers
from asco_dagster.orchestration.wave_step import Table, WaveStep, wave_asset


@wave_asset(deps=RESPONDENT_TABLES)
def est_asco__influential(step: WaveStep) -> Table:
    """One row per influential answer: the total with it, without its pull, and with both extremes bounded."""
    tables = []
    for unit_type, units, frame, answered in respondents_by_type(step.database):
        amounts = [name for name in answered.values if answered.kinds[str(name)] == "amount"]
        design = survey_design(units, frame, step.wave, unit_type)
        found = influential_answers(design, answered.values[amounts], estimation_domains(units, frame))
        unit_ids = units["unit_id"].to_numpy(dtype=object)[found["row"].to_numpy(dtype=int)]
        found.insert(0, "unit_type", unit_type)
        found.insert(1, "unit_id", unit_ids)
        tables.append(found.drop(columns="row"))
    rows = pd.concat(tables, ignore_index=True)
    national = rows[rows["geography"] == "france"]
    return Table(rows, {"influential on a national total": len(national), "influential in all": len(rows)})
