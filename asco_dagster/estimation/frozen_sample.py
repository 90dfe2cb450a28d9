"""The drawn sample, kept: what a wave's first run draws, every later run reads again.

Two files in the wave's confidential folder, mode 0600: ``sample-frozen.csv`` in the layout of a delivered
sample (so that it can be handed to whoever collects), and ``sample-frozen.json`` with the hashes of the
design, the frame and the CSV; the JSON is written last, and without it nothing is frozen.

A frozen sample over a changed frame or design is an error, not a decision of the pipeline's: its
probabilities are those of the frame that it was drawn from, and no rule can separate a corrected frame from a
wrong delivery.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd

from asco_dagster.durable import write_whole
from asco_dagster.errors import EstimationError
from asco_dagster.waves import Wave
from asco_dagster.waves.statistics import Sampling

SAMPLE = "sample-frozen.csv"
RECORD = "sample-frozen.json"
COLUMNS = ["unit_type", "unit_code", "stratum"]


def read_frozen(folder: Path, wave: Wave, strata: pd.DataFrame) -> pd.DataFrame | None:
    """The frozen sample of a wave, if there is one.

    Args:
        folder: the wave's confidential folder.
        wave: the wave, whose design must still be that of the draw.
        strata: ``unit_type``, ``unit_code``, ``stratum`` of every unit of the frame today.

    Returns:
        ``unit_type``, ``unit_code``, ``stratum`` of the sampled units; None when nothing is frozen.

    Raises:
        EstimationError: design or frame differs from that of the draw, or the file was altered.
    """
    if not (folder / RECORD).is_file():
        return None
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    path = folder / SAMPLE
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != record["sample_sha256"]:
        raise EstimationError(
            "the frozen sample was altered or lost",
            file=path,
            expected=f"the {record['units']} units drawn for wave {wave.wave}",
            remedy="Restore it from a backup; only what was drawn and collected may be weighted",
        )
    # As the wave file reads it today: a key that a design did not have yet has its default.
    if Sampling.model_validate(record["design"]) != wave.sampling:
        raise EstimationError(
            f"the design of wave {wave.wave} differs from that of its frozen sample",
            file=folder / RECORD,
            expected=f"sampling as {json.dumps(record['design'], sort_keys=True)}",
            remedy=f"Restore sampling in {wave.wave}.yaml; {_redraw()}",
        )
    if record["frame_sha256"] != _frame_hash(strata):
        raise EstimationError(
            f"the frame of wave {wave.wave} differs from that of its frozen sample: "
            f"{_difference(record['strata'], strata)}",
            file=folder / RECORD,
            expected="the list of EPCI and the legal populations that the sample was drawn from",
            remedy=f"Deliver those again; {_redraw()}",
        )
    return pd.read_csv(path, sep=";", dtype=str, keep_default_na=False)


def freeze(folder: Path, wave: Wave, strata: pd.DataFrame, sample: pd.DataFrame) -> None:
    """Keep a drawn sample for good.

    Args:
        folder: the wave's confidential folder.
        wave: the wave.
        strata: ``unit_type``, ``unit_code``, ``stratum`` of every unit of the frame.
        sample: the same columns of the units drawn.
    """
    content = sample[COLUMNS].to_csv(sep=";", index=False, lineterminator="\n").encode()
    record = {
        "wave": wave.wave,
        "design": _design(wave),
        "units": len(sample),
        "sample_sha256": hashlib.sha256(content).hexdigest(),
        "frame_sha256": _frame_hash(strata),
        "strata": _counts(strata),
    }
    write_whole(folder / SAMPLE, content)
    write_whole(folder / RECORD, json.dumps(record, indent=1))


def frozen_state(folder: Path) -> list[str]:
    """Hashes of the two files of a frozen sample; empty where nothing is frozen."""
    found = [folder / name for name in (SAMPLE, RECORD)]
    return [hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "" for path in found]


def _design(wave: Wave) -> dict[str, Any]:
    return wave.sampling.model_dump(mode="json")


def _frame_hash(strata: pd.DataFrame) -> str:
    rows = strata[COLUMNS].sort_values(COLUMNS).to_csv(index=False, header=False, lineterminator="\n")
    return hashlib.sha256(rows.encode()).hexdigest()


def _counts(strata: pd.DataFrame) -> dict[str, int]:
    return {str(name): int(n) for name, n in strata["stratum"].value_counts().sort_index().items()}


def _difference(former: dict[str, int], strata: pd.DataFrame) -> str:
    """How the strata changed, in words; units exchanged within strata leave the counts as they were."""
    now = _counts(strata)
    changed = [name for name in sorted({*former, *now}) if former.get(name, 0) != now.get(name, 0)]
    if not changed:
        return "units were exchanged for others of the same strata"
    first = changed[0]
    return (
        f"{sum(former.values())} units then, {sum(now.values())} now, in {len(changed)} strata another "
        f"number, first {first} ({former.get(first, 0)} then, {now.get(first, 0)} now)"
    )


def _redraw() -> str:
    return f"to discard that sample and draw another, remove {RECORD} from the wave's working folder"
