"""The sample of a demonstration, drawn by the wave's design, and the list of it that is delivered."""

from pathlib import Path

import numpy as np
import pandas as pd

from asco_dagster.estimation.design_strata import design_strata, draw_by_design
from asco_dagster.waves.statistics import Design

FEWEST = 4
"""Units that a stratum of a small demonstration gives; more would make it a large one."""


def draw_sample(frame: pd.DataFrame, design: Design, *, scale: float, seed: int) -> pd.DataFrame:
    """Draw one type of unit.

    Args:
        frame: ``unit_code``, ``stratum``, ``population``, one row per unit.
        design: its sample design.
        scale: multiplies the design's size and, below 1, its minimum per stratum down to ``FEWEST``; the size
            is then never less than the take-all units and the minima ask for.
        seed: seed of the draw.

    Returns:
        The sampled units by code: ``unit_code``, ``stratum``.

    Raises:
        EstimationError: from scale 1 on, take-all units and minima exceed the size, or the size the frame.
    """
    size, minimum = round(design.size * scale), design.minimum_per_stratum
    if scale < 1:
        minimum = max(round(minimum * scale), min(minimum, FEWEST))
        strata = design_strata(frame, design).groupby("stratum")["take_all"].agg(["size", "all"])
        least = strata["size"].clip(upper=minimum)
        size = max(size, int(np.where(strata["all"], strata["size"], least).sum()))
    scaled = design.model_copy(update={"size": size, "minimum_per_stratum": minimum})
    drawn = draw_by_design(frame, scaled, seed)
    return drawn[["unit_code", "stratum"]]


def write_sample(path: Path, samples: dict[str, pd.DataFrame]) -> None:
    """Write the delivered list ``unit_type;unit_code;stratum``.

    Args:
        path: the file to write.
        samples: by unit type, as :func:`draw_sample` gives them.
    """
    table = pd.concat([sample.assign(unit_type=unit_type) for unit_type, sample in samples.items()])
    content = table[["unit_type", "unit_code", "stratum"]].to_csv(sep=";", index=False, lineterminator="\n")
    path.write_bytes(content.encode())
