"""The wave partition: every asset has one partition a wave, and the waves are the files in ``waves/``.

A wave whose file is not valid is left out, and named; the others live.
"""

import dagster as dg

from asco_dagster.waves import Readable, readable_waves

LOADED = readable_waves()
"""The waves when the code location was loaded, and what is wrong with the other files."""

WAVES = dg.StaticPartitionsDefinition([wave.wave for wave in LOADED.waves])


def waves_to_start() -> Readable:
    """The waves that are valid now and have a partition; a partition is made when the location is loaded."""
    now, known = readable_waves(), set(WAVES.get_partition_keys())
    late = {
        f"{wave.wave}.yaml": f"file {wave.wave}.yaml: it is valid since the code location was loaded. "
        "Press “Reload” on Dagster's page of the deployment to have its partition."
        for wave in now.waves
        if wave.wave not in known
    }
    return Readable([wave for wave in now.waves if wave.wave in known], {**now.faults, **late})
