"""What a program costs as a whole: wall time, processor time, the most memory of it and all that it starts.

Belongs here: running one command and watching its family through ``/proc`` (Linux). A PostgreSQL that leaves
its parent, and pools of reading processes, are counted: this process adopts what the command orphans. What
does not belong here: which commands there are, and what their figures are compared with.
"""

import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from asco_dagster.operations.services.children import adopt_orphans

PAUSE = 0.2  # seconds between two looks: a peak that lasts less may be missed
PATIENCE = 30.0  # seconds that a server may take to stop behind its command


@dataclass(frozen=True)
class Cost:
    """What one command cost.

    Attributes:
        wall: seconds from start to end.
        processor: seconds of processor of it and all its descendants.
        resident: MiB, the largest sum of resident sets seen; what processes share counts in each. 0: not
            watched.
        proportional: MiB, the same of proportional sets; what processes share counts once.
        code: exit code.
        output: what it printed.
    """

    wall: float
    processor: float
    resident: float
    proportional: float
    code: int
    output: str


def asco(*arguments: str) -> list[str]:
    """The command line of the checkout under test."""
    return [sys.executable, "-m", "asco_dagster.cli.main", *arguments]


def measured(
    command: Sequence[str],
    *,
    home: Path | None = None,
    limit: int | None = None,
    may_fail: bool = False,
    watched: bool = True,
) -> Cost:
    """Run a command and watch it.

    Args:
        command: program and arguments.
        home: its ``ASCO_HOME``.
        limit: bytes of data that each of its processes may have; more ends it with a ``MemoryError``.
        may_fail: whether another exit code than 0 is a result and not the end of the benchmark.
        watched: whether its memory is looked at, which takes a seventh of a processor: more than noise for
            a command that keeps all of them busy.

    Returns:
        Its cost.

    Raises:
        SystemExit: it failed; shows the end of what it printed.
    """
    adopt_orphans()
    environment = _environment(home)
    before = _reaped()
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            list(command),
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=_limited(limit) if limit else None,
        )
        watch = _Watch() if watched else None
        code = process.wait()
        wall = time.perf_counter() - began
        if watch:
            watch.stop()
        _reap()
        output.seek(0)
        told = output.read().decode("utf-8", "replace")
    if code and not may_fail:
        sys.exit(f"{' '.join(command)} ended with {code}:\n{told[-3000:]}")
    resident, proportional = (watch.resident, watch.proportional) if watch else (0.0, 0.0)
    return Cost(wall, _reaped() - before, resident, proportional, code, told)


class _Watch:
    """Looks at the family every now and then until it is stopped."""

    def __init__(self) -> None:
        self.resident = self.proportional = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _look_on(self) -> None:
        while True:
            sizes = [_sizes(process) for process in family() if process != os.getpid()]
            self.resident = max(self.resident, sum(size[0] for size in sizes))
            self.proportional = max(self.proportional, sum(size[1] for size in sizes))
            if self._stop.wait(PAUSE):
                return


def family() -> set[int]:
    """This process and all that descend from it."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(path.parent.name)] = int(fields[1])
    found = {os.getpid()}
    while more := {process for process, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _sizes(process: int) -> tuple[float, float]:
    """Resident and proportional set in MiB."""
    found = {"Rss": 0.0, "Pss": 0.0}
    try:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in found:
                found[name] = int(rest.split()[0]) / 1024
    except OSError:
        pass  # it has ended meanwhile
    return found["Rss"], found["Pss"]


def _environment(home: Path | None) -> dict[str, str]:
    """This process's environment, without what would make imports slow or name another home."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ASCO_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**kept, **({"ASCO_HOME": str(home)} if home else {})}


def _reaped() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _reap() -> None:
    """Wait for what the command left behind: a server that stops, so that its time is counted."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            process, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not process:
            time.sleep(0.05)
    for process in family() - {os.getpid()}:
        os.kill(process, signal.SIGTERM)


def _limited(limit: int):
    def limit_data() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    return limit_data
