"""Processes forked from one that has imported everything, so that a try does not pay ten seconds of imports.

The trials become the reaper of every orphan (``adopt_orphans``): whatever a killed run leaves is found among
their descendants, in whatever session or group it is. What does not belong here: what is run.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

UNCAUGHT = 70
"""Exit code after an exception that nobody caught."""

_ended: dict[int, int] = {}


def reap() -> None:
    """Take note of every child that ended, own or adopted."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            _ended[pid] = os.waitstatus_to_exitcode(status)


def descendants() -> list[psutil.Process]:
    """Every process below this one that has not ended."""
    reap()
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            # Python's tracker of semaphores belongs to the trials themselves.
            mine = "resource_tracker" in " ".join(process.cmdline()) and process.ppid() == os.getpid()
            if not mine and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


class Forked:
    """A forked child and where its output goes."""

    def __init__(self, pid: int, output: Path) -> None:
        self.pid, self.output = pid, output

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        reap()
        return _ended.get(self.pid)

    def wait(self, patience: float) -> int:
        """Its exit code.

        Raises:
            TimeoutError: it still runs after so many seconds; it is killed.
        """
        end = time.monotonic() + patience
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                self.kill()
                raise TimeoutError(f"process {self.pid} neither ended nor failed in {patience:.0f} s")
            time.sleep(0.02)
        return code

    def kill(self) -> None:
        """End it as the kernel does."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def interrupt(self) -> None:
        """End it as Ctrl-C does."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGINT)

    def spent(self) -> float:
        """CPU seconds of the process and of its children that ended."""
        with contextlib.suppress(psutil.Error):
            return sum(psutil.Process(self.pid).cpu_times()[:4])
        return 0.0

    def told(self) -> str:
        """What it has written so far."""
        return self.output.read_text(errors="replace")


def fork(
    work: Callable[[], object],
    output: Path,
    environment: Mapping[str, str],
    before: Callable[[], object] | None = None,
) -> Forked:
    """Do some work in a child of its own session.

    Args:
        work: what it does; its exit code is that of ``SystemExit``, 0, or ``UNCAUGHT``.
        output: file that takes stdout and stderr.
        environment: variables set beside those of this process.
        before: done first, such as a limit.
    """
    sys.stdout.flush()
    output.write_bytes(b"")
    pid = os.fork()
    if pid:
        _ended.pop(pid, None)  # of a former process: the kernel gives a number again after some ten thousand
        return Forked(pid, output)
    code = UNCAUGHT
    try:
        os.setsid()
        _redirect(output)
        os.environ.update(environment)
        if before is not None:
            before()
        work()
        code = 0
    except SystemExit as asked:
        code = asked.code if isinstance(asked.code, int) else int(asked.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            _end_helpers()
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _end_helpers() -> None:
    """Pools and trackers that a normal exit of Python would end."""
    import atexit

    atexit._run_exitfuncs()


def _redirect(output: Path) -> None:
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for number in (1, 2):
        os.dup2(handle, number)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
