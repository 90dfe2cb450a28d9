"""``make bench``: what the pipeline costs as a whole, each figure beside a peer or a floor of the same run.

Parts run alone: ``make bench PARTS=cold,repeated``. Results of all parts that ever ran stand together in
``var/bench/results.md``, ``.json`` and ``.svg``; deliveries made for one part serve the others. Exit code 1
when a bound is missed. What does not belong here: the parts themselves.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from asco_testing import CHECKOUT
from asco_testing.benchmarks.census.census_part import census
from asco_testing.benchmarks.figures import Figure, keep
from asco_testing.benchmarks.floors_part import floors
from asco_testing.benchmarks.peers.peers_part import peers
from asco_testing.benchmarks.scales.scales_part import hundred, scales
from asco_testing.benchmarks.wave_runs import cold, repeated, waves

PARTS: dict[str, Callable[[Path], list[Figure]]] = {
    "cold": cold,
    "repeated": repeated,
    "waves": waves,
    "census": census,
    "scales": scales,
    "hundred": hundred,
    "floors": floors,
    "peers": peers,
}


def main() -> int:
    """Run the parts that are asked for; 1 when a bound is missed."""
    options = argparse.ArgumentParser(description="What the pipeline costs")
    options.add_argument(
        "--parts", default="", help=f"some of {', '.join(PARTS)}, with commas; all by default"
    )
    options.add_argument("--folder", type=Path, default=CHECKOUT / "var" / "bench")
    given = options.parse_args()
    asked = [name for name in given.parts.split(",") if name] or list(PARTS)
    unknown = [name for name in asked if name not in PARTS]
    if unknown:
        options.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    folder = given.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    missed = []
    for name in asked:
        began = time.monotonic()
        figures = PARTS[name](folder)
        keep(folder, name, figures)
        missed += [f"{name}: {one.what}" for one in figures if one.holds is False]
        print(f"{name} took {time.monotonic() - began:.0f} s", flush=True)
    print((folder / "results.md").read_text())
    for one in missed:
        print(f"the bound does not hold: {one}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
