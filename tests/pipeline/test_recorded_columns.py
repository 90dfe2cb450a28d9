"""The dictionary of the pages has the columns that the tables of a wave have.

When it has not: run a wave, then ``python docs/site/record_tables.py HOME WAVE``.
"""

import dictionary
import record_tables

from asco_dagster.storage.warehouse import open_database
from asco_testing.worlds.small_wave import SmallWave


def test_what_is_recorded_is_what_a_wave_has(small_wave: SmallWave) -> None:
    with open_database(small_wave.places.database(small_wave.wave.wave)) as database:
        assert record_tables.columns_of_wave(database) == dictionary.read_columns()
