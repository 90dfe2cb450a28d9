"""Under libfaketime, with a true monotonic clock: Python's sleep asks the kernel in a way that it refuses.

Read by every Python of the trials of a clock that jumps, which have this folder on ``PYTHONPATH``. What does
not belong here: the jumps.
"""

import select
import time


def _sleep(seconds: float) -> None:
    select.select((), (), (), max(0.0, seconds))


time.sleep = _sleep
