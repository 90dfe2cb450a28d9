"""``asco up``: PostgreSQL, Dagster's webserver and daemon, the quality pages; all start and stop together."""

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
from asco_dagster.durable import locked
from asco_dagster.errors import ConfigurationError
from asco_dagster.installation import WORKSPACE
from asco_dagster.operations.instance import UP_LOCK, environment, instance_of, mark_dead_runs, prepare
from asco_dagster.operations.monitoring.metrics import exposition
from asco_dagster.operations.monitoring.operator_page import operator_page
from asco_dagster.operations.services import children
from asco_dagster.operations.services.children import Child
from asco_dagster.operations.services.doors import HEALTH, TOKEN, Door, cookie_of, host_names, origins_of
from asco_dagster.operations.services.http_server import ServerThread, listening
from asco_dagster.operations.services.pages import METRICS, Views, page_app
from asco_dagster.operations.services.retries import reminding
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.postgres.address import storage

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
    workspace: Path = WORKSPACE,
    read_only: bool = False,
    say: Callable[[str], None] = print,
) -> int:
    """Run everything until Ctrl-C, in the main thread.

    Returns:
        0 after Ctrl-C, SIGTERM or SIGHUP; 3 if a server died.

    Raises:
        ConfigurationError: the port is in use, the home is already served, or PostgreSQL is not available.
    """
    with (
        _only_one(places, url(host, port)),
        _interrupts() as interrupts,
        _bound_pages(host, port) as bound,
    ):
        _require_free(host, port)
        served = Served(host, port, bound.getsockname()[1], settings.ui_token or secrets.token_urlsafe(32))
        quality_door = _quality_door(served, settings)
        # set by an office that serves the pages under other names
        shown = replace(settings, ui_url=settings.ui_url or url(served.reached_at, port))
        with storage(settings, places) as postgres_url:
            process_environment = prepare(shown, places, postgres_url)
            with environment(process_environment), instance_of(places) as instance:
                # this process has locked the home and started nothing yet
                mark_dead_runs(instance, unserved=settings.postgres_url is None)
                wanted = commands(host, port, workspace, read_only=read_only)
                views = Views(
                    metrics=lambda: exposition(instance, places),
                    operator=lambda asked: operator_page(instance, places, asked),
                    dagster=shown.ui_url or "",
                )
                pages = page_app(places.home, quality_door, views)
                with (
                    _children(places, wanted, process_environment, served, interrupts) as started,
                    reminding(instance),
                    ServerThread(pages, bound),
                ):
                    return _watch(started, served, _announcement(served, settings), interrupts, say)


@dataclass(frozen=True)
class Served:
    """Where the pages are served."""

    host: str
    port: int
    quality_port: int
    token: str

    @property
    def reached_at(self) -> str:
        """The host, or an address of this machine if they are bound to all addresses."""
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
    webserver = [sys.executable, "-m", f"{__package__}.dagster_webserver", "-h", host, "-p", str(port)]
    daemon = [sys.executable, "-m", "dagster._daemon", "run"]
    return {
        WEBSERVER: [*webserver, "-w", str(workspace), *(["--read-only"] if read_only else [])],
        "dagster-daemon": [*daemon, "-w", str(workspace)],
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
            f"port {port} of {host} is in use, or the address is not this machine's",
            remedy="Stop the program that uses it, or choose another with --port or --host",
        )


@contextmanager
def _only_one(places: Places, address: str) -> Iterator[None]:
    # Two daemons on one home would both launch what is queued.
    path = places.dagster_home / UP_LOCK
    with ExitStack() as stack:
        try:
            lock = stack.enter_context(locked(path, wait=False))
        except BlockingIOError:
            raise ConfigurationError(
                f"{places.home} is already served at {path.read_text()}",
                remedy="Use that one, stop it, or set another ASCO_HOME",
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, address.encode(), 0)
        yield


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
    served: Served,
    interrupts: list[int],
) -> Iterator[list[Child]]:
    children.adopt_orphans()
    started: list[Child] = []
    try:
        for name, command in wanted.items():
            # Not "logs": Dagster's telemetry uploads that folder of DAGSTER_HOME.
            log = places.dagster_home / "servers" / f"{name}.log"
            # Not as an argument, which every user of the machine can read; and for the webserver only.
            pages = url(served.reached_at, served.quality_port)
            key = {"ASCO_UI_TOKEN": served.token, "ASCO_PAGES": pages} if name == WEBSERVER else {}
            started.append(children.start(name, command, {**process_environment, **key}, log))
        yield started
    finally:
        asked = len(interrupts)
        children.stop(started, hurry=lambda: len(interrupts) > asked)


@contextmanager
def _bound_pages(host: str, port: int) -> Iterator[socket.socket]:
    """A socket for the quality pages: at the port after Dagster's, else at any."""
    with ExitStack() as stack:
        try:
            yield stack.enter_context(listening(host, port + 1))
        except (OSError, OverflowError):
            yield stack.enter_context(listening(host, 0))


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
            say(f"{dead.name} ended: {dead.last_line()}. See {dead.log}. Stopping everything else.")
            return CHILD_DIED
        if not answered and _answers(f"{dagster}{HEALTH}"):
            answered = True
            say("\n".join(announcement))
        if not answered and time.monotonic() - since > _PATIENCE:
            say(
                f"Dagster does not answer after {_PATIENCE:.0f} s. See {started[0].log}. Stopping everything."
            )
            return CHILD_DIED
        time.sleep(_PAUSE)
    say("Stopping …")
    return INTERRUPTED


def _announcement(served: Served, settings: Settings) -> list[str]:
    """Printed when the pages answer: their addresses, with the token unless it is set in the environment."""
    key = f"/?{TOKEN}={served.token}" if settings.ui_token is None else f"/?{TOKEN}=… (of ASCO_UI_TOKEN)"
    dagster, quality = (url(served.reached_at, port) for port in (served.port, served.quality_port))
    lines = [f"Dagster:       {dagster}{key}", f"Quality pages: {quality}{key}"]
    if not _is_this_machine(served.host):
        lines.append(
            f"Warning: every machine that reaches {served.reached_at} can open these pages, and what they "
            "send is not encrypted. Anyone with the token can start, stop and delete runs. Use --host "
            "127.0.0.1 behind a proxy with TLS, and set ASCO_UI_URL to the proxy's address."
        )
    return [*lines, "Ctrl-C stops everything."]


def _is_this_machine(host: str) -> bool:
    return host not in _WILDCARDS and is_loopback(host)


def _own_address(host: str) -> str:
    """Address of this machine on the route to others, in the family of a wildcard.

    Nothing is sent: connecting a datagram socket only selects the route.
    """
    family, elsewhere = (socket.AF_INET6, "2001:db8::1") if ":" in host else (socket.AF_INET, "192.0.2.1")
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((elsewhere, 9))
        except OSError:
            return socket.gethostname()  # no network: the name, which other machines may resolve
        return str(probe.getsockname()[0])


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 (always http, see url)
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
