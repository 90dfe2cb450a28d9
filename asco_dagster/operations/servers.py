"""``asco up``: PostgreSQL, Dagster's webserver and daemon, the quality pages; all start and stop together.

What does not belong here: how a child is started and stopped (``children.py``), what the pages server shows
(``pages.py``).
"""

import fcntl
import os
import secrets
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from asco_dagster.connectors.addresses import is_loopback
from asco_dagster.errors import ConfigurationError
from asco_dagster.operations import children
from asco_dagster.operations.children import Child
from asco_dagster.operations.doors import HEALTH, TOKEN, Door, cookie_of, host_names, origins_of
from asco_dagster.operations.http_server import ServerThread, listening
from asco_dagster.operations.instance import UP_LOCK, environment, instance_of, mark_dead_runs, prepare
from asco_dagster.operations.metrics import exposition
from asco_dagster.operations.pages import METRICS, page_app
from asco_dagster.operations.retries import reminding
from asco_dagster.settings import Settings
from asco_dagster.storage.places import WORKSPACE, Places
from asco_dagster.storage.postgres.address import storage
from asco_dagster.storage.postgres.embedded import open_lock

INTERRUPTED, CHILD_DIED = 0, 3
WEBSERVER = "dagster-webserver"
_PATIENCE = 180.0  # seconds until the webserver must answer
_PAUSE = 0.2
_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 (compared, not bound)


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
    with (
        _only_one(places, url(host, port)),
        _interrupts() as interrupts,
        _bound_pages(host, port, quality_port) as bound,
    ):
        _require_free(host, port)
        served = Served(host, port, bound.getsockname()[1], settings.ui_token or secrets.token_urlsafe(32))
        quality_door = _quality_door(served, settings)
        shown = replace(
            settings,
            # An office that serves the pages behind names of its own says so.
            quality_url=settings.quality_url or f"{url(served.reached_at, served.quality_port)}/quality",
            ui_url=settings.ui_url or url(served.reached_at, port),
        )
        with storage(settings, places) as postgres_url:
            process_environment = prepare(shown, places, postgres_url)
            with environment(process_environment), instance_of(places) as instance:
                # this process holds the lock of the home and has started nothing yet
                mark_dead_runs(instance, unserved=settings.postgres_url is None)
                wanted = commands(host, port, workspace, read_only=read_only)
                pages = page_app(places.home, quality_door, lambda: exposition(instance, places))
                with (
                    _children(places, wanted, process_environment, served.token, interrupts) as started,
                    reminding(instance),
                    ServerThread(pages, bound),
                ):
                    return _watch(started, served, _announcement(served, settings), interrupts, say)


@dataclass(frozen=True)
class Served:
    """Where the pages are served.

    Attributes:
        host: what they are bound to.
        port: of Dagster's pages.
        quality_port: of the quality pages.
        token: what opens them.
    """

    host: str
    port: int
    quality_port: int
    token: str

    @property
    def reached_at(self) -> str:
        """The host, or this machine's own address when they are bound to all addresses."""
        return _own_address(self.host) if self.host in _WILDCARDS else self.host


def _quality_door(served: Served, settings: Settings) -> Door:
    return Door(
        served.token,
        cookie_of(served.port),
        host_names(served.host),
        origins_of([settings.quality_url]),
        frozenset({METRICS}),
    )


def commands(host: str, port: int, workspace: Path, *, read_only: bool = False) -> Mapping[str, list[str]]:
    """The command of each child process."""
    python = [sys.executable, "-m"]
    return {
        WEBSERVER: [
            *(*python, "asco_dagster.operations.dagster_webserver"),
            *("-h", host, "-p", str(port), "-w", str(workspace)),
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


def _require_free(host: str, port: int) -> None:
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
    token: str,
    interrupts: list[int],
) -> Iterator[list[Child]]:
    children.adopt_orphans()
    started: list[Child] = []
    try:
        for name, command in wanted.items():
            # Not "logs": that folder of DAGSTER_HOME is what Dagster's telemetry sends out.
            log = places.dagster_home / "servers" / f"{name}.log"
            # No argument, which every user of the machine could read; and to the server of the pages alone.
            key = {"ASCO_UI_TOKEN": token} if name == WEBSERVER else {}
            started.append(children.start(name, command, {**process_environment, **key}, log))
        yield started
    finally:
        asked = len(interrupts)
        children.stop(started, hurry=lambda: len(interrupts) > asked)


@contextmanager
def _bound_pages(host: str, port: int, wanted: int | None) -> Iterator[socket.socket]:
    """A socket for the quality pages: at the wanted port, else at the one after Dagster's, else at any."""
    with ExitStack() as stack:
        try:
            bound = stack.enter_context(listening(host, wanted if wanted is not None else port + 1))
        except (OSError, OverflowError) as error:
            if wanted is not None:
                raise ConfigurationError(
                    f"port {wanted} of {host} is taken", remedy="Name another port for the quality pages"
                ) from error
            bound = stack.enter_context(listening(host, 0))
        yield bound


def _watch(
    started: list[Child],
    served: Served,
    announcement: list[str],
    interrupts: list[int],
    say: Callable[[str], None],
) -> int:
    dagster = url(served.host, served.port)
    answered, since = False, time.monotonic()
    say(f"Starting Dagster at {dagster} …")
    while not interrupts:
        dead = next((child for child in started if child.died()), None)
        if dead is not None:
            say(f"{dead.name} ended: {dead.last_words()}. See {dead.log}. Everything else is stopped.")
            return CHILD_DIED
        if not answered and _answers(f"{dagster}{HEALTH}"):
            answered = True
            say("\n".join(announcement))
        if not answered and time.monotonic() - since > _PATIENCE:
            say(f"Dagster does not answer after {_PATIENCE:.0f} s. See {started[0].log}. All is stopped.")
            return CHILD_DIED
        time.sleep(_PAUSE)
    say("Stopping …")
    return INTERRUPTED


def _announcement(served: Served, settings: Settings) -> list[str]:
    """What is said when the pages answer: their addresses with the token, unless the environment gave it."""
    key = f"/?{TOKEN}={served.token}" if settings.ui_token is None else f"/?{TOKEN}=… (of ASCO_UI_TOKEN)"
    dagster, quality = (url(served.reached_at, port) for port in (served.port, served.quality_port))
    lines = [f"Dagster:       {dagster}{key}", f"Quality pages: {quality}{key}"]
    if not _is_this_machine(served.host):
        lines.append(
            f"Warning: every machine that reaches {served.reached_at} can open these pages, and what they "
            "send is not encrypted. Whoever has the token starts, stops and deletes runs. Use --host "
            "127.0.0.1 and a proxy with TLS before it, and set ASCO_UI_URL to the proxy's address."
        )
    return [*lines, "Ctrl-C stops everything."]


def _is_this_machine(host: str) -> bool:
    return host not in _WILDCARDS and is_loopback(host)


def _own_address(host: str) -> str:
    """The address from which this machine would reach others, over the family of a wildcard.

    Nothing is sent: connecting a datagram socket only chooses the route.
    """
    family, elsewhere = (socket.AF_INET6, "2001:db8::1") if ":" in host else (socket.AF_INET, "192.0.2.1")
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((elsewhere, 9))
        except OSError:
            return socket.gethostname()  # no network: the name, which others may know
        return str(probe.getsockname()[0])


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 (always http, see url)
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
