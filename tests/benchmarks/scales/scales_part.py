"""Part ``scales``: a tenth, once, ten times and a hundred times the sample.

A tenth and once are whole runs. France has 36,632 communes and some 2,000 EPCI, and a commune's code five
characters, so that no delivery of ten times the sample can exist: beyond once, weights and estimates are made
of the sample with every unit ten and a hundred times in its stratum, in a process of their own that may take
4 GiB. What does not belong here: the readers at that size, which take workbooks file by file.
"""

import json
import sys
from pathlib import Path

from figures import Figure, figure
from measuring import measured
from wave_runs import WAVE, delivered, own_work, ran, record_of, run_cold

HERE = Path(__file__).parent
TENTH = 0.1
TIMES = (1, 10, 100)
GROWTH = {10: 11}
MEBIBYTES = 4096


def scales(folder: Path) -> list[Figure]:
    """Whole runs at the smaller sizes, the estimation alone at the larger ones."""
    delivered(folder, WAVE, TENTH)
    small, home = run_cold(folder, WAVE, scale=TENTH)
    once, tenth = (sum(own_work(record_of(one)).values()) for one in (ran(folder), home))
    found = [
        figure("asco run 2014 at a tenth of the sample", small),
        Figure("layers' own work at a tenth", tenth, against="at once", ratio=tenth / once),
    ]
    seconds: dict[int, float] = {}
    for times in TIMES:
        command = [sys.executable, str(HERE / "estimation_work.py"), str(times)]
        cost = measured(command, limit=MEBIBYTES * 2**20, may_fail=True)
        what = f"weights and estimates, {times} times the sample"
        if cost.code:
            last = (cost.output.strip().splitlines() or [f"exit code {cost.code}"])[-1]
            found.append(
                Figure(what, bound=f"≤ {MEBIBYTES} MiB", holds=False, note=f"it does not fit: {last}")
            )
            continue
        told = json.loads(cost.output.strip().splitlines()[-1])
        seconds[times] = told["processor"]
        ratio = seconds[times] / seconds[TIMES[0]]
        bound = GROWTH.get(times)
        found.append(
            Figure(
                what,
                told["wall"],
                told["processor"],
                cost.resident,
                cost.proportional,
                "once, processor",
                ratio,
                f"≤ {bound} times" if bound else f"≤ {MEBIBYTES} MiB",
                ratio <= bound if bound else cost.proportional <= MEBIBYTES,
                f"{told['respondents']:,} respondents",
            )
        )
    return found
