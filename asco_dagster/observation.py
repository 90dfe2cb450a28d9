"""What a step costs: its seconds, and the most memory that the process held meanwhile.

Told in the metadata of the asset, where the UI draws it over time; never in anything released. What does not
belong here: what the step does.
"""

import contextlib
import ctypes
import sys
import time
from pathlib import Path
from typing import Any

SECONDS, PEAK = "seconds", "peak memory (MB)"
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Cost:
    """The cost of one step, as far as it has come."""

    def __init__(self) -> None:
        _give_back()
        self._start = time.perf_counter()
        # 5 sets the process's peak back to what it holds now, so that each step has its own (Linux).
        with contextlib.suppress(OSError):
            _CLEAR.write_text("5")

    def told(self) -> dict[str, Any]:
        """Seconds and megabytes, as metadata of an asset."""
        return {SECONDS: round(time.perf_counter() - self._start, 3), PEAK: round(_peak() / 1e6, 1)}


def _give_back() -> None:
    """Return to the system what earlier steps freed; the allocators would keep it through sixty steps."""
    if "pyarrow" in sys.modules:
        sys.modules["pyarrow"].default_memory_pool().release_unused()
    with contextlib.suppress(OSError, AttributeError):  # malloc_trim is glibc's own
        ctypes.CDLL(None).malloc_trim(0)


def _peak() -> float:
    """Bytes that the process held at most: since the start of the step on Linux, of its life elsewhere."""
    try:
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration):
        import resource

        told = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return float(told if sys.platform == "darwin" else told * 1024)
