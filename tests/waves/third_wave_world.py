"""A third wave delivered and run to a release in the small world, by the functions behind the command line.

A separate program: the small world replaces functions of the pipeline, and the waves are read at import.
"""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "faults")]
import small_world  # noqa: E402


def main(wave: str, protected: list[str]) -> int:
    """Deliver and run; the exit code of ``asco run``."""
    small_world.PROTECTED = tuple(protected)
    small_world.shrink()
    from asco_dagster.definitions import build_definitions
    from asco_dagster.demonstration.deliveries import write_deliveries
    from asco_dagster.operations.wave_run import run_wave
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places
    from asco_dagster.waves import load_wave

    settings = Settings.from_environment()
    write_deliveries(load_wave(wave), places=Places.of(settings), scale=float(small_world.SCALE))
    return run_wave(wave, settings, lambda: build_definitions, inbox=None, tell=print)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
