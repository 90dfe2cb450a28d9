"""The confidentiality layer: the cells with their status, their log, the audit of the mask, the profiles."""

import time
from typing import Any

import numpy as np
import pandas as pd

from asco_dagster.confidentiality.drift import sec_quality__drift
from asco_dagster.confidentiality.log import cells_metadata, disclosure_log, held_back_metadata
from asco_dagster.confidentiality.model_estimates import sec_asco__model_estimates
from asco_dagster.confidentiality.versions import earlier_versions
from asco_dagster.methods.disclosure.attack import attack
from asco_dagster.methods.disclosure.contributions import contributions
from asco_dagster.methods.disclosure.primary import primary
from asco_dagster.methods.disclosure.protect import protect, released
from asco_dagster.methods.disclosure.rules import AUXILIARY, KEYS
from asco_dagster.methods.disclosure.versions import hold_back, since
from asco_dagster.methods.precision import QualityThresholds, quality_flag
from asco_dagster.orchestration.dbt_layer import dbt_layer
from asco_dagster.orchestration.released_state import EARLIER_VERSIONS
from asco_dagster.orchestration.wave_step import Table, WaveStep, wave_asset
from asco_dagster.processors import processors
from asco_dagster.releases.disclosure import (
    UNIT_TYPES,
    areas_of,
    indicator_kinds,
    links_of,
    rounding_steps,
    rules_of,
    share_steps,
)
from asco_dagster.releases.record import present_units, respondents_of
from asco_dagster.releases.store import ReleaseStore
from asco_dagster.storage.warehouse import read_table
from asco_dagster.waves.statistics import Precision

confidentiality = dbt_layer("confidentiality")

MEASURES = [
    *("estimate", "standard_error", "ci_low", "ci_high", "cv"),
    *("effective_size", "respondents", "weighted_units"),
]


@wave_asset(
    deps=[
        "est_asco__estimates",
        "est_asco__indicators",
        "est_asco__sample",
        "est_asco__weights",
        "est_profile__departements",
    ],
    state=EARLIER_VERSIONS,
)
def sec_asco__cells(step: WaveStep) -> Table:
    """One row per cell of the released breakdowns; V released, A frequency, B dominance, D secondary."""
    areas, rules = areas_of(step.database, step.wave), rules_of(step.wave)
    versions = earlier_versions(ReleaseStore.of(step.places, step.wave.wave), step.database)
    started = time.perf_counter()
    cells = _composition(step, areas)
    judged = since(
        primary(cells, rules),
        present_units(step.database),
        versions,
        areas,
        rules,
        rounding_steps(step.wave),
    )
    done = protect(
        judged, areas, rules, links=links_of(step.wave), steps=share_steps(step.wave), workers=processors()
    )
    seconds = time.perf_counter() - started
    measured = done.cells.merge(
        read_table(step.database, "est_asco__estimates", [*KEYS, *MEASURES]).drop(
            columns=["respondents", "weighted_units"]
        ),
        on=list(KEYS),
        how="left",
        validate="one_to_one",
    )
    measured["quality_flag"] = _flags(measured, step.wave.precision)
    shown = hold_back(measured, versions)
    return Table(
        shown[[*KEYS, *MEASURES, *AUXILIARY, *_STATES]],
        {**cells_metadata(shown, rules, done.families, seconds), **held_back_metadata(shown)},
    )


_STATES = [
    *("status", "reason", "quality_flag", "as_of", "published_in", "closed", "known"),
    *("corrected", "held_back", "correction"),
]


def _composition(step: WaveStep, areas: Any) -> pd.DataFrame:
    """Contributors of every released cell, from the respondents."""
    respondents = respondents_of(step.database)
    answers = read_table(
        step.database, "est_asco__indicators", ["unit_id", "unit_type", "indicator", "value"]
    )
    kinds = indicator_kinds(step.wave)
    answers = answers.merge(kinds, on=["unit_type", "indicator"], validate="many_to_one")
    parts = [
        contributions(
            respondents[respondents["unit_type"] == unit_type],
            answers[answers["unit_type"] == unit_type].drop(columns="unit_type"),
            areas[unit_type],
        )
        for unit_type in UNIT_TYPES
        if (answers["unit_type"] == unit_type).any()
    ]
    return pd.concat(parts, ignore_index=True)


def _flags(cells: pd.DataFrame, precision: Precision) -> np.ndarray:
    shares = cells["statistic"].isin(["share", "population_share"])
    return quality_flag(
        cells["cv"].to_numpy(dtype=float),
        cells["effective_size"].to_numpy(dtype=float),
        QualityThresholds(
            precision.cv.low_precision,
            precision.cv.unreliable,
            precision.half_width.low_precision,
            precision.half_width.unreliable,
            precision.effective_size.low_precision,
            precision.effective_size.unreliable,
        ),
        half_width=((cells["ci_high"] - cells["ci_low"]) / 2).where(shares).to_numpy(dtype=float),
    )


@wave_asset(deps=["sec_asco__cells"], state=EARLIER_VERSIONS)
def sec_asco__disclosure_log(step: WaveStep) -> Table:
    """One row per cell that is closed or held back: why, since when, and which version published it."""
    versions = earlier_versions(ReleaseStore.of(step.places, step.wave.wave), step.database)
    log = disclosure_log(read_table(step.database, "sec_asco__cells"), versions)
    return Table(
        log,
        {
            "closed in an earlier release": int(log["closed_since"].notna().sum()),
            "published by an earlier release, cannot be withdrawn": int(log["published_in"].notna().sum()),
            "versions without a record of their units": sum(version.units is None for version in versions),
        },
    )


@wave_asset(deps=["sec_asco__cells", "est_profile__departements"])
def sec_asco__audit(step: WaveStep) -> Table:
    """One row per number that is not published and what an intruder can infer; a breach closes the gate."""
    cells = read_table(step.database, "sec_asco__cells")
    areas, rules = areas_of(step.database, step.wave), rules_of(step.wave)
    started = time.perf_counter()
    public = released(cells)
    public["as_of"] = cells.sort_values(list(KEYS))["as_of"].to_numpy()
    found = attack(
        public,
        areas,
        rules,
        links=links_of(step.wave),
        rounding=share_steps(step.wave),
        truth=cells,
        workers=processors(),
    )
    decided = found.decided.assign(
        status="V", low=0.0, high=1.0, width=1.0, exact=False, too_close=False, by="anyone"
    )
    rows = pd.concat([found.cells, decided], ignore_index=True) if len(decided) else found.cells
    rows = rows.rename(columns={"exact": "recovered"}).astype(
        {"recovered": int, "too_close": int, "answers": int}
    )
    figures = {f"attack: {name.replace('_', ' ')}": count for name, count in found.summary().items()}
    return Table(rows, {**figures, "seconds": round(time.perf_counter() - started, 1)})


confidentiality_assets = [
    confidentiality,
    sec_asco__cells,
    sec_asco__audit,
    sec_asco__disclosure_log,
    sec_asco__model_estimates,
    sec_quality__drift,
]
