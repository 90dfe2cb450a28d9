"""Parts ``scales`` and ``hundred``: a tenth, once, ten times and a hundred times the sample.

A tenth is the demonstration's own; from once on the deliveries are those of a larger France, made straight as
exports (``larger_france``), so that what grows is the number of units and nothing else. Weights and estimates
alone are given beside it at each size. What does not belong here: reading workbooks, which come file by file.
"""

import json
import shutil
import sys
from pathlib import Path

from asco_testing.benchmarks.figures import Figure, figure
from asco_testing.benchmarks.measuring import Cost, measured
from asco_testing.benchmarks.wave_runs import WAVE, delivered, own_work, record_of, run_cold

HERE = Path(__file__).parent
TENTH = 0.1
TIMES = (1, 10, 100)
GROWTH = {10: 11}
MEBIBYTES = 4096


def scales(folder: Path) -> list[Figure]:
    """Whole runs at a tenth, once and ten times; weights and estimates alone up to a hundred times."""
    delivered(folder, WAVE, TENTH)
    found = [figure("asco run 2014 at a tenth of the sample", run_cold(folder, WAVE, scale=TENTH)[0])]
    once, home = _run(folder, 1)
    least = sum(own_work(record_of(home)).values())
    found += [figure("asco run, exports, once the sample", once), Figure("layers' own work", least)]
    ten, home = _run(folder, 10)
    work = sum(own_work(record_of(home)).values())
    found += [
        figure("asco run, exports, 10 times the sample", ten, against=("once", once.wall)),
        Figure(
            "layers' own work, 10 times the sample",
            work,
            against="once",
            ratio=work / least,
            bound=f"≤ {GROWTH[10]} times",
            holds=work / least <= GROWTH[10],
        ),
    ]
    return [*found, *_estimation()]


def hundred(folder: Path) -> list[Figure]:
    """A million sampled units; all processes together, PostgreSQL's as well, are to stay within 4 GiB.

    Judged by what they hold: a limit on a process's data counts stacks and reserves that nobody touches.
    """
    cost, _ = _run(folder, 100, may_fail=True)
    said = [line for line in cost.output.splitlines() if line.startswith("asco:")] or [
        f"exit code {cost.code}"
    ]
    return [
        Figure(
            "asco run, exports, 100 times the sample",
            cost.wall,
            cost.processor,
            cost.resident,
            cost.proportional,
            bound=f"≤ {MEBIBYTES} MiB",
            holds=cost.code == 0 and cost.proportional <= MEBIBYTES,
            note="" if cost.code == 0 else f"it is not released: {said[0][:200]}",
        )
    ]


def _run(folder: Path, times: int, *, may_fail: bool = False) -> tuple[Cost, Path]:
    """Run the wave of a larger France in a home that has its deliveries and nothing else."""
    home = folder / f"home-times-{times}"
    program = [sys.executable, str(HERE / "larger_france.py"), str(times)]
    if not (home / "inbox" / WAVE).is_dir():
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        measured([*program, "deliver"], home=home)
    for path in home.iterdir():
        if path.is_file():
            path.unlink()
        elif path.name != "inbox":
            shutil.rmtree(path)
    return measured([*program, "run"], home=home, may_fail=may_fail), home


def _estimation() -> list[Figure]:
    """Weights and estimates, each unit so many times in its stratum, in a process that may take 4 GiB."""
    found = []
    seconds: dict[int, float] = {}
    for times in TIMES:
        command = [sys.executable, str(HERE / "estimation_work.py"), str(times)]
        cost = measured(command, limit=MEBIBYTES * 2**20, may_fail=True)
        what = f"weights and estimates alone, {times} times the sample"
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
