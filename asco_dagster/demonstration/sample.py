"""The sample of a demonstration: strata, allocation and draw as the wave's design asks.

Belongs here: how the design is applied to the frame, and the delivered list. Does not belong here: the
methods themselves (``asco_dagster.methods.sampling``).
"""

from pathlib import Path

import numpy as np
import pandas as pd

from asco_dagster.methods.sampling import allocate, draw
from asco_dagster.waves.statistics import Design


def draw_sample(frame: pd.DataFrame, design: Design, *, scale: float, seed: int) -> pd.DataFrame:
    """Draw one type of unit.

    A stratum with a unit of ``take_all_from`` inhabitants or more is split: those units make a part that is
    taken whole, under the same label where the size classes already separate them.

    Args:
        frame: ``unit_code``, ``stratum``, ``population``, one row a unit.
        design: its sample design.
        scale: multiplies the design's size; below 1 the size is never less than the take-all units and the
            minima ask for.
        seed: seed of the draw.

    Returns:
        The sampled units by code: ``unit_code``, ``stratum``.

    Raises:
        EstimationError: from scale 1 on, take-all units and minima exceed the size, or the size the frame.
    """
    units = frame.assign(take_all=frame["population"] >= design.take_all_from)
    mixed = units.groupby("stratum")["take_all"].transform("nunique") > 1
    units["stratum"] = units["stratum"].mask(mixed & units["take_all"], units["stratum"] + ":all")
    groups = units.groupby("stratum", as_index=False)
    strata = groups.agg(population=("unit_code", "size"), take_all=("take_all", "all"))
    size = round(design.size * scale)
    if scale < 1:
        least = strata["population"].clip(upper=design.minimum_per_stratum)
        size = max(size, int(np.where(strata["take_all"], strata["population"], least).sum()))
    allocation = allocate(strata, size, minimum_per_stratum=design.minimum_per_stratum)
    drawn = draw(units.rename(columns={"unit_code": "unit_id"})[["unit_id", "stratum"]], allocation, seed)
    return drawn.rename(columns={"unit_id": "unit_code"})[["unit_code", "stratum"]]


def write_sample(path: Path, samples: dict[str, pd.DataFrame]) -> None:
    """Write the delivered list ``unit_type;unit_code;stratum``.

    Args:
        path: the file to write.
        samples: by unit type, as :func:`draw_sample` gives them.
    """
    table = pd.concat([sample.assign(unit_type=unit_type) for unit_type, sample in samples.items()])
    content = table[["unit_type", "unit_code", "stratum"]].to_csv(sep=";", index=False, lineterminator="\n")
    path.write_bytes(content.encode())
