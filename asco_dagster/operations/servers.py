"""``asco up``: PostgreSQL, Dagster's webserver and daemon, the quality pages; all start and stop together.

What does not belong here: how a child is started and stopped (``children.py``), what the pages server shows
(``pages.py``).
"""

import fcntl
import os
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.server import ThreadingHTTPServer
from pathlib import Path

from asco_dagster.errors import ConfigurationError
from asco_dagster.operations import children
from asco_dagster.operations.children import Child
from asco_dagster.operations.embedded import open_lock
from asco_dagster.operations.instance import UP_LOCK, environment, instance_of, mark_dead_runs, prepare
from asco_dagster.operations.metrics import exposition
from asco_dagster.operations.pages import page_server
from asco_dagster.operations.postgres import storage
from asco_dagster.operations.retries import reminding
from asco_dagster.places import WORKSPACE, Places
from asco_dagster.settings import Settings

INTERRUPTED, CHILD_DIED = 0, 3
_PATIENCE = 180.0  # seconds until the webserver must answer
_PAUSE = 0.2


def serve(
    settings: Settings,
    places: Places,
    *,
    host: str,
    port: int,
    quality_port: int | None = None,
    workspace: Path = WORKSPACE,
    read_only: bool = False,
    say: Callable[[str], None] = print,
) -> int:
    """Run everything until Ctrl-C; to be called from the main thread.

    Args:
        settings: the environment.
        places: the home.
        host: address to bind to.
        port: port of the Dagster UI.
        quality_port: port of the quality pages; None takes the one after ``port``, or any when it is taken.
        workspace: Dagster's workspace file.
        read_only: let the pages show everything and start, stop or change nothing.
        say: takes each line that is told to the user.

    Returns:
        0 after Ctrl-C, SIGTERM or SIGHUP; 3 when a server died, which is said.

    Raises:
        ConfigurationError: a port is taken, the home is already served, or PostgreSQL cannot be had.
    """
    measured: list[Callable[[], bytes]] = []

    def measure() -> bytes:
        return measured[0]()

    with (
        _only_one(places, url(host, port)),
        _interrupts() as interrupts,
        _pages(places, host, port, quality_port, measure) as pages,
    ):
        _demand_free(host, port)
        quality_url = f"{url(host, pages.server_port)}/quality"
        # An office that serves the pages behind a name of its own says so in ASCO_UI_URL.
        settings = replace(settings, quality_url=quality_url, ui_url=settings.ui_url or url(host, port))
        with storage(settings, places) as postgres_url:
            process_environment = prepare(settings, places, postgres_url)
            with environment(process_environment), instance_of(places) as instance:
                # this process holds the lock of the home and has started nothing yet
                mark_dead_runs(instance, unserved=settings.postgres_url is None)
                measured.append(lambda: exposition(instance, places))
                wanted = commands(host, port, workspace, read_only=read_only)
                with (
                    _children(places, wanted, process_environment, interrupts) as started,
                    reminding(instance),
                ):
                    threading.Thread(target=pages.serve_forever, daemon=True).start()
                    try:
                        return _watch(started, url(host, port), url(host, pages.server_port), interrupts, say)
                    finally:
                        pages.shutdown()


def commands(host: str, port: int, workspace: Path, *, read_only: bool = False) -> Mapping[str, list[str]]:
    """The command of each child process."""
    python = [sys.executable, "-m"]
    return {
        "dagster-webserver": [
            *(*python, "dagster_webserver", "-h", host, "-p", str(port), "-w", str(workspace)),
            *("--dagster-log-level", "warning", "--code-server-log-level", "warning"),
            *(("--read-only",) if read_only else ()),
        ],
        "dagster-daemon": [*python, "dagster._daemon", "run", "-w", str(workspace)],
    }


def url(host: str, port: int) -> str:
    """The address that a browser of this machine can open."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could bind to this port now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _demand_free(host: str, port: int) -> None:
    if not port_is_free(host, port):
        raise ConfigurationError(
            f"port {port} of {host} cannot be used: a program has it, or the address is not this machine's",
            remedy="Stop that program, or name another with --port or --host",
        )


@contextmanager
def _only_one(places: Places, address: str) -> Iterator[None]:
    # Two daemons on one home would both launch what the queue holds.
    lock = open_lock(places.dagster_home / UP_LOCK)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"{places.home} is already served at {os.pread(lock, 200, 0).decode()}",
                remedy="Use that one, stop it, or set another ASCO_HOME",
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, address.encode(), 0)
        yield
    finally:
        os.close(lock)


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    received: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda got, _: received.append(got)) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _children(
    places: Places,
    wanted: Mapping[str, list[str]],
    process_environment: Mapping[str, str],
    interrupts: list[int],
) -> Iterator[list[Child]]:
    children.adopt_orphans()
    started: list[Child] = []
    try:
        for name, command in wanted.items():
            # Not "logs": that folder of DAGSTER_HOME is what Dagster's telemetry sends out.
            log = places.dagster_home / "servers" / f"{name}.log"
            started.append(children.start(name, command, process_environment, log))
        yield started
    finally:
        asked = len(interrupts)
        children.stop(started, hurry=lambda: len(interrupts) > asked)


@contextmanager
def _pages(
    places: Places, host: str, port: int, wanted: int | None, measure: Callable[[], bytes]
) -> Iterator[ThreadingHTTPServer]:
    try:
        server = page_server(places.home, host, wanted if wanted is not None else port + 1, measure)
    except (OSError, OverflowError) as error:
        if wanted is not None:
            raise ConfigurationError(
                f"port {wanted} of {host} is taken", remedy="Name another port for the quality pages"
            ) from error
        server = page_server(places.home, host, 0, measure)
    with server:
        yield server


def _watch(
    started: list[Child], dagster: str, pages: str, interrupts: list[int], say: Callable[[str], None]
) -> int:
    answered, since = False, time.monotonic()
    say(f"Starting Dagster at {dagster} …")
    while not interrupts:
        dead = next((child for child in started if child.died()), None)
        if dead is not None:
            say(f"{dead.name} ended: {dead.last_words()}. See {dead.log}. Everything else is stopped.")
            return CHILD_DIED
        if not answered and _answers(f"{dagster}/server_info"):
            answered = True
            say(f"Dagster:       {dagster}\nQuality pages: {pages}\nCtrl-C stops everything.")
        if not answered and time.monotonic() - since > _PATIENCE:
            say(f"Dagster does not answer after {_PATIENCE:.0f} s. See {started[0].log}. All is stopped.")
            return CHILD_DIED
        time.sleep(_PAUSE)
    say("Stopping …")
    return INTERRUPTED


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 (always http, see url)
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
