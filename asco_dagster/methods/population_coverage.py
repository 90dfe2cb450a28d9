"""Weighted population of areas beside the census: do the weights rebuild the territory they stand for?"""

import numpy as np
import pandas as pd

ERRORS = 4.0
"""Expected errors that a gap may have before it is looked at: one in 15,000 by chance alone."""
TOLERANCE = 0.10
"""Beyond these errors, the gap that response groups and calibration on wider areas may leave (a ratio)."""


def population_coverage(frame: pd.DataFrame, respondents: pd.DataFrame, area: str) -> pd.DataFrame:
    """Weighted population of each area against that of the frame, and the error that the design lets expect.

    The population of every unit of the frame is known, so its variance within each stratum is too:
    ``V = Σ_h N_h²·(1 − r_h/N_h)·S_h²/r_h`` with the r_h respondents of the N_h units of stratum h that lie in
    the area; ``N_h²·S_h²`` where nobody answered. Calibration is left out, which overstates it.

    Args:
        frame: every unit of the population: the column ``area``, ``stratum``, ``population``.
        respondents: the same columns of those who answered, and ``weight``.
        area: column of the area.

    Returns:
        One row per area of the frame, by code: ``area_code``, ``respondents``, ``population`` (inhabitants of
        the frame), ``weighted_population``, ``gap`` (weighted over known, less 1), ``expected_error`` (of the
        gap), ``errors`` (``|gap|`` in expected errors; 0 where both are 0, at most 1,000), ``excess`` (what
        ``|gap|`` exceeds ``ERRORS`` expected errors and ``TOLERANCE`` by; 0 where it does not).

    Source: Cochran, *Sampling Techniques* (1977), equation 5.7; the comparison is the coverage indicator of
    the ESS quality guidelines (Eurostat 2014).
    """
    keys = [area, "stratum"]
    cells = frame.groupby(keys)["population"].agg(units="size", spread="var").fillna({"spread": 0.0})
    answered = respondents.groupby(keys).size().reindex(cells.index, fill_value=0).to_numpy(dtype=float)
    units = cells["units"].to_numpy(dtype=float)
    variance = units * (units - np.minimum(answered, units)) * cells["spread"] / np.maximum(answered, 1.0)
    weighted = (respondents["weight"] * respondents["population"]).groupby(respondents[area]).sum()
    areas = frame.groupby(area)["population"].sum().astype(float)
    gap = weighted.reindex(areas.index, fill_value=0.0) / areas - 1
    error = np.sqrt(variance.groupby(level=area).sum()) / areas
    distance = gap.abs().where(gap.abs() > 1e-9, 0.0)
    table = pd.DataFrame(
        {
            "respondents": respondents.groupby(area).size().reindex(areas.index, fill_value=0),
            "population": areas,
            "weighted_population": weighted.reindex(areas.index, fill_value=0.0),
            "gap": gap,
            "expected_error": error,
            "errors": (distance / error.clip(lower=1e-12)).clip(upper=1000.0),
            "excess": (distance - ERRORS * error - TOLERANCE).clip(lower=0.0),
        }
    )
    return table.rename_axis("area_code").reset_index()
