"""Publishes from a small database again and again, and kills itself at seeded instants: run by test_killed.

Not pytest: one process that imports everything once and forks before any thread exists, so that fifty
publications and fifty kills fit into a minute. Each child changes one number and publishes; the parent kills
it, looks at what ``latest`` points to, and lets the next child finish the work.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pandas as pd

from asco_dagster.publication.assets import content_of
from asco_dagster.releases.formats import write_content, write_version
from asco_dagster.releases.release import Provenance, publish
from asco_dagster.releases.store import ReleaseStore, latest_release, read_manifest, versions
from asco_dagster.releases.verify import altered
from asco_dagster.waves import load_wave

FIRST = 5
WAVE = load_wave("2014")
PROVENANCE = Provenance("test", [], {}, {"minimum_respondents": 3}, {})


def publish_number(home: Path, number: int) -> None:
    """What the release step does, on a copy of the database in which one number is another."""
    with duckdb.connect(str(home / "asco.duckdb")) as database:
        database.execute(f"update publication.pub_asco__cells set estimate = {number} where rowid = 1")
        step = SimpleNamespace(wave=WAVE, database=database)
        publish(
            "2014",
            shelf_of(home),
            lambda folder: write_content(content_of(step), folder),
            PROVENANCE,
            describe=lambda folder, version: write_version(WAVE, folder, version),
        )


def shelf_of(home: Path) -> ReleaseStore:
    return ReleaseStore(home / "releases", home / "sealed", home / "withdrawn")


def in_child(home: Path, number: int, *, killed_after: float | None = None) -> bool:
    """Publish in a child; True when it ended by itself."""
    child = os.fork()
    if child == 0:
        try:
            publish_number(home, number)
        finally:
            os._exit(0 if sys.exc_info()[0] is None else 1)
    if killed_after is not None:
        time.sleep(killed_after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if killed_after is None and status != 0:
        raise SystemExit(f"the publication of {number} failed by itself")
    return os.WIFEXITED(status)


def state(home: Path, *, all_versions: bool = False) -> dict:
    """What latest points to, and what is wrong with it, or with any version."""
    releases = home / "releases"
    latest = latest_release(releases)
    looked_at = versions(releases) if all_versions or latest is None else [latest.name]
    folders = [releases / name for name in looked_at]
    cells = pd.read_parquet(latest / "tables" / "asco_cells.parquet") if latest else None
    return {
        "latest": latest.name if latest else None,
        "number": None if cells is None else float(cells["estimate"][1]),
        "faults": [fault for folder in folders for fault in altered(folder, read_manifest(folder))],
        "drafts": len(list(releases.glob(".draft-*"))),
    }


def _whole(home: Path, number: int) -> float:
    """Publish undisturbed; how many seconds it took."""
    began = time.monotonic()
    in_child(home, number)
    return time.monotonic() - began


def main(home: Path, kills: int, seed: int) -> None:
    """One line of JSON a kill: the state before, after the kill, and after the next run.

    The first kills fall into the first publication of a home of their own, the others into one version after
    another of the same home.
    """
    first = [home / f"first-{place}" for place in range(FIRST)]
    for fresh in first:
        fresh.mkdir()
        shutil.copy(home / "asco.duckdb", fresh)
    took = _whole(home, 1)
    chance = random.Random(seed)
    for place in range(kills):
        own, number = (first[place], 1) if place < FIRST else (home, place - FIRST + 2)
        before, instant = state(own), chance.uniform(0, took)
        ended = in_child(own, number, killed_after=instant)
        after = state(own)
        told = {"instant": instant, "took": took, "ended": ended, "wanted": number, "before": before}
        took = _whole(own, number)  # of each anew: the first reads its libraries from a cold disk
        finished = state(own, all_versions=place == kills - 1)
        print(json.dumps({**told, "after": after, "next": finished}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
