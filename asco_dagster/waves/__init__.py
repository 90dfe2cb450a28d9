"""The waves of the survey: one YAML a wave, and what such a file may say.

``load_wave`` reads and validates one; ``wave_names`` lists them, and the Dagster partitions are made of that
list; ``readable_waves`` gives all whose files hold, and says what is wrong with the others. A third wave is
one more YAML here and no code. What does not belong here: anything that is the same for every wave.
"""

from asco_dagster.waves.wave import Readable, Wave, load_wave, readable_waves, wave_names

__all__ = ["Readable", "Wave", "load_wave", "readable_waves", "wave_names"]
