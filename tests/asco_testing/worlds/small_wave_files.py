"""Waves small enough for a test that runs many of them: the shipped ones with wider bounds.

A demonstration of scale 0.02 has the fewest units that every stratum allows, so its weights are larger than
a true wave's; every other rule is the shipped one. What does not belong here: running anything.
"""

from pathlib import Path

import yaml

from asco_testing import SHIPPED_WAVES

SCALE = "0.02"
BOUNDS = {"weight_max": 5000, "sample_units_min": 100}


def write_small_waves(folder: Path, names: dict[str, str]) -> Path:
    """Write wave files for ``ASCO_WAVES``.

    Args:
        folder: where to; created when missing.
        names: the shipped wave that each wave is made of.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, model in names.items():
        wave = yaml.safe_load((SHIPPED_WAVES / f"{model}.yaml").read_text(encoding="utf-8"))
        wave["wave"] = name
        wave["bounds"] = {**wave.get("bounds", {}), **BOUNDS}
        (folder / f"{name}.yaml").write_text(
            yaml.safe_dump(wave, allow_unicode=True, sort_keys=False), encoding="utf-8"
        )
    return folder
