"""``make bench-truth``: how near the estimates of a demonstration lie to the true values of its generator.

Usage: ``python -m asco_testing.benchmarks.estimation.truth HOME [WAVE]`` on a home where ``asco demo`` and
``asco run`` went through. Exit code 1 when fewer than 99 % of all cells, or of the released ones, lie within
three standard errors.
"""

import sys
from pathlib import Path

from asco_testing.estimation.judged_cells import judged_cells, told


def main() -> None:
    """Print the table."""
    home, wave = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "2014"
    cells = judged_cells(home, wave)
    print(told(cells))
    released = cells[cells["status"] == "V"]
    sys.exit(0 if min(cells["holds"].mean(), released["holds"].mean()) >= 0.99 else 1)


if __name__ == "__main__":
    main()
