"""uvicorn with the limits that it leaves to others: time for a whole request, and a number of connections.

uvicorn's own ``timeout_keep_alive`` begins after the first answer and begins again with each byte, and its
``limit_concurrency`` counts connections that never asked for anything and then refuses those that do. Here a
connection that does not send its request in time is closed, and where there are too many the one that has
waited longest goes. What does not belong here: what is served.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

SECONDS_TO_ASK = 15.0  # within which a whole request, headers and body, must have arrived
SECONDS_TO_READ = 60.0  # within which a reader must take what waits for it
MOST_CONNECTIONS = 400  # well below the 1024 open files that a process may have by default
_SECONDS_TO_END = 3  # for requests in progress when the server stops


class LimitedProtocol(H11Protocol):
    """One connection, closed when its request does not arrive in time or its answer is not taken."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, if need be in the place of one that has sent no request."""
        super().connection_made(transport)
        self.waiting_since = time.monotonic()
        self._closing: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._limit()
        if len(self.connections) > MOST_CONNECTIONS:
            waiting = [c for c in self.connections if isinstance(c, LimitedProtocol) and c.waits()]
            min(waiting, key=lambda connection: connection.waiting_since).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        for timer in (self._closing, self._stalled):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Read on, and stop the clock once the request is whole."""
        super().data_received(data)
        self._limit()

    def on_response_complete(self) -> None:
        """Wait for the next request, for no longer than for the first."""
        self.waiting_since = time.monotonic()
        super().on_response_complete()
        self._limit()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Leave the connection to the WebSocket protocol, which pings its peer."""
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        super().handle_websocket_upgrade(event)

    def pause_writing(self) -> None:
        """The reader is slower than the writer: it gets some time."""
        super().pause_writing()
        self._stalled = self.loop.call_later(SECONDS_TO_READ, self.transport.abort)

    def resume_writing(self) -> None:
        """The reader took what waited for it."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def waits(self) -> bool:
        """Whether no whole request is in progress."""
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    def _limit(self) -> None:
        if self._closing is not None and not self.waits():
            self._closing.cancel()
            self._closing = None
        elif self._closing is None and self.waits() and self in self.connections:
            self._closing = self.loop.call_later(SECONDS_TO_ASK, self.transport.abort)


def configured(app: ASGIApp, **options: Any) -> uvicorn.Config:
    """Configuration of uvicorn for an application, with these limits.

    Args:
        app: what is served.
        **options: further options of uvicorn, as host and port.
    """
    return uvicorn.Config(
        app,
        http=LimitedProtocol,
        log_level="warning",
        access_log=False,  # an address may hold the token
        server_header=False,
        timeout_graceful_shutdown=_SECONDS_TO_END,
        **options,
    )


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that is bound and listens; connections wait until a server takes them.

    Raises:
        OSError: the port is taken, or the address is not this machine's.
        OverflowError: there is no such port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as bound:
        yield bound


class ServerThread:
    """A server on a bound socket, in a thread of its own while the ``with`` block lasts.

    Args:
        app: what is served.
        bound: where.
    """

    def __init__(self, app: ASGIApp, bound: socket.socket) -> None:
        self._server = uvicorn.Server(configured(app))
        self._thread = threading.Thread(target=self._server.run, args=([bound],), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
