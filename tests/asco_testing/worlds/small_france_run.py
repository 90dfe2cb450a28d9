"""Deliver and run one wave of the small France; arguments are the wave and the indicators to protect.

A separate program: the small world replaces functions of the pipeline, and the waves are read at import. It
ends with the exit code of ``asco run``.
"""

import sys

from asco_testing.worlds import small_france


def main(wave: str, protected: list[str]) -> int:
    """Deliver and run; of the indicators only those named are protected and released."""
    small_france.PROTECTED = tuple(protected)
    small_france.shrink()
    from asco_dagster.definitions import build_definitions
    from asco_dagster.demonstration.deliveries import write_deliveries
    from asco_dagster.operations.wave_run import run_wave
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places
    from asco_dagster.waves import load_wave

    settings = Settings.from_environment()
    write_deliveries(load_wave(wave), places=Places.of(settings), scale=float(small_france.SCALE))
    return run_wave(wave, settings, lambda: build_definitions, inbox=None, say=print)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
