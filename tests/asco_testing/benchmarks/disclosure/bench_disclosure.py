"""``make bench-disclosure``: all tables of wave 2014 protected and attacked, demonstration and real files.

Printed are the seconds of each, the gap of the masks to their optimum, and the open cells by level. Two homes
are made in which the wave runs to a release (with the publishers' files where they are); existing homes may
be named instead. The mask must be the released one and the attack must find nothing before any time is
printed. Reading is not timed.

Usage: ``python -m asco_testing.benchmarks.disclosure.bench_disclosure [HOME ...]``.
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
import pandas as pd

from asco_dagster.methods.disclosure.attack import attack
from asco_dagster.methods.disclosure.primary import primary
from asco_dagster.methods.disclosure.protect import protect, released
from asco_dagster.methods.disclosure.rules import KEYS
from asco_dagster.processors import processors
from asco_dagster.releases.disclosure import areas_of, links_of, rules_of
from asco_dagster.waves import load_wave
from asco_testing import CHECKOUT, REAL

ASKED = 60  # seconds for all tables of a wave on two cores


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
    """Protect and attack the released cells of a home again, and print what it took and what is open."""
    wave = load_wave("2014")
    with duckdb.connect(str(home / "waves" / "2014" / "asco.duckdb"), read_only=True) as database:
        kept = database.sql("select * from confidentiality.sec_asco__cells").df()
        areas = areas_of(database, wave)
    rules, links, workers = rules_of(wave), links_of(wave), processors()
    cells = kept.drop(columns=["status", "reason"])
    done, protecting = timed(
        lambda: protect(primary(cells, rules), areas, rules, links=links, workers=workers)
    )
    shown = done.cells
    found, attacking = timed(
        lambda: attack(released(shown), areas, rules, links=links, truth=shown, workers=workers)
    )
    found.require_safe()
    if kept["as_of"].isna().all():
        same = kept.merge(shown, on=list(KEYS), suffixes=("", "_again"), validate="one_to_one")
        if not (same["status"] == same["status_again"]).all():
            raise SystemExit(f"{name}: the mask is not the released one: run the wave with this code first")
    print(f"{name}: {len(shown)} cells, {found.summary()}")
    print(f"  protection {protecting:.1f} s, attack {attacking:.1f} s, with {workers} processes")
    print(f"  {protecting + attacking:.1f} of {ASKED} s asked")
    print(gaps(done.families).to_string())
    print(open_cells(shown).to_string())


def gaps(families: pd.DataFrame) -> pd.DataFrame:
    """Loss of the masks and the bound that no mask can be below, by unit type and statistic."""
    sums = families.groupby(["unit_type", "statistic"])[["sensitive", "secondary", "loss", "bound"]].sum()
    least = sums["loss"].where(sums["loss"] > 0, 1.0)
    return sums.assign(gap_percent=(100 * (sums["loss"] - sums["bound"]) / least).round(1))


def open_cells(cells: pd.DataFrame) -> pd.DataFrame:
    """Open cells by unit type, statistic and level; beside them those with 50 respondents and more."""
    level = cells["geography"] + cells["size_class"].map({"total": ""}).fillna(" × size class")
    keys = [cells["unit_type"], cells["statistic"], level.rename("level")]
    shown, many = cells["status"] == "V", cells["respondents"] >= 50
    counts = pd.DataFrame({"open": shown, "cells": True, "open_of_50": shown & many, "cells_of_50": many})
    made = counts.groupby(keys).sum()
    return made.assign(open_percent=(100 * made["open"] / made["cells"]).round(1))


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What came of it, and its seconds."""
    started = time.perf_counter()
    done = work()
    return done, time.perf_counter() - started


if __name__ == "__main__":
    main()
