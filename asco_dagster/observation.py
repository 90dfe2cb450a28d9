"""What a step costs: seconds and peak memory, for the metadata of its asset; never in anything released."""

import contextlib
import ctypes
import resource
import sys
import time
from pathlib import Path
from typing import Any

SECONDS, PEAK = "seconds", "peak memory (MB)"
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Cost:
    """The cost of one step since it began."""

    def __init__(self) -> None:
        _return_memory()
        self._start = time.perf_counter()
        # 5 sets the process's peak back to what it holds now, so that each step has its own (Linux).
        with contextlib.suppress(OSError):
            _CLEAR.write_text("5")

    def metadata(self) -> dict[str, Any]:
        """Seconds and megabytes, as metadata of an asset."""
        return {SECONDS: round(time.perf_counter() - self._start, 3), PEAK: round(_peak() / 1e6, 1)}


def _return_memory() -> None:
    """Return to the system what earlier steps freed; the allocators would keep it through sixty steps."""
    if "pyarrow" in sys.modules:
        sys.modules["pyarrow"].default_memory_pool().release_unused()
    with contextlib.suppress(OSError, AttributeError):  # glibc only
        ctypes.CDLL(None).malloc_trim(0)


def _peak() -> float:
    """Bytes that the process held at most: since the start of the step on Linux, of its life elsewhere."""
    try:
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return float(peak if sys.platform == "darwin" else peak * 1024)
