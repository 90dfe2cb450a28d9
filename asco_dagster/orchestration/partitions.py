"""The wave partition: every asset has one partition a wave, and the waves are the files in ``waves/``."""

import dagster as dg

from asco_dagster.waves import wave_names

WAVES = dg.StaticPartitionsDefinition(wave_names())
