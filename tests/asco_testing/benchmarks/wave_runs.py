"""Parts ``cold``, ``repeated`` and ``waves``: ``asco run`` as a person starts it.

Deliveries are made once under ``var/bench`` and linked into each home. Cold is a home that has
nothing yet: no database, no PostgreSQL, no parsed dbt project (files may be in the system's cache). What does
not belong here: other sizes than the true one (``scales``).
"""

import json
import os
import shutil
import sys
from pathlib import Path

from asco_dagster.layers import LAYERS
from asco_testing.benchmarks.figures import Figure, figure
from asco_testing.benchmarks.measuring import Cost, asco, measured

HERE = Path(__file__).parent
WAVE, WAVES = "2014", ("2014", "2025")
COLD_SECONDS, AGAIN_SECONDS, MEBIBYTES = 90, 15, 2048
ORCHESTRATION, BESIDE = 0.35, 1.6
ROUNDS = 3
IMPORTS = "import dagster, duckdb, pandas, numpy, pydantic, great_expectations, highspy; import dbt.cli.main"


def delivered(folder: Path, wave: str = WAVE, scale: float = 1.0) -> Path:
    """Inbox with the demonstration's deliveries of a wave; made when it is not there yet."""
    home = folder / f"deliveries-{wave}-{scale:g}"
    inbox = home / "inbox" / wave
    if not (inbox / "DELIVERY.txt").is_file():
        measured(asco("demo", "--wave", wave, "--scale", f"{scale:g}"), home=home)
    return inbox


def imports() -> Cost:
    """The floor of every run: importing what it needs, in one process."""
    return measured([sys.executable, "-c", IMPORTS])


def run_cold(folder: Path, *waves: str, scale: float = 1.0, watched: bool = True) -> tuple[Cost, Path]:
    """Run waves in a new home that has their deliveries and nothing else; the home stays, for other parts."""
    home = folder / f"home-{'-'.join(waves)}-{scale:g}"
    shutil.rmtree(home, ignore_errors=True)
    for wave in waves:
        shutil.copytree(delivered(folder, wave, scale), home / "inbox" / wave, copy_function=os.link)
    home.chmod(0o700)
    return measured(asco("run", *waves), home=home, watched=watched), home


def ran(folder: Path) -> Path:
    """The home of the last cold run of the wave; it runs when there is none."""
    home = folder / f"home-{WAVE}-1"
    if not (home / "releases" / WAVE / "latest").exists():
        run_cold(folder, WAVE)
    return home


def record_of(home: Path, wave: str = WAVE) -> dict:
    """What the event log of a home says of the wave's last run."""
    told = measured([sys.executable, str(HERE / "run_record.py"), wave], home=home).output
    return json.loads(told.strip().splitlines()[-1])


def own_work(record: dict) -> dict[str, float]:
    """Seconds of each layer's own work: making its tables and judging them."""
    spent = dict.fromkeys(LAYERS, 0.0)
    for layer, seconds in (*record["tables"].values(), *record["gates"].values()):
        spent[layer] += seconds
    return spent


def cold(folder: Path) -> list[Figure]:
    """The wave in a new home, and what each layer took of it."""
    delivered(folder)
    floor = imports()
    cost, home = run_cold(folder, WAVE)
    record = record_of(home)
    (folder / "cold-record.json").write_text(json.dumps(record, indent=1))
    found = figure(
        "asco run 2014, cold",
        cost,
        against=("imports", floor.wall),
        wall_at_most=COLD_SECONDS,
        memory_at_most=MEBIBYTES,
    )
    return [figure("imports alone (floor)", floor), found, *_layers(record, cost)]


def _layers(record: dict, cost: Cost) -> list[Figure]:
    spent = own_work(record)
    rest = cost.wall - sum(spent.values())
    gates = sum(seconds for _, seconds in record["gates"].values())
    told = [
        Figure(f"{layer}: own work", seconds, against="the run", ratio=seconds / cost.wall)
        for layer, seconds in spent.items()
    ]
    told.append(Figure("of which gates", gates, against="the run", ratio=gates / cost.wall))
    told.append(
        Figure(
            "orchestration (the run less the layers' own work)",
            rest,
            against="the run",
            ratio=rest / cost.wall,
            bound=f"≤ {ORCHESTRATION:.0%}",
            holds=rest / cost.wall <= ORCHESTRATION,
            note=f"{record['events']} events; imports, PostgreSQL, dbt's own time and Dagster's",
        )
    )
    slowest = sorted(record["tables"].items(), key=lambda item: -item[1][1])[:8]
    told += [
        Figure(f"  {name}", seconds, against="the run", ratio=seconds / cost.wall)
        for name, (_, seconds) in slowest
    ]
    return told


def repeated(folder: Path) -> list[Figure]:
    """The same wave again, nothing changed; a cold run comes first when there is none."""
    home = ran(folder)
    floor, again = imports(), measured(asco("run", WAVE), home=home)
    told = figure(
        "asco run 2014, unchanged",
        again,
        against=("imports", floor.wall),
        wall_at_most=AGAIN_SECONDS,
        memory_at_most=MEBIBYTES,
    )
    return [figure("imports alone (floor)", floor), told]


def waves(folder: Path) -> list[Figure]:
    """Both waves alone and side by side, each time in a new home; the median of some rounds is judged.

    Times alone: looking at memory would be paid by the two that share both processors, and by neither alone.
    """
    rounds = [_round(folder) for _ in range(ROUNDS)]
    ratios = [beside.wall / max(cost.wall for cost in alone.values()) for alone, beside in rounds]
    alone, beside = rounds[ratios.index(sorted(ratios)[ROUNDS // 2])]
    slower = max(alone, key=lambda wave: alone[wave].wall)
    told = [Figure(f"asco run {wave}, alone", cost.wall, cost.processor) for wave, cost in alone.items()]
    ratio = beside.wall / alone[slower].wall
    found = Figure(
        "asco run 2014 2025, side by side",
        beside.wall,
        beside.processor,
        against=f"{slower} alone",
        ratio=ratio,
        bound=f"≤ {BESIDE} times",
        holds=ratio <= BESIDE,
        note="median round; ratios of all: " + ", ".join(f"{one:.2f}" for one in ratios),
    )
    return [*told, found]


def _round(folder: Path) -> tuple[dict[str, Cost], Cost]:
    alone = {wave: run_cold(folder, wave, watched=False)[0] for wave in WAVES}
    return alone, run_cold(folder, *WAVES, watched=False)[0]
