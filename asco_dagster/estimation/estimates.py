"""The asset of estimates: every indicator in every domain of estimation, with its precision.

Belongs here: putting weights, calibration variables and indicators of the respondents side by side. Does not
belong here: the statistics (``methods.estimation``), which estimates are released (confidentiality).

Shares, shares of population, totals and means are all here. Means stay inside: the confidentiality layer
knows no rule for them yet (a mean beside its released total would give the number of units away).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from asco_dagster.estimation.weighting import calibration_variables
from asco_dagster.estimation.weights import FRAME
from asco_dagster.methods.domains import estimation_domains
from asco_dagster.methods.estimation import estimate
from asco_dagster.methods.precision import SurveyDesign
from asco_dagster.orchestration.wave_step import WaveStep, wave_asset
from asco_dagster.warehouse import read_table
from asco_dagster.waves.statistics import Calibration

UNIT_TYPES = ("commune", "epci")


@wave_asset(
    deps=[
        "est_asco__sample",
        "est_asco__weights",
        "est_asco__indicators",
        "stg_asco__units",
        "stg_asco__indicators",
    ]
)
def est_asco__estimates(step: WaveStep) -> pd.DataFrame:
    """One row an indicator, statistic and domain of estimation, with its precision."""
    sample = read_table(step.database, "est_asco__sample")
    weights = read_table(step.database, "est_asco__weights")
    frame = read_table(step.database, "stg_asco__units", FRAME)
    values = read_table(step.database, "est_asco__indicators")
    catalogue = read_table(
        step.database, "stg_asco__indicators", ["unit_type", "indicator", "kind"]
    ).drop_duplicates()
    tables = []
    for unit_type in UNIT_TYPES:
        units = weights[weights["unit_type"] == unit_type].merge(
            sample.drop(columns=["unit_type", "stratum"]), on="unit_id", how="left", validate="one_to_one"
        )
        own = catalogue[catalogue["unit_type"] == unit_type].set_index("indicator")["kind"]
        wide = _wide(values[values["unit_type"] == unit_type], units["unit_id"], own.index)
        kinds = {str(name): str(kind) for name, kind in own.items()}
        own_frame = frame[frame["unit_type"] == unit_type]
        table = estimates_of(units, own_frame, wide, kinds, step.wave.calibration, unit_type)
        tables.append(table.assign(unit_type=unit_type))
    return pd.concat(tables, ignore_index=True)


def estimates_of(
    units: pd.DataFrame,
    frame: pd.DataFrame,
    values: pd.DataFrame,
    kinds: Mapping[str, str],
    calibration: Calibration,
    unit_type: str,
) -> pd.DataFrame:
    """Every estimate of one type of unit.

    Args:
        units: its respondents: ``weight``, ``nonresponse_weight``, ``variance_stratum``,
            ``variance_population``, ``population`` and the variables of margins and domains.
        frame: units of the population of that type, with the same variables.
        values: one row a respondent in the order of ``units``, one column an indicator; NaN where open.
        kinds: kind of each indicator as the catalogue says it; ``binary`` gives shares, any other totals.
        calibration: the wave's calibration.
        unit_type: ``commune`` or ``epci``.

    Returns:
        The table of :func:`~asco_dagster.methods.estimation.estimate`.
    """
    margins = getattr(calibration, unit_type).margins
    x, *_ = calibration_variables(units, frame, margins, calibration)
    return estimate(
        _design(units, x),
        values,
        {name: "share" if kind == "binary" else "amount" for name, kind in kinds.items()},
        estimation_domains(units, frame),
        population=units["population"].to_numpy(dtype=float),
    )


def _wide(values: pd.DataFrame, unit_ids: pd.Series, indicators: pd.Index) -> pd.DataFrame:
    """Indicators of each respondent as columns; an open answer is NaN."""
    wide = values.pivot(index="unit_id", columns="indicator", values="value")
    return wide.reindex(index=unit_ids, columns=indicators).reset_index(drop=True)


def _design(units: pd.DataFrame, x: np.ndarray) -> SurveyDesign:
    return SurveyDesign(
        weights=units["weight"].to_numpy(dtype=float),
        initial_weights=units["nonresponse_weight"].to_numpy(dtype=float),
        x=x,
        stratum=units["variance_stratum"].to_numpy(),
        stratum_population=units["variance_population"].to_numpy(dtype=float),
    )
