"""The confidentiality layer: the cells with their status, their log, the audit of the mask, the profiles."""

import time

import numpy as np
import pandas as pd

from asco_dagster.confidentiality.drift import sec_quality__drift
from asco_dagster.confidentiality.earlier import earlier_cells
from asco_dagster.confidentiality.log import cells_metadata, disclosure_log
from asco_dagster.confidentiality.over_time import attack_over_time
from asco_dagster.confidentiality.released import is_released, regions_of, rounding_steps, rules_of
from asco_dagster.confidentiality.research import sec_asco__research_file
from asco_dagster.errors import DisclosureError
from asco_dagster.methods.disclosure import attack, contributions, primary, protect, released
from asco_dagster.methods.disclosure.earlier import closed_before, small_differences, still_true
from asco_dagster.methods.disclosure.rules import AUXILIARY, KEYS
from asco_dagster.methods.precision import QualityThresholds, quality_flag
from asco_dagster.orchestration.dbt_layer import dbt_layer
from asco_dagster.orchestration.wave_step import Table, WaveStep, wave_asset
from asco_dagster.processors import processors
from asco_dagster.publication.shelf import Shelf
from asco_dagster.questionnaires.codebook import families, load_indicators
from asco_dagster.warehouse import read_parts, read_table
from asco_dagster.waves.statistics import Precision

confidentiality = dbt_layer("confidentiality")

UNIT_TYPES = ("commune", "epci")
STATISTICS = ("share", "population_share", "total")  # those that the methods of disclosure can protect
MEASURES = ["estimate", "standard_error", "ci_low", "ci_high", "cv", "respondents", "weighted_units"]


@wave_asset(
    deps=[
        "est_asco__estimates",
        "est_asco__indicators",
        "est_asco__sample",
        "est_asco__weights",
        "est_profile__departements",
    ],
    state=lambda step: Shelf.of(step.places, step.wave.wave).state(),
)
def sec_asco__cells(step: WaveStep) -> Table:
    """One row a cell of the released breakdowns; V released, A frequency, B dominance, D secondary."""
    estimates = read_table(step.database, "est_asco__estimates", [*KEYS, *MEASURES])
    known = estimates["statistic"].isin(STATISTICS)
    cells = estimates[is_released(estimates) & known & (estimates["respondents"] > 0)]
    made = _composition(step, cells)
    cells = cells.merge(made[[*KEYS, *AUXILIARY]], on=list(KEYS), how="left", validate="one_to_one")
    rules, former = rules_of(step.wave), _former(step)
    closed, public = closed_before(former), still_true(former, cells, rounding_steps(step.wave))
    started = time.perf_counter()
    judged = protect(
        pd.concat(
            [
                primary(cells[cells["unit_type"] == unit_type], rules, _magnitudes(unit_type))
                for unit_type in UNIT_TYPES
            ],
            ignore_index=True,
        ),
        regions_of(step.database),
        rules,
        together={unit_type: families(unit_type) for unit_type in UNIT_TYPES},
        closed=closed,
        public=public,
        workers=processors(),
    )
    judged["quality_flag"] = _flags(judged, step.wave.precision)
    return Table(judged, cells_metadata(judged, rules, time.perf_counter() - started))


def _former(step: WaveStep) -> pd.DataFrame:
    """Cells of the wave's earlier releases; a withdrawn one stays known."""
    shelf = Shelf.of(step.places, step.wave.wave)
    return earlier_cells([shelf.content(version) for version in shelf.known()])


def _composition(step: WaveStep, cells: pd.DataFrame) -> pd.DataFrame:
    """Contributors of every cell, from the respondents."""
    respondents = read_table(step.database, "est_asco__weights", ["unit_id", "weight"]).merge(
        read_table(
            step.database,
            "est_asco__sample",
            ["unit_id", "unit_type", "region_code", "departement_code", "size_class", "population"],
        ),
        on="unit_id",
        validate="one_to_one",
    )
    own = []
    for unit_type, wanted in cells.groupby("unit_type"):
        units = respondents[respondents["unit_type"] == unit_type]
        domains = wanted[["geography", "area_code", "size_class"]].drop_duplicates()
        own += [
            contributions(units, values, domains)
            for values in read_parts(
                step.database,
                "est_asco__indicators",
                ["unit_id", "indicator", "value"],
                "indicator",
                only={"unit_type": [str(unit_type)]},
            )
        ]
    return pd.concat(own, ignore_index=True)


