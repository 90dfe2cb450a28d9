"""The reading processes: many returns at a time on all cores, and none of them able to stop the others.

A task is a batch of files. When a batch takes too long or its process dies, whatever the file that did it,
each of its files is read again alone; the one that does it again is refused, the others are read. ``pebble``
was chosen over ``concurrent.futures``, whose pool breaks as a whole when one process dies and which cannot
stop a task.
"""

import contextlib
import hashlib
import multiprocessing
import resource
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import TimeoutError as FuturesTimeoutError
from typing import Any

from pebble import ProcessExpired, ProcessPool

from asco_dagster.errors import OutOfReachError
from asco_dagster.sources.returns.archive_members import Member, Where, read_member
from asco_dagster.sources.returns.questionnaire_form import Expected, Return
from asco_dagster.sources.returns.refusals import Refusal, RefusedReturnError
from asco_dagster.sources.returns.workbook_reader import read_workbook

SECONDS = 5.0  # a file, and a batch of them: an ordinary file takes milliseconds
BATCH_FILES = 32
BATCH_BYTES = 16 * 1024 * 1024
MEMORY = 384 * 1024 * 1024  # data segment of one reading process

Outcome = tuple[str | None, Return | Refusal]
"""Checksum of a file (None when its bytes could not be had), and what it says or why it is refused."""


def read_all(
    delivered: Iterable[Member], expected: Mapping[str, Expected], workers: int
) -> Iterator[tuple[Member, Outcome]]:
    """Read every member that is to be read, in the order given.

    Args:
        delivered: the members; those ignored or refused already are handed back as they are.
        expected: what returns must look like.
        workers: number of reading processes.

    Yields:
        Each member that is not ignored, with its outcome.
    """
    with open_pool(expected, workers) as pool:
        waiting: deque[tuple[list[Member], Any]] = deque()
        for batch in _batches(delivered):
            waiting.append((batch, start(pool, batch)))
            if len(waiting) > 3 * workers:
                yield from finish(pool, *waiting.popleft())
        while waiting:
            yield from finish(pool, *waiting.popleft())


@contextlib.contextmanager
def open_pool(expected: Mapping[str, Expected], workers: int) -> Iterator[ProcessPool]:
    """A pool whose processes are forked from a clean one: this one may hold threads and an open database."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    pool = ProcessPool(
        max_workers=workers,
        initializer=_prepare,
        initargs=[dict(expected)],
        context=context,
    )
    try:
        yield pool
    finally:
        pool.stop()
        pool.join()


def _batches(delivered: Iterable[Member]) -> Iterator[list[Member]]:
    batch: list[Member] = []
    size = 0
    for member in delivered:
        if member.ignored:
            continue
        batch.append(member)
        size += len(member.where.content or b"") if member.where else 0
        if len(batch) >= BATCH_FILES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def start(pool: ProcessPool, batch: list[Member]) -> Any:
    """Have a batch read; gives what :func:`finish` waits for."""
    places = [member.where for member in batch if member.refusal is None]
    return pool.schedule(_TASK, args=[places], timeout=SECONDS)


def finish(pool: ProcessPool, batch: list[Member], future: Any) -> Iterator[tuple[Member, Outcome]]:
    """Outcomes of a batch; after a fault, those of its files one by one."""
    outcomes = _outcomes(future)
    if outcomes is None:
        outcomes = []
        for member in batch:
            if member.refusal is None:
                alone = pool.schedule(_TASK, args=[[member.where]], timeout=SECONDS)
                outcomes += _outcomes(alone) or [(_checksum(member.where), Refusal(_why(alone)))]
    read = iter(outcomes)
    for member in batch:
        if member.refusal is None:
            yield member, next(read)
        else:
            yield member, (_checksum(member.where), member.refusal)


def _outcomes(future: Any) -> list[Outcome] | None:
    """What a task gave, None when its process ran out of time, of memory, or died."""
    try:
        return list(future.result())
    except (FuturesTimeoutError, ProcessExpired, MemoryError):
        return None


def _why(future: Any) -> str:
    return "too_slow" if isinstance(future.exception(), FuturesTimeoutError) else "reader_died"


def _checksum(where: Where | None) -> str | None:
    """Checksum of a file that was refused without being read, as far as its bytes can be had."""
    if where is None:
        return None
    try:
        return hashlib.sha256(read_member(where)).hexdigest()
    except RefusedReturnError:
        return None


_expected: dict[str, Expected] = {}


def _prepare(expected: dict[str, Expected]) -> None:
    """Set up a reading process: what to expect, and how much memory it may take."""
    _expected.update(expected)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def read_places(places: list[Where]) -> list[Outcome]:
    """Read a batch, in a reading process."""
    return [read_one(where, _expected) for where in places]


def read_one(where: Where, expected: Mapping[str, Expected]) -> Outcome:
    """Read one file, in whatever process.

    Raises:
        OutOfReachError: the system does not give its bytes: to refuse it would blame whoever sent it.
    """
    checksum = None
    try:
        content = read_member(where)
        checksum = hashlib.sha256(content).hexdigest()
        return checksum, read_workbook(content, expected)
    except RefusedReturnError as refused:
        return checksum, refused.refusal
    except (MemoryError, OutOfReachError):
        raise
    except Exception as fault:
        # A fault of ours must not cost the other returns; the file is kept, and its reason names the fault.
        return checksum, Refusal("unforeseen", expected=f"no {type(fault).__name__}")


_TASK = read_places
