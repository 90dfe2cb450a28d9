"""The processors that this process may use, and their shares when several waves run side by side.

Two waves that spread over the same processors move each other's threads to and fro; with a share of its own
each takes less processor time, and both end sooner. What does not belong here: how a step spreads its work.
"""

import contextlib
import os


def processors() -> int:
    """How many this process may use; at least 1."""
    return len(_own())


def shares(number: int) -> list[set[int]]:
    """Deal the processors out to processes that run side by side.

    Args:
        number: of processes, at least 1.

    Returns:
        Numbers of processors, a set a process, disjoint and together all; no more sets than processors.
    """
    own = _own()
    parts = min(number, len(own))
    return [set(own[part::parts]) for part in range(parts)]


def confine(process: int, share: set[int]) -> None:
    """Have a process that has just begun, and all that it will start, use its share only.

    Does nothing where the system does not offer it (macOS), nor to a process that ended already.
    """
    if hasattr(os, "sched_setaffinity"):
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(process, share)


def _own() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))
