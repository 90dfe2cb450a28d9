"""The processors that this process may use, and their shares when several waves run side by side.

Two waves that spread over the same processors move each other's threads to and fro; with separate
shares each takes less processor time, and both end sooner.
"""

import contextlib
import os


def processors() -> int:
    """How many this process may use; at least 1."""
    return len(_available())


def shares(number: int) -> list[set[int]]:
    """Divide the processors among processes that run side by side.

    Returns:
        Numbers of processors, a set a process, disjoint and together all; no more sets than processors.
    """
    available = _available()
    parts = min(number, len(available))
    return [set(available[part::parts]) for part in range(parts)]


def confine(process: int, share: set[int]) -> None:
    """Restrict a new process, and all that it starts, to its share of the processors.

    Does nothing where the system does not offer it (macOS), nor to a process that ended already.
    """
    if hasattr(os, "sched_setaffinity"):
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(process, share)


def _available() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))
