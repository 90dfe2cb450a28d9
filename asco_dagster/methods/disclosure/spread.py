"""Independent programmes spread over processes, such that the result does not depend on how many there are.

Belongs here: the pool that suppression and attack share. Does not belong here: what is solved. Threads were
set aside: most of a programme's time is spent in Python, between the solver's calls.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process

from asco_dagster.errors import DisclosureError

_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
Each = Callable[[Callable, Sequence], list]
"""Applies a function to jobs and gives the results in the order of the jobs."""


@contextmanager
def spread(workers: int) -> Iterator[Each]:
    """Map in this process, or in fresh ones (no fork: the caller may run threads).

    The processes live as long as the context, for each must import what it needs. One job at a time goes to
    each, since some take a hundred times as long as others.

    Args:
        workers: number of processes; 1 stays in this one.

    Raises:
        DisclosureError: a process died.
    """
    if workers <= 1:
        yield lambda function, jobs: [function(job) for job in jobs]
        return
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_end_with_parent)
    try:
        with pool, _one_thread_each():
            yield lambda function, jobs: list(pool.map(function, jobs))
    except BrokenProcessPool as fault:
        raise DisclosureError(
            "a process that protects or attacks tables died",
            remedy="Free memory (each takes some 300 MB), then run the wave again",
        ) from fault


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes that start meanwhile use one thread for matrices: several would wait for each other."""
    former = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in former.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _end_with_parent() -> None:
    """End this process when its parent is gone: one whose parent was killed would wait for work for ever."""

    def watch() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
