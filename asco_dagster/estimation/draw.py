"""The asset of the sample's design: delivered, or drawn once and frozen, with inclusion probabilities."""

from pathlib import Path

import pandas as pd

from asco_dagster.errors import EstimationError
from asco_dagster.estimation.design_strata import design_strata, draw_by_design
from asco_dagster.estimation.frozen_sample import COLUMNS, freeze, frozen_state, read_frozen
from asco_dagster.orchestration.wave_step import Table, WaveStep, wave_asset
from asco_dagster.storage.warehouse import read_table
from asco_dagster.waves import Wave

UNIT_TYPES = ("commune", "epci")
FRAME = ["unit_id", "unit_type", "unit_code", "stratum", "population", "departement_code", "region_code"]


@wave_asset(
    deps=["stg_asco__sample", "stg_asco__units", "stg_asco__returns"],
    state=lambda step: frozen_state(step.places.wave(step.wave.wave)),
)
def est_asco__draw(step: WaveStep) -> Table:
    """One row per sampled unit: its stratum and probability by the design; delivered, or drawn and frozen."""
    frame = frame_by_design(read_table(step.database, "stg_asco__units", FRAME), step.wave)
    delivered = read_table(step.database, "stg_asco__sample", ["unit_id"])
    if step.wave.sources.sample:
        origin, chosen = "delivered", frame["unit_id"].isin(delivered["unit_id"])
    else:
        origin, sample = "frozen", frozen_or_drawn(step.places.wave(step.wave.wave), step.wave, frame)
        keys = frame["unit_type"] + ":" + frame["unit_code"]
        chosen = keys.isin(sample["unit_type"] + ":" + sample["unit_code"])
        returned = read_table(step.database, "stg_asco__returns", ["unit_id"])["unit_id"]
        _require_sampled(returned, frame.loc[chosen, "unit_id"])
    rows = with_probabilities(frame, chosen).assign(origin=origin)
    counts = rows["unit_type"].value_counts()
    sampled = {f"{unit_type} sampled": int(counts.get(unit_type, 0)) for unit_type in UNIT_TYPES}
    return Table(rows, {"origin": origin, **sampled})


def frame_by_design(units: pd.DataFrame, wave: Wave) -> pd.DataFrame:
    """The frame with the strata of the design.

    Args:
        units: ``unit_id``, ``unit_type``, ``unit_code``, ``stratum``, ``population``, one row per unit; other
            columns are kept.
        wave: the wave.

    Returns:
        The same rows by type and code, ``stratum`` being that of the design and ``crossing`` the former.
    """
    parts = []
    for unit_type in UNIT_TYPES:
        of_type = units[units["unit_type"] == unit_type]
        stratum = design_strata(of_type, wave.design(unit_type))["stratum"]
        parts.append(of_type.assign(crossing=of_type["stratum"], stratum=stratum))
    return pd.concat(parts).sort_values(["unit_type", "unit_code"], ignore_index=True)


def frozen_or_drawn(folder: Path, wave: Wave, frame: pd.DataFrame) -> pd.DataFrame:
    """The sample of a wave that draws it: the frozen one; on the first run it is drawn and frozen.

    Args:
        folder: the wave's confidential folder.
        wave: the wave.
        frame: as ``frame_by_design`` gives it.

    Returns:
        ``unit_type``, ``unit_code``, ``stratum`` of the sampled units.

    Raises:
        EstimationError: design or frame changed since the draw, or the design does not fit the frame.
    """
    frozen = read_frozen(folder, wave, frame)
    if frozen is not None:
        return frozen
    drawn = []
    for unit_type in UNIT_TYPES:
        of_type = frame[frame["unit_type"] == unit_type].assign(stratum=frame["crossing"])
        drawn.append(
            draw_by_design(of_type, wave.design(unit_type), wave.sampling.seed).assign(unit_type=unit_type)
        )
    sample = pd.concat(drawn, ignore_index=True)[COLUMNS]
    freeze(folder, wave, frame, sample)
    return sample


def with_probabilities(frame: pd.DataFrame, chosen: pd.Series) -> pd.DataFrame:
    """The sampled units with the counts of their strata.

    Args:
        frame: as ``frame_by_design`` gives it.
        chosen: which of its units are sampled; a delivered sample is what it is, whoever drew it.

    Returns:
        ``unit_id``, ``unit_type``, ``stratum``, ``stratum_population``, ``stratum_sample``,
        ``inclusion_probability``, by type and pseudonym.
    """
    counts = pd.DataFrame({"stratum": frame["stratum"], "chosen": chosen}).groupby("stratum")["chosen"]
    rows = frame.loc[chosen, ["unit_id", "unit_type", "stratum"]]
    rows = rows.assign(
        stratum_population=rows["stratum"].map(counts.size()).astype("int64"),
        stratum_sample=rows["stratum"].map(counts.sum()).astype("int64"),
    )
    rows["inclusion_probability"] = rows["stratum_sample"] / rows["stratum_population"]
    return rows.sort_values(["unit_type", "unit_id"], ignore_index=True)


def _require_sampled(returned: pd.Series, sampled: pd.Series) -> None:
    outside = returned[returned.notna() & ~returned.isin(sampled)]
    if len(outside):
        raise EstimationError(
            f"{len(outside)} returns come from units that were not drawn, first unit {outside.iloc[0]}",
            expected="returns of units of the frozen sample only",
            remedy="Give the frozen sample to those who collect, or deliver the sample that was collected",
        )
