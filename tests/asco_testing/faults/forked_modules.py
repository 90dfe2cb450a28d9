"""``python -m module`` forked instead of started: ``asco up`` and all its children without their imports.

The process tree, the groups, the ties to parents and the closed files are those of true starts; only the
import of everything, some twenty processor seconds for each ``asco up``, is left out. What does not belong
here: what is done to these processes.
"""

import contextlib
import ctypes
import gc
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterable
from multiprocessing import forkserver, resource_tracker, util
from pathlib import Path
from typing import Any

_PR_SET_NAME = 15
_MODULES = ("dagster", "dagster._daemon", "asco_dagster.operations.services.dagster_webserver")


class ForkedPopen(subprocess.Popen):  # type: ignore[type-arg]
    """A Popen that forks Python modules which this process has imported already."""

    def _execute_child(self, args: Any, executable: Any, preexec_fn: Any, *rest: Any) -> None:
        module = args[2] if isinstance(args, list) and args[:2] == [sys.executable, "-m"] else None
        if module not in _MODULES:
            super()._execute_child(args, executable, preexec_fn, *rest)  # type: ignore[misc]
            return
        _close_fds, pass_fds, cwd, env, _info, _flags, _shell, *pipes = rest
        own_in, own_out, own_err = pipes[0], pipes[3], pipes[5]
        new_session, process_group = pipes[11], pipes[12]
        self.pid = os.fork()
        if self.pid:
            self._child_created = True
            self._close_pipe_fds(*pipes[:6])  # type: ignore[attr-defined]
            return
        try:
            gc.freeze()
            _reset_signals()
            if new_session:
                os.setsid()
            elif process_group >= 0:
                os.setpgid(0, process_group)
            for number, handle in enumerate((own_in, own_out, own_err)):
                if handle not in (-1, number):
                    os.dup2(handle, number)
            _close_all_but({0, 1, 2, *pass_fds})
            if cwd:
                os.chdir(cwd)
            if env is not None:
                os.environ.clear()
                os.environ.update(env)
            if preexec_fn is not None:
                preexec_fn()
        except BaseException:
            os._exit(71)
        _run(module, args[3:])


def install() -> None:
    """Have modules forked in this process and its children."""
    subprocess.Popen = ForkedPopen  # type: ignore[misc]


def _run(module: str, arguments: list[str]) -> None:
    """Become this module, to its end."""
    code = 70
    try:
        # what ``ps`` shows of a process that was forked
        ctypes.CDLL(None).prctl(_PR_SET_NAME, module.encode()[:15], 0, 0, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if module == "dagster":
            _runs_are_forked()
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as asked:
        code = asked.code if isinstance(asked.code, int) else int(asked.code is not None)
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _runs_are_forked() -> None:
    """A code server spawns its runs from threads: have them forked from a helper that has none."""
    import dagster._grpc.server as server

    # those of the process that was forked are closed here
    resource_tracker._resource_tracker.__init__()  # type: ignore[misc, attr-defined]
    forkserver._forkserver.__init__()  # type: ignore[misc, attr-defined]
    usual = util.spawnv_passfds

    def forked(path: Any, args: Any, passed: Any) -> int:
        command = args[-1] if isinstance(args[-1], str) else args[-1].decode()
        if "forkserver" not in command:
            return int(usual(path, args, passed))
        pid = os.fork()
        if pid:
            return pid
        try:
            _close_all_but({0, 1, 2, *passed})
            # its lock is held while this server is started, and a run has a fork server of its own
            forkserver._forkserver.__init__()  # type: ignore[misc, attr-defined]
            exec(command, {})  # noqa: S102 (Python's own command of its fork server)
        finally:
            os._exit(0)

    util.spawnv_passfds = forked
    try:
        forkserver.ensure_running()
    finally:
        util.spawnv_passfds = usual

    class Forking:
        @staticmethod
        def get_context(_method: str) -> Any:
            return multiprocessing.get_context("forkserver")

    server.multiprocessing = Forking  # type: ignore[attr-defined]


def _reset_signals() -> None:
    """As a program that is started finds them."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)


def _close_all_but(kept: Iterable[int]) -> None:
    for number in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        if number not in kept:
            with contextlib.suppress(OSError):
                os.close(number)
