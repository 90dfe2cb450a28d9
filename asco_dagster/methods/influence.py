"""Influential answers: which respondents alone move a total, and the total with their pull bounded."""

import numpy as np
import pandas as pd

from asco_dagster.methods.domains import EstimationDomains
from asco_dagster.methods.precision import ResidualVariance, SurveyDesign

INFLUENCE = 0.5
"""Standard errors of the total that one answer has to move it by to be listed; one alone reaches about 1."""
COLUMNS = [
    *("indicator", "geography", "area_code", "row", "value", "weight", "conditional_bias", "share_of_total"),
    *("estimate", "estimate_without", "robust_estimate"),
]


def influential_answers(
    design: SurveyDesign, values: pd.DataFrame, domains: EstimationDomains
) -> pd.DataFrame:
    """Answers whose conditional bias exceeds half the standard error of the total that they are part of.

    Beside each, the total without its pull (``estimate − B_i``) and with the pull of both extremes bounded:
    ``robust = estimate − (min B + max B)/2``, which gives up a little bias for what one answer can do.

    Args:
        design: weights, calibration variables and strata of the n respondents.
        values: amounts, one column per indicator; NaN counts as 0, as in totals.
        domains: domains of the same respondents; those over all sizes are looked at.

    Returns:
        One row per influential answer, the most influential of a total first: ``indicator``, ``geography``,
        ``area_code``, ``row`` (of the respondent), ``value``, ``weight``, ``conditional_bias``,
        ``share_of_total`` (``|B_i|`` over the total), ``estimate``, ``estimate_without``,
        ``robust_estimate``.

    Source: Beaumont, Haziza & Ruiz-Gazen, Biometrika 100 (2013), section 4.3 (the min–max choice); Kokic &
    Bell, Journal of Official Statistics 10 (1994), on the same aim by winsorisation.
    """
    variance = ResidualVariance(design)
    y = np.nan_to_num(values.to_numpy(dtype=float))
    tables = []
    for number, rows in domains.members():
        about = domains.table.iloc[number]
        if about["size_class"] != "total" or not len(rows):
            continue
        total, error = variance.weights[rows] @ y[rows], np.sqrt(variance.of(rows, y[rows]))
        bias = variance.conditional_biases(rows, y[rows])
        robust = total - (bias.min(axis=0) + bias.max(axis=0)) / 2
        unit, column = np.nonzero((np.abs(bias) > INFLUENCE * error * (1 + 1e-9)) & (total > 0))
        pull = bias[unit, column]
        tables.append(
            pd.DataFrame(
                {
                    "indicator": values.columns.to_numpy(dtype=object)[column],
                    "geography": about["geography"],
                    "area_code": about["area_code"],
                    "row": unit,
                    "value": y[unit, column],
                    "weight": variance.weights[unit],
                    "conditional_bias": pull,
                    "share_of_total": np.abs(pull) / total[column],
                    "estimate": total[column],
                    "estimate_without": total[column] - pull,
                    "robust_estimate": robust[column],
                }
            )
        )
    found = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)
    order = ["indicator", "geography", "area_code", "share_of_total", "row"]
    return found.sort_values(order, ascending=[True, True, True, False, True], ignore_index=True)
