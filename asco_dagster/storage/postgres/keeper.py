"""The keeper of the embedded PostgreSQL: stops it once its last user is gone, however that user ended.

Run as ``python -m asco_dagster.storage.postgres.keeper DATA LOCKS`` by the process that starts the server,
before it does. A user that ends in order stops the server itself and dismisses the keeper; the keeper is for
those that were killed. What does not belong here: starting anything.
"""

import fcntl
import os
import signal
import sys
import time
from pathlib import Path

from asco_dagster.storage.postgres.cluster import Cluster
from asco_dagster.storage.postgres.embedded import EmbeddedServer, open_lock

_SECONDS = 1.0


def main(data: Path, locks: Path) -> None:
    """Take the keeper's lock, go to the background, and watch; at once done if there is a keeper already."""
    # Dagster ignores SIGTERM where SIGINT is ignored (under xdist, or behind & in a script), and its children
    # inherit that: a keeper that cannot be dismissed would be waited for without end.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    keeper = open_lock(locks / "postgres.keeper")
    try:
        fcntl.flock(keeper, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    # The parent ends so that nobody has to wait for the keeper; parent and child share the lock.
    started, told = os.pipe()
    if os.fork():
        os.close(told)
        os.read(started, 1)
        return
    os.ftruncate(keeper, 0)
    os.pwrite(keeper, str(os.getpid()).encode(), 0)
    os.close(told)
    watch(EmbeddedServer(Cluster(data), locks), keeper)


def watch(server: EmbeddedServer, keeper: int) -> None:
    """Return once the server is down, having stopped it if nobody holds it any more.

    Args:
        server: the server.
        keeper: descriptor of the keeper's lock, closed at the end.
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
                os.close(keeper)  # nobody may start a server beside a keeper that is about to end
        os.close(users)
        if down:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
