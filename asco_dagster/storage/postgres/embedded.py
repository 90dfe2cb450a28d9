"""The embedded PostgreSQL of a home, shared by every ``asco`` process of that home.

Users are counted by file locks, not by process ids: the kernel releases the lock of a killed process. The
first user starts the server and the last one stops it, one at a time under a mutex. A keeper process
(``keeper.py``), started before the server, stops a server whose last user was killed. The server's processes
hold a lock as well, so that a server that is still starting when its starter dies is seen.
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from asco_dagster.durable import locked, open_lock
from asco_dagster.storage.postgres.cluster import Cluster

_SECONDS_TO_END = 30.0
_SECONDS_TO_COME_UP = 0.5  # from its first process to its pid file


@dataclass(frozen=True)
class EmbeddedServer:
    """The server of one home.

    The lock files are in a private folder.
    """

    cluster: Cluster
    locks: Path

    @contextmanager
    def held(self) -> Iterator[Path]:
        """Use the server: start it if needed, stop it afterwards if no other process uses it.

        Yields:
            The folder of the server's Unix socket.

        Raises:
            ConfigurationError: the server cannot start; names its log and the remedy.
        """
        users = open_lock(self.locks / "postgres.users")
        try:
            with self.mutex():
                fcntl.flock(users, fcntl.LOCK_SH)
                self._ensure_running()
                folder = self.cluster.socket_folder
            yield folder
        finally:
            with self.mutex():
                if self.stop_if_unused(users):
                    self._dismiss_keeper()
            os.close(users)

    def mutex(self) -> AbstractContextManager[int]:
        """Keep other processes from starting or stopping this server meanwhile."""
        return locked(self.locks / "postgres.mutex")

    def stop_if_unused(self, users: int) -> bool:
        """Stop using the server, and stop it unless another process uses it; needs the mutex.

        Returns:
            Whether the server is down, and none is starting.
        """
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            return self._stopped()
        finally:
            fcntl.flock(users, fcntl.LOCK_UN)

    def _stopped(self) -> bool:
        """Stop the server until no process of it remains; one that is starting may not be seen at first."""
        end = time.monotonic() + _SECONDS_TO_END
        with self._server_lock() as lock:
            while True:
                self.cluster.stop()
                if _lock_within(lock, _SECONDS_TO_COME_UP):
                    return True
                if time.monotonic() > end:
                    return False

    def _ensure_running(self) -> None:
        # the keeper first: if this process is killed while the server starts, the server would run for ever
        self._ensure_kept()
        if self.cluster.answers():
            return
        with self._server_lock() as lock:
            # some processes of a killed server may end later; pg_ctl reports those that remain
            _lock_within(lock, _SECONDS_TO_END)
            self.cluster.start(inherited=lock)

    @contextmanager
    def _server_lock(self) -> Iterator[int]:
        """The lock that all processes of the server inherit, from the first that creates its data folder."""
        lock = open_lock(self.locks / "postgres.server")
        try:
            yield lock
        finally:
            os.close(lock)

    def _ensure_kept(self) -> None:
        """Return once the keeper, or an earlier one, holds its lock."""
        subprocess.run(
            [sys.executable, "-m", f"{__package__}.keeper", str(self.cluster.data), str(self.locks)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            check=True,
            timeout=60,
        )

    def _dismiss_keeper(self) -> None:
        lock = open_lock(self.locks / "postgres.keeper")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.kill(int(os.pread(lock, 20, 0)), signal.SIGTERM)
            fcntl.flock(lock, fcntl.LOCK_EX)  # until it has ended
        finally:
            os.close(lock)


def _lock_within(lock: int, patience: float) -> bool:
    """Whether a lock could be taken within so many seconds."""
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        else:
            return True
