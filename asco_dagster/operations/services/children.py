"""Child processes that end with their parent, each in its process group."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from asco_dagster.durable import make_folder

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_PAUSE = 0.05


@dataclass(frozen=True)
class Child:
    """A child process and the group it leads."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def died(self) -> bool:
        """Whether the leader has ended."""
        return self.process.poll() is not None

    def last_line(self) -> str:
        """Last line of its log, or its exit code."""
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1] if lines else f"exit code {self.process.returncode}"

    def signal(self, number: int) -> None:
        """Send a signal to every process of the group."""
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return  # the group is empty

    def gone(self) -> bool:
        """Whether no process of the group remains."""
        if not self.died():
            return False
        try:
            while os.waitpid(-self.process.pid, os.WNOHANG)[0]:
                pass  # orphans of the group become children of this process, see adopt_orphans
        except ChildProcessError:
            pass
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return True
        return False


def adopt_orphans() -> None:
    """Become the parent of grandchildren whose parent ends, so that none is lost."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def start(name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> Child:
    """Start a child that is interrupted when this process ends in any way.

    Call it from the main thread: Linux ties the child to the thread that started it.

    The log is overwritten.
    """
    make_folder(log.parent)
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(command),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
            preexec_fn=_tie(os.getpid()),  # no thread runs yet
        )
    return Child(name, process, log)


def stop(children: Sequence[Child], hurry: Callable[[], bool]) -> None:
    """Stop children and all that they started: interrupt, then terminate, then kill.

    ``hurry`` says whether the user asked a second time, to kill at once.
    """
    for number, seconds in ((signal.SIGINT, 15), (signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        running = [child for child in children if not child.gone()]
        for child in running:
            # Only the leader is interrupted: it stops its children in order, the code server among them.
            child.process.send_signal(number) if number == signal.SIGINT else child.signal(number)
        end = time.monotonic() + seconds
        while not all(child.gone() for child in running) and time.monotonic() < end:
            if hurry() and number != signal.SIGKILL:
                break
            time.sleep(_PAUSE)


def _tie(parent: int) -> Callable[[], None]:
    library = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded before the fork

    def prepare() -> None:
        # A launcher that was itself started with & ignores SIGINT, and its children would inherit that.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if library is not None:
            library.prctl(_PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
            if os.getppid() != parent:  # it ended before prctl
                os._exit(1)

    return prepare
