"""Homes, and processes that are looked for by the home they name."""

import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_testing.dagster_api import TOKEN


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in [name for name in os.environ if name.startswith(("ASCO_", "DAGSTER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ASCO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ASCO_UI_TOKEN", TOKEN)
    return Settings.from_environment()


@pytest.fixture
def places(settings: Settings) -> Places:
    return Places.of(settings)


@pytest.fixture
def script(settings: Settings) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start Python code in another process, ``settings`` and ``places`` at hand; its output is a pipe."""
    started: list[subprocess.Popen[str]] = []
    head = (
        "from asco_dagster.storage.places import Places\nfrom asco_dagster.settings import Settings\n"
        "settings = Settings.from_environment()\nplaces = Places.of(settings)\n"
    )

    def start(code: str, **options: object) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", head + textwrap.dedent(code)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **options,  # type: ignore[call-overload]
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def serving(port: int) -> Callable[[Path], str]:
    """Code of a script that is ``asco up`` on the port, with another workspace than the pipeline's."""
    return lambda workspace: (
        f"""
        import functools, pathlib
        from asco_dagster.operations.services.servers import serve
        say, workspace = functools.partial(print, flush=True), pathlib.Path({str(workspace)!r})
        raise SystemExit(serve(settings, places, host="127.0.0.1", port={port}, workspace=workspace, say=say))
    """
    )


@pytest.fixture
def living() -> Callable[[Path], list[str]]:
    """Command lines of the processes that work on a home, this one aside."""
    return _living


@pytest.fixture
def eventually() -> Callable[..., bool]:
    """Wait until something holds; false when it does not in time."""
    return _eventually


def _living(home: Path) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            mine = process.environ().get("ASCO_HOME") == str(home) or str(home) in " ".join(process.cmdline())
            if mine and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def _eventually(holds: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True
