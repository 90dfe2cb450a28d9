"""``make bench-disclosure``: all tables of wave 2014 protected and attacked, demonstration and real
territory, each told in seconds and as a multiple of a floor: one linear programme a table.

Two homes are made in which the wave runs to a release (with the publishers' files where they are); homes that
stand already may be named instead. The mask must be the released one and the attack must find nothing before
any time is told. Primary rules, suppression and attack are timed in one process; reading is not.

Usage: ``python tests/benchmarks/disclosure/bench_disclosure.py [HOME ...]``.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from asco_dagster.confidentiality.assets import _magnitudes
from asco_dagster.confidentiality.released import regions_of, rules_of
from asco_dagster.methods.disclosure import attack, primary, protect, released
from asco_dagster.methods.disclosure.programme import programme, settle
from asco_dagster.methods.disclosure.rules import CELL, KEYS
from asco_dagster.methods.disclosure.tables import layout
from asco_dagster.questionnaires.codebook import families
from asco_dagster.waves import load_wave

CHECKOUT = Path(__file__).parents[3]
REAL = CHECKOUT.parent / "shared" / "data" / "real"
ASKED = 120  # seconds for all tables of a wave on two cores (issue 5)


def main() -> None:
    """Time the homes named, or two that are made."""
    if sys.argv[1:]:
        for home in sys.argv[1:]:
            bench(Path(home), home)
        return
    with tempfile.TemporaryDirectory() as folder:
        bench(made(Path(folder) / "demonstration"), "demonstration")
        if REAL.is_dir():
            bench(made(Path(folder) / "real", "--real", str(REAL)), "real territory")
        else:
            print("real territory: the publishers' files are not at ../shared/data/real")


def made(home: Path, *options: str) -> Path:
    """A home where wave 2014 ran to a release."""
    for arguments in (["demo", "--wave", "2014", *options], ["run", "2014"]):
        subprocess.run(
            [sys.executable, "-m", "asco_dagster.cli.main", *arguments],
            env={**os.environ, "ASCO_HOME": str(home)},
            cwd=CHECKOUT,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return home


def bench(home: Path, name: str) -> None:
    """Protect and attack the released cells of a home again, and tell what it took."""
    with duckdb.connect(str(home / "waves" / "2014" / "asco.duckdb"), read_only=True) as database:
        kept = database.sql("select * from confidentiality.sec_asco__cells").df()
        regions = regions_of(database)
    rules = rules_of(load_wave("2014"))
    done, protecting = timed(lambda: protected(kept.drop(columns=["status", "reason"]), regions, rules))
    found, attacking = timed(lambda: attack(released(done), regions, rules, truth=done))
    found.demand_safe()
    same = kept.merge(done, on=list(KEYS), suffixes=("", "_again"), validate="one_to_one")
    if not (same["status"] == same["status_again"]).all():
        raise SystemExit(f"{name}: the mask is not the released one: run the wave with this code first")
    _, floor = timed(lambda: one_programme_a_table(done, regions))
    wall, busy = (one + other for one, other in zip(protecting, attacking, strict=True))
    print(f"{name}: {len(done)} cells, {found.summary()}")
    took = f"protected in {protecting[0]:.1f} s, attacked in {attacking[0]:.1f} s"
    print(f"  {took}: {wall:.1f} of {ASKED} s asked")
    times = busy / floor[1]
    print(f"  {busy:.1f} s of one core, {times:.0f} times one linear programme a table ({floor[1]:.2f} s)")


def protected(cells: pd.DataFrame, regions: dict[str, str], rules: Any) -> pd.DataFrame:
    """Primary and secondary suppression of both types of unit."""
    parts = [
        protect(primary(rows, rules, _magnitudes(unit_type)), regions, rules, together=families(unit_type))
        for unit_type, rows in cells.groupby("unit_type")
    ]
    return pd.concat(parts, ignore_index=True)


def one_programme_a_table(cells: pd.DataFrame, regions: dict[str, str]) -> None:
    """Solve the relations of every table once, for the largest value of its first suppressed cell."""
    for _, rows in cells.groupby(["unit_type", "indicator", "statistic"]):
        known = layout(rows[list(CELL)].itertuples(index=False, name=None), regions)
        holes = np.array([status != "V" for status in _in_order(rows, known.index())])
        values = rows["numerator"].to_numpy(float)[np.argsort(_places(rows, known.index()))]
        nothing = np.zeros(len(known.matrix))
        upper = np.where(holes, np.inf, values)
        solver = programme(
            known.matrix, (np.where(holes, 0.0, values), upper), (nothing - 1e-3, nothing + 1e-3)
        )
        if holes.any():
            solver.changeColCost(int(np.flatnonzero(holes)[0]), -1.0)
        settle(solver)


def _places(rows: pd.DataFrame, order: dict) -> list[int]:
    return [order[cell] for cell in rows[list(CELL)].itertuples(index=False, name=None)]


def _in_order(rows: pd.DataFrame, order: dict) -> np.ndarray:
    return rows["status"].to_numpy()[np.argsort(_places(rows, order))]


def timed(work: Callable[[], Any]) -> tuple[Any, tuple[float, float]]:
    """What came of it, and its seconds: by the clock, and of one core."""
    wall, busy = time.perf_counter(), time.process_time()
    done = work()
    return done, (time.perf_counter() - wall, time.process_time() - busy)


if __name__ == "__main__":
    main()
