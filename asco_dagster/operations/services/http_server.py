"""uvicorn with limits that it lacks: on the time for a whole request, and on the number of connections.

uvicorn's ``timeout_keep_alive`` starts after the first answer and restarts with each byte, and its
``limit_concurrency`` counts idle connections and then refuses active ones. Here a connection that does not
send its request in time is closed, and if there are too many, the one that has been idle longest.
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
SECONDS_TO_READ = 60.0  # within which a client must read its answer
MOST_CONNECTIONS = 400  # well below the 1024 open files that a process may have by default
_SECONDS_TO_END = 3  # for requests in progress when the server stops


class LimitedProtocol(H11Protocol):
    """One connection, closed if its request does not arrive or its answer is not read in time."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, if necessary in place of an idle one."""
        super().connection_made(transport)
        self.waiting_since = time.monotonic()
        self._closing: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._limit()
        if len(self.connections) > MOST_CONNECTIONS:
            waiting = [c for c in self.connections if isinstance(c, LimitedProtocol) and c.waits()]
            min(waiting, key=lambda connection: connection.waiting_since).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timers."""
        super().connection_lost(exc)
        for timer in (self._closing, self._stalled):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Read on, and stop the timer once the request is complete."""
        super().data_received(data)
        self._limit()

    def on_response_complete(self) -> None:
        """Wait for the next request as long as for the first."""
        self.waiting_since = time.monotonic()
        super().on_response_complete()
        self._limit()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Stop the timer: the WebSocket protocol pings its peer."""
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        super().handle_websocket_upgrade(event)

    def pause_writing(self) -> None:
        """Start a timer for the client to read."""
        super().pause_writing()
        self._stalled = self.loop.call_later(SECONDS_TO_READ, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop the timer: the client has read."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def waits(self) -> bool:
        """Whether no complete request is in progress."""
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    def _limit(self) -> None:
        if self._closing is not None and not self.waits():
            self._closing.cancel()
            self._closing = None
        elif self._closing is None and self.waits() and self in self.connections:
            self._closing = self.loop.call_later(SECONDS_TO_ASK, self.transport.abort)


def configured(app: ASGIApp, **options: Any) -> uvicorn.Config:
    """Configuration of uvicorn for an application, with these limits."""
    return uvicorn.Config(
        app,
        http=LimitedProtocol,
        log_level="warning",
        access_log=False,  # an address may contain the token
        server_header=False,
        timeout_graceful_shutdown=_SECONDS_TO_END,
        **options,
    )


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A bound and listening socket; connections wait until a server accepts them.

    Raises:
        OSError: the port is in use, or the address is not this machine's.
        OverflowError: there is no such port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as bound:
        yield bound


class ServerThread:
    """A server of an application on a bound socket, in a thread during the ``with`` block."""

    def __init__(self, app: ASGIApp, bound: socket.socket) -> None:
        self._server = uvicorn.Server(configured(app))
        self._thread = threading.Thread(target=self._server.run, args=([bound],), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
