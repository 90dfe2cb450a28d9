"""The waves of the survey: one YAML file a wave, with the form that it must have.

``load_wave`` reads and validates one; ``wave_names`` lists them, and the Dagster partitions are built from
that list; ``readable_waves`` gives all valid ones, and says what is wrong with the other files. A third wave
is one more file and no code; what it does not state has its default in ``defaults.yaml``.
"""

from asco_dagster.waves.wave import Readable, Wave, load_wave, readable_waves, wave_names

__all__ = ["Readable", "Wave", "load_wave", "readable_waves", "wave_names"]
