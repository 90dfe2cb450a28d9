"""The embedded PostgreSQL of a home, shared by every ``asco`` process of that home.

Who uses the server is told by file locks and not by a list of process ids: the kernel drops the lock of a
killed process, so that no stale handle keeps a server. The first user starts it, the last one stops it, a
mutex makes this one at a time, and a small keeper process (``keeper.py``), there before the server is, stops
a server whose last user was killed. The server's own processes hold a lock as well, so that one that is about
to come up when its starter dies is not taken for none. What does not belong here: how a server is started and
stopped (``cluster.py``).
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from asco_dagster.storage.postgres.cluster import Cluster

_SECONDS_TO_END = 30.0
_SECONDS_TO_COME_UP = 0.5  # from its first process to its pid file, by which it is known


@dataclass(frozen=True)
class EmbeddedServer:
    """The server of one home.

    Attributes:
        cluster: its data folder.
        locks: folder of the lock files, private to the user who runs the pipeline.
    """

    cluster: Cluster
    locks: Path

    @contextmanager
    def held(self) -> Iterator[Path]:
        """Hold the server: start it if nobody has, stop it afterwards if nobody else holds it.

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

    @contextmanager
    def mutex(self) -> Iterator[None]:
        """Nobody else starts or stops this server meanwhile."""
        lock = open_lock(self.locks / "postgres.mutex")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def stop_if_unused(self, users: int) -> bool:
        """Give up a hold, and stop the server unless another process holds it; needs the mutex.

        Args:
            users: open descriptor of the users' lock.

        Returns:
            Whether the server is down, and none is about to come up.
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
        """Stop the server until no process of it is left; one that comes up may not be seen at first."""
        end = time.monotonic() + _SECONDS_TO_END
        with self._server_lock() as lock:
            while True:
                self.cluster.stop()
                if _locked(lock, _SECONDS_TO_COME_UP):
                    return True
                if time.monotonic() > end:
                    return False

    def _ensure_running(self) -> None:
        # first the keeper: whoever is killed while the server starts leaves one that would run for ever
        self._ensure_kept()
        if self.cluster.answers():
            return
        with self._server_lock() as lock:
            # of a server that was killed some processes may end later; what stays longer pg_ctl tells
            _locked(lock, _SECONDS_TO_END)
            self.cluster.start(inherited=lock)

    @contextmanager
    def _server_lock(self) -> Iterator[int]:
        """The lock that all processes of the server inherit, from the first that makes its data folder on."""
        lock = open_lock(self.locks / "postgres.server")
        try:
            yield lock
        finally:
            os.close(lock)

    def _ensure_kept(self) -> None:
        """Return once the keeper, or an earlier one, holds its lock."""
        subprocess.run(
            [
                sys.executable,
                "-m",
                "asco_dagster.storage.postgres.keeper",
                str(self.cluster.data),
                str(self.locks),
            ],
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
            fcntl.flock(lock, fcntl.LOCK_EX)  # until it is gone
        finally:
            os.close(lock)


def _locked(lock: int, patience: float) -> bool:
    """Whether a lock could be had within so many seconds."""
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


def open_lock(path: Path) -> int:
    """Open a lock file, created on first use; closing the descriptor gives up its lock."""
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
