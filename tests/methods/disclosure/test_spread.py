"""Work spread over processes: in order, reported when a process dies, and gone with its parent."""

import os
import signal
import subprocess
import sys
import time

import pytest

from asco_dagster.errors import DisclosureError
from asco_dagster.methods.disclosure.spread import spread
from asco_dagster.operations.instance import process_started

PROGRAM = """
import os, time
from asco_dagster.methods.disclosure.spread import spread
def who(seconds):
    time.sleep(seconds)
    return os.getpid()
if __name__ == "__main__":
    with spread(2) as each:
        print(*set(each(who, [0.2] * 4)), flush=True)
        each(time.sleep, [300, 300])
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_jobs(workers):
    with spread(workers) as each:
        assert each(abs, [-3, 2, -1]) == [3, 2, 1]
        assert each(abs, []) == []


def test_a_process_that_dies_is_reported_as_a_sentence():
    with pytest.raises(DisclosureError, match="Free memory"), spread(2) as each:
        each(os._exit, [1, 1])


def test_the_environment_is_as_it_was(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with spread(2) as each:
        assert each(os.getenv, ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"]) == ["1", "1"]
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "OPENBLAS_NUM_THREADS" not in os.environ


def test_processes_end_with_a_parent_that_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PROGRAM)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        children = list(map(int, parent.stdout.readline().split()))
        assert children
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    end = time.monotonic() + 20
    while any(map(_lives, children)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(map(_lives, children))


def _lives(process):
    return process_started(process) is not None  # None for one that is dead and not yet reaped
