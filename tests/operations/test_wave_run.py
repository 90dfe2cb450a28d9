"""One command line at a time runs a wave, whatever became of the one before."""

import signal
import subprocess
from collections.abc import Callable

import pytest

from asco_dagster.errors import AscoError
from asco_dagster.operations.wave_run import only_run
from asco_dagster.places import Places

Script = Callable[..., "subprocess.Popen[str]"]
HOLDING = """
    from asco_dagster.operations.wave_run import only_run
    with only_run(places, "2014"):
        print("held", flush=True)
        input()
"""


def test_a_second_run_that_starts_at_the_same_moment_is_refused(script: Script, places: Places) -> None:
    first = script(HOLDING)
    assert first.stdout and first.stdout.readline().strip() == "held"
    with pytest.raises(AscoError, match="wave 2014 is running already"), only_run(places, "2014"):
        pass
    with only_run(places, "2025"):
        pass
    first.send_signal(signal.SIGKILL)
    first.wait()
    with only_run(places, "2014"):
        pass
