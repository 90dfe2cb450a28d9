"""The keeper of the embedded PostgreSQL: stops it once its last user is gone, however that user ended.

Run as ``python -m asco_dagster.storage.postgres.keeper DATA LOCKS`` by the process that is about to start the
server. A user that ends normally stops the server and dismisses the keeper; the keeper is for killed ones.
"""

import fcntl
import os
import signal
import sys
import time
from pathlib import Path

from asco_dagster.durable import open_lock
from asco_dagster.storage.postgres.cluster import Cluster
from asco_dagster.storage.postgres.embedded import EmbeddedServer

_SECONDS = 1.0


def main(data: Path, locks: Path) -> None:
    """Take the keeper's lock, go to the background, and watch; return at once if there is one already."""
    # Dagster ignores SIGTERM where SIGINT is ignored (under xdist, or behind & in a script), and its children
    # inherit that: callers would wait for ever for a keeper that cannot be dismissed.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    keeper = open_lock(locks / "postgres.keeper")
    try:
        fcntl.flock(keeper, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    # The parent ends so that callers need not wait for the keeper; parent and child share the lock.
    started, ready = os.pipe()
    if os.fork():
        os.close(ready)
        os.read(started, 1)
        return
    os.ftruncate(keeper, 0)
    os.pwrite(keeper, str(os.getpid()).encode(), 0)
    os.close(ready)
    watch(EmbeddedServer(Cluster(data), locks), keeper)


def watch(server: EmbeddedServer, keeper: int) -> None:
    """Return once the server is down, having stopped it if nobody uses it any more.

    The keeper's lock is closed at the end.
    """
    while server.locks.is_dir():
        time.sleep(_SECONDS)
        try:
            users = os.open(server.locks / "postgres.users", os.O_RDWR)
        except FileNotFoundError:  # the home was removed
            return
        with server.mutex():
            down = server.stop_if_unused(users)
            if down:
                os.close(keeper)  # nobody may start a server beside a keeper that is ending
        os.close(users)
        if down:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
