"""From the sample to calibrated weights, for one type of unit.

Design weights, response-homogeneity groups, nonresponse adjustment, calibration on the wave's margins.

Limits of this version: the adjustment treats response within a group as random; bounds on weight ratios are
the wave file's and widen at most to a tenth and ten before the margins are given up.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse  # type: ignore[import-untyped]

from asco_dagster.methods.calibration_fallback import calibrate_with_fallback
from asco_dagster.methods.margins import MarginSpec, margin_matrix, margin_totals
from asco_dagster.methods.poststrata import LOG_COLUMNS, merge_thin_classes
from asco_dagster.methods.response import nonresponse_weights, response_groups
from asco_dagster.methods.strata import group_populations, variance_strata
from asco_dagster.waves.statistics import Calibration, Margin, UnitCalibration

WIDEST = (0.1, 10.0)


@dataclass(frozen=True)
class Weighting:
    """Weights of the respondents of one type of unit, and how they came about.

    Attributes:
        weights: one row per respondent: unit_id, unit_type, stratum, design_weight, response_group,
            nonresponse_weight, variance_stratum, variance_population, weight.
        x: calibration variables of the same respondents, shape (n, p); 0 for those held at their weight.
        margins: one row per margin: unit_type, margin, total, before, after, gap (relative, after).
        log: one row per decision: unit_type, step, stage, action, detail.
        distance: what calibration minimised.
    """

    weights: pd.DataFrame
    x: sparse.csr_array
    margins: pd.DataFrame
    log: pd.DataFrame
    distance: float


def weigh(
    sample: pd.DataFrame,
    frame: pd.DataFrame,
    calibration: Calibration,
    rules: UnitCalibration,
    unit_type: str,
) -> Weighting:
    """Weigh the respondents of one type of unit.

    Args:
        sample: ``est_asco__sample`` of that type.
        frame: units of the population of that type, with region_code, departement_code, size_class,
            population, epci_nature; ``unit_id`` and ``is_imputed`` where large silent units are imputed: they
            represent themselves, and the weights are those of all other units.
        calibration: the wave's rules on response groups.
        rules: the type's method, bounds and margins.
        unit_type: ``commune`` or ``epci``.

    Returns:
        The weights, aligned with the respondents in the order of ``sample``.

    Raises:
        EstimationError: a group or a margin that cannot be met; names it.
    """
    apart = imputed_apart(frame)
    sample, frame = _without(sample, frame[apart]), frame[~apart]
    sample = sample.reset_index(drop=True).assign(
        design_weight=1 / sample["inclusion_probability"].to_numpy(),
        responded=sample["response_status"].to_numpy() == "respondent",
    )
    grouped = response_groups(
        sample,
        minimum_respondents=calibration.minimum_respondents,
        maximum_adjustment=calibration.maximum_adjustment,
    )
    sample = sample.assign(
        response_group=grouped.groups,
        nonresponse_weight=nonresponse_weights(sample, grouped.groups),
    )
    respondents = sample[sample["responded"]].reset_index(drop=True)
    strata = variance_strata(respondents["response_group"], group_populations(sample, grouped.groups))
    respondents = respondents.assign(
        variance_stratum=strata.strata["variance_stratum"].to_numpy(),
        variance_population=strata.strata["stratum_population"].to_numpy(),
    )
    variables = calibration_variables(respondents, frame, rules.margins, calibration)
    x, totals, names = variables.x, variables.totals, variables.names
    before = respondents["nonresponse_weight"].to_numpy()
    result, steps = calibrate_with_fallback(
        before, x, totals, method=rules.method, bounds=rules.bounds, bounds_limits=WIDEST, names=names
    )
    columns = ["unit_id", "unit_type", "stratum", "design_weight", "response_group", "nonresponse_weight"]
    weights = respondents[[*columns, "variance_stratum", "variance_population"]].assign(
        # A ratio of 1 is one only up to its last bit.
        weight=np.where(variables.held, before, result.weights)
    )
    margins = _margins(
        unit_type,
        names,
        totals + variables.held_totals,
        before @ x + variables.held_totals,
        result.weights @ x + variables.held_totals,
    )
    log = _log(unit_type, grouped.log, variables.merged, strata.log, steps)
    return Weighting(weights, x, margins, log, result.distance)


def imputed_apart(frame: pd.DataFrame) -> np.ndarray:
    """Which units of the frame are imputed, large and silent; none where the frame does not say."""
    return frame["is_imputed"].to_numpy(dtype=bool) if "is_imputed" in frame else np.zeros(len(frame), bool)


def _without(sample: pd.DataFrame, apart: pd.DataFrame) -> pd.DataFrame:
    """The sample as if units apart, which were certain to be drawn, were neither in it nor in its strata."""
    if apart.empty:
        return sample
    gone = sample["unit_id"].isin(apart["unit_id"])
    fewer = sample["stratum"].map(sample.loc[gone, "stratum"].value_counts()).fillna(0).astype("int64")
    return sample.assign(stratum_population=sample["stratum_population"] - fewer)[~gone]


class CalibrationVariables(NamedTuple):
    """What weights are calibrated on.

    Attributes:
        x: calibration variables of the respondents, shape (n, p); 0 for those held at their weight.
        totals: what the others have to sum to, shape (p,).
        names: names of the margins.
        merged: the log of post-strata merged.
        held: respondents that represent themselves alone and keep their weight, shape (n,).
        held_totals: their part of the known totals, shape (p,).
    """

    x: sparse.csr_array
    totals: np.ndarray
    names: list[str]
    merged: pd.DataFrame
    held: np.ndarray
    held_totals: np.ndarray


def calibration_variables(
    respondents: pd.DataFrame, frame: pd.DataFrame, margins: list[Margin], calibration: Calibration
) -> CalibrationVariables:
    """The calibration variables of the respondents and their totals over the frame.

    Size classes too thin within a région are merged first where a margin crosses both; the merges are logged.
    Respondents of variance strata that answered whole represent themselves: they keep their weight, and the
    others are calibrated on what remains of the totals (see :func:`_held`).
    """
    log = pd.DataFrame(columns=LOG_COLUMNS)
    if any(_crosses(margin) for margin in margins):
        classes, frame_class, log = merge_thin_classes(
            respondents, frame, area="region_code", minimum=calibration.minimum_respondents
        )
        respondents = respondents.assign(post_stratum=classes)
        frame = frame.assign(post_stratum=frame_class)
    specs = [_spec(margin) for margin in margins]
    x, names = margin_matrix(respondents, specs)
    totals = margin_totals(frame, specs, names)
    count = respondents.groupby("variance_stratum")["variance_population"].transform("size")
    complete = (respondents["variance_population"] <= count * (1 + 1e-9)).to_numpy()
    held = _held(x, totals, complete, calibration.minimum_respondents)
    held_totals = np.asarray(x[held].sum(axis=0)).ravel()
    others = sparse.csr_array(sparse.diags_array((~held).astype(float)) @ x)
    others.eliminate_zeros()
    rest = totals - held_totals
    # What remains of a margin that is held whole is rounding.
    rest = np.where(np.abs(rest) > 1e-9 * np.abs(totals), rest, 0.0)
    return CalibrationVariables(others, rest, names, log, held, held_totals)


def _held(x: sparse.csr_array, totals: np.ndarray, complete: np.ndarray, minimum: int) -> np.ndarray:
    """Which of the complete units keep their weight; the others are needed to meet a margin.

    A margin that complete units do not fill has to be met by the others; where fewer than ``minimum`` of them
    are in it, the complete units in it are calibrated as well.
    """
    held = complete.copy()
    while held.any():
        rest = totals - np.asarray(x[held].sum(axis=0)).ravel()
        others = np.bincount(x[~held].indices, minlength=x.shape[1])
        thin = (rest > 1e-9 * np.abs(totals)) & (others < minimum)
        needed = held & (x[:, np.flatnonzero(thin)].sum(axis=1) > 0)
        if not needed.any():
            break
        held &= ~needed
    return held


def _crosses(margin: Margin) -> bool:
    return {"region_code", "size_class"} <= set(margin.by)


def _spec(margin: Margin) -> MarginSpec:
    merged = _crosses(margin)
    by = tuple("post_stratum" if merged and name == "size_class" else str(name) for name in margin.by)
    value = "population" if margin.total == "population" else None
    return MarginSpec(f"{margin.total}_by_{'_and_'.join(margin.by)}", by, value)


def _margins(
    unit_type: str, names: list[str], totals: np.ndarray, before: np.ndarray, after: np.ndarray
) -> pd.DataFrame:
    """The margins with what the weights give; a margin of 0 that is met has no gap."""
    gap = np.where(totals != 0, after / np.where(totals != 0, totals, 1.0) - 1, after)
    columns = {"margin": names, "total": totals, "before": before, "after": after, "gap": gap}
    return pd.DataFrame(columns).assign(unit_type=unit_type)[["unit_type", *columns]]


def _log(
    unit_type: str, groups: pd.DataFrame, merged: pd.DataFrame, strata: pd.DataFrame, steps: pd.DataFrame
) -> pd.DataFrame:
    lines = [
        (
            "response group",
            "merged",
            f"{row.group} ({row.respondents} respondents, adjustment {row.adjustment:.3g}) merged into "
            f"{row.merged_into} by {row.rule}",
        )
        for row in groups.itertuples()
    ]
    lines += [
        (
            "post-stratum",
            "merged",
            f"région {row.area}: {row.merged} ({row.respondents} respondents) merged into {row.into}",
        )
        for row in merged.itertuples()
    ]
    lines += [
        ("variance stratum", "merged", f"{row.group} (one respondent) merged into {row.merged_into}")
        for row in strata.itertuples()
    ]
    lines += [
        (
            "calibration",
            str(row.action),
            f"{row.detail} (bounds {row.bound_low:g} to {row.bound_high:g})",
        )
        for row in steps.itertuples()
    ]
    rows = [(unit_type, number, *line) for number, line in enumerate(lines, start=1)]
    return pd.DataFrame(rows, columns=pd.Index(["unit_type", "step", "stage", "action", "detail"]))
