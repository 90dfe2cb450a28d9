"""``asco up`` at work on a run, and the death of one of its servers.

What does not belong here: what is demanded afterwards.
"""

import random
import socket
import time
from collections.abc import Callable

import psutil

from asco_testing.dagster_api import ask
from asco_testing.faults.checkpoints import Checkpoint
from asco_testing.faults.forked import Forked
from asco_testing.faults.home_under_test import PATIENCE, Bench, NotRecoveredError
from asco_testing.faults.journal import ENDED

SELECTOR = '{repositoryLocationName: "asco", repositoryName: "__repository__", jobName: "wave_job"}'


def kill_server(name: str) -> Callable[[Bench, Checkpoint, random.Random], str]:
    """Kill one of the servers of ``asco up`` while it runs the wave.

    A run that still stood in the queue is no dead one: the next ``asco up`` must take it up and end it.
    """

    def fault(bench: Bench, at: Checkpoint, chance: random.Random) -> str:
        port = free_port()
        served = bench.start("up", "--port", str(port))
        try:
            wait_for(served)
            before = spent_below(served)
            launch(f"http://127.0.0.1:{port}", at.wave)
            instant = at.instant(chance)
            reached = until(served, before + instant)
            killed = 0
            for process in psutil.Process(served.pid).children(recursive=True):
                # the code servers and runs that it started have other names
                if process.name()[:15] == name[:15]:
                    process.kill()
                    killed += 1
            code = served.wait(120)
            if code != 3 or killed != 1:
                raise NotRecoveredError(f"asco up gave {code} after {killed} kills: {served.told()[-300:]}")
        finally:
            if served.poll() is None:
                served.interrupt()
                served.wait(120)
        told = f"{instant:.1f} CPU s after its launch{'' if reached else f', {ENDED}'}"
        if bench.waits():
            work_off(bench)
            told += ", taken up from the queue by the next daemon"
        return told

    return fault


def work_off(bench: Bench) -> None:
    """Start ``asco up`` once more until no run waits or works."""
    port = free_port()
    served = bench.start("up", "--port", str(port))
    try:
        wait_for(served)
        end = time.monotonic() + PATIENCE
        while states := unfinished(f"http://127.0.0.1:{port}"):
            if time.monotonic() > end:
                raise NotRecoveredError(f"the next daemon does not work off the queue: {states}")
            time.sleep(0.5)
    finally:
        served.interrupt()
        served.wait(120)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(served: Forked) -> None:
    end = time.monotonic() + PATIENCE
    while "Ctrl-C" not in served.told():
        if served.poll() is not None or time.monotonic() > end:
            raise NotRecoveredError(f"asco up does not answer: {served.told()[-600:]}")
        time.sleep(0.1)


def until(served: Forked, instant: float) -> bool:
    """Wait until everything below ``asco up`` has spent so many processor seconds; False when idle before."""
    last, still = 0.0, time.monotonic()
    while served.poll() is None and (now := spent_below(served)) < instant:
        if now > last + 0.3:
            last, still = now, time.monotonic()
        if time.monotonic() > still + 20:
            return False
        time.sleep(0.2)  # to look costs: at 20 times a second it was a twentieth of a try
    return True


def spent_below(served: Forked) -> float:
    total = 0.0
    for process in psutil.Process(served.pid).children(recursive=True):
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.Error:
            continue
    return total


def launch(base: str, wave: str) -> None:
    query = (
        f"mutation {{launchRun(executionParams: {{selector: {SELECTOR}, "
        f'executionMetadata: {{tags: [{{key: "dagster/partition", value: "{wave}"}}]}}}}) {{__typename}}}}'
    )
    told = ask(base, query, 120.0)["launchRun"]["__typename"]
    if told != "LaunchRunSuccess":
        raise NotRecoveredError(f"the run was not launched: {told}")


def unfinished(base: str) -> list[str]:
    statuses = "[QUEUED, NOT_STARTED, STARTING, STARTED, CANCELING]"
    query = f"{{runsOrError(filter: {{statuses: {statuses}}}) {{... on Runs {{results {{status}}}}}}}}"
    return [run["status"] for run in ask(base, query, 120.0)["runsOrError"]["results"]]