def _magnitudes(unit_type: str) -> list[str]:
    """Indicators to which the rule of dominance applies: euros, staff and counts of things or people."""
    return [
        indicator.code for indicator in getattr(load_indicators(), unit_type) if indicator.kind != "binary"
    ]


def _flags(cells: pd.DataFrame, precision: Precision) -> np.ndarray:
    shares = cells["statistic"].isin(["share", "population_share"])
    # A total stands on those who contribute to it, however many others answered nothing or zero.
    behind = cells["respondents"].where(shares, cells["positive_respondents"])
    return quality_flag(
        cells["cv"].to_numpy(dtype=float),
        behind.to_numpy(),
        QualityThresholds(
            precision.cv.low_precision,
            precision.cv.unreliable,
            precision.half_width.low_precision,
            precision.half_width.unreliable,
            int(precision.respondents.low_precision),
            int(precision.respondents.unreliable),
        ),
        half_width=((cells["ci_high"] - cells["ci_low"]) / 2).where(shares).to_numpy(dtype=float),
    )


@wave_asset(deps=["sec_asco__cells"], state=lambda step: Shelf.of(step.places, step.wave.wave).state())
def sec_asco__disclosure_log(step: WaveStep) -> Table:
    """One row a suppressed cell of a table: why it is closed, since which version, and who told it before."""
    cells, former = read_table(step.database, "sec_asco__cells"), _former(step)
    log = disclosure_log(cells, former, rounding_steps(step.wave))
    small = small_differences(former, released(cells), step.wave.disclosure.minimum_respondents)
    return Table(
        log,
        {
            "closed in an earlier release": int(log["closed_since"].notna().sum()),
            "published by an earlier release, cannot be withdrawn": int(log["published_in"].notna().sum()),
            "versions differing by fewer respondents than the threshold": len(small),
        },
    )


@wave_asset(
    deps=["sec_asco__cells", "est_profile__departements"],
    state=lambda step: Shelf.of(step.places, step.wave.wave).state(),
)
def sec_asco__audit(step: WaveStep) -> Table:
    """One row a suppressed number and the interval that an intruder can infer; a breach closes the gate."""
    cells, former = read_table(step.database, "sec_asco__cells"), _former(step)
    started, regions, rules = time.perf_counter(), regions_of(step.database), rules_of(step.wave)
    found = attack(released(cells), regions, rules, truth=cells, workers=processors())
    known = still_true(former, cells, rounding_steps(step.wave))
    over_time = attack_over_time(cells, known, regions, rules, rounding_steps(step.wave))
    skipped = (*found.skipped, *over_time.skipped)
    if skipped:
        raise DisclosureError(
            f"{len(skipped)} tables were not attacked, first {skipped[0]}",
            remedy="Nothing is released that was not attacked: look at the cells of this table",
        )
    rows = pd.concat([found.cells, over_time.new], ignore_index=True)
    rows = rows.assign(
        recovered=rows["exact"].astype(int),
        too_close=(rows["by"] != "").astype(int),
        one_answer_left=rows["one_answer_left"].astype(int),
    )
    told = {f"attack: {name.replace('_', ' ')}": count for name, count in found.summary().items()}
    told |= {f"with earlier releases: {name}": count for name, count in over_time.summary().items()}
    return Table(rows, {**told, "seconds": round(time.perf_counter() - started, 1)})


READ_RELEASES = ("sec_asco__cells", "sec_asco__disclosure_log", "sec_asco__audit")
"""Assets that read the wave's earlier releases: the run's own release must not make them out of date."""

confidentiality_assets = [
    confidentiality,
    sec_asco__cells,
    sec_asco__audit,
    sec_asco__disclosure_log,
    sec_asco__research_file,
    sec_quality__drift,
]
