"""Both shipped waves at once on two workers with a shared store, against one machine without: the same bytes.

``python -m asco_testing.workers.whole_waves [--lose SECONDS]`` takes some minutes and prints what it
compared; it ends with 1 when a byte differs. With ``--lose`` one of the workers is killed so many
seconds after both began. It is no pytest module for that reason. The waves are
the smallest that release.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from asco_dagster.storage.shared_store.contents import release_keys
from asco_dagster.storage.shared_store.objects import Store
from asco_dagster.storage.shared_store.state import read_state
from asco_testing.home_contents import release_of, rows_of
from asco_testing.workers.cluster import ASCO, CHECKOUT, Cluster, cluster
from asco_testing.worlds.small_wave_files import SCALE, write_small_waves

WAVES = ("2014", "2025")
PATIENCE = 1800.0
# It stands behind the release, and which of two waves at once is released first is a matter of chance.
EVOLUTION = "publication.pub_asco__evolution"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--lose", type=float, help="seconds after which a worker is killed")
    lose = parser.parse_args().lose
    folder = Path(tempfile.mkdtemp(prefix="asco-workers-"))
    folder.chmod(0o755)
    waves = write_small_waves(folder / "waves", {wave: wave for wave in WAVES})
    alone, settings = folder / "alone", {"ASCO_WAVES": str(waves)}
    for wave in WAVES:
        run_asco(alone, settings, "demo", "--wave", wave, "--scale", SCALE)
    begun = time.monotonic()
    run_asco(alone, settings, "run", *WAVES)
    print(f"one machine, both waves at once: {time.monotonic() - begun:.0f} s", flush=True)
    with cluster(folder, settings) as own:
        for wave in WAVES:
            deliver(own, wave, alone / "inbox" / wave)
        for name in ("one", "two"):
            own.start_worker(name)
        begun = time.monotonic()
        for wave in WAVES:
            own.launch(wave, "asco")
        if lose is not None:
            own.follow(lambda found: sum(run["status"] == "STARTED" for run in found) == len(WAVES))
            time.sleep(lose)
            own.lose("one")
            print(f"worker one is killed {lose:.0f} s after both began", flush=True)
        looks = own.follow(over, PATIENCE)
        print(f"two workers: {time.monotonic() - begun:.0f} s; {[run['status'] for run in looks[-1]]}")
        busy = max(len({run["wave"] for run in look if run["status"] == "STARTED"}) for look in looks)
        ran = {
            wave: [n for n in own.workers if (own.home(n) / "waves" / wave / "asco.duckdb").is_file()]
            for wave in WAVES
        }
        print(f"waves at once: {busy}; homes that ran each: {ran}")
        return int(busy < len(WAVES)) | compared(own, alone, ran)


def run_asco(home: Path, settings: dict[str, str], *arguments: str) -> None:
    """Run a command line in a home of this machine alone."""
    environment = {**os.environ, **settings, "ASCO_HOME": str(home)}
    subprocess.run([*ASCO, *arguments], env=environment, cwd=CHECKOUT, check=True, stdout=subprocess.DEVNULL)


def over(found: list[dict]) -> bool:
    """Whether every wave has a run that succeeded, or has failed so often that no retry is left."""
    states = {wave: [run["status"] for run in found if run["wave"] == wave] for wave in WAVES}
    return all("SUCCESS" in own or own.count("FAILURE") == 2 for own in states.values())


def deliver(own: Cluster, wave: str, inbox: Path) -> None:
    command = [*ASCO, "deliver", wave, "--inbox", str(inbox)]
    subprocess.run(command, env=own.settings_of("office"), cwd=CHECKOUT, check=True)


def compared(own: Cluster, alone: Path, ran: dict[str, list[str]]) -> int:
    """Releases of the workers' homes, and of the store, with those of one machine; 1 when one differs."""
    differ = 0
    for wave in WAVES:
        wanted = release_of(alone, wave)
        for name in ran[wave]:
            found = release_of(own.home(name), wave)
            other = sorted(path for path in {*wanted, *found} if wanted.get(path) != found.get(path))
            print(f"wave {wave}, home {name}: {len(found)} released files, {len(other)} differ {other[:5]}")
            differ |= bool(other) or not found
        files = read_state(Store(own.store), wave).files
        sums = {
            path: own.sha256 for path, own in files.items() if path.startswith("releases/") and own.sha256
        }
        listed = {one.key for one in Store(own.store).listed(f"public/releases/{wave}/")}
        other = [
            path
            for path, sha in sums.items()
            if not path.endswith("manifest.json") and wanted[path.split("/", 2)[2]] != sha
        ]
        absent = set(release_keys(wave, sums).values()) - listed
        print(f"wave {wave}, store: {len(sums)} released files, {len(other)} differ, {len(absent)} absent")
        differ |= bool(other) or bool(absent) or not sums
        rows = rows_of(alone, wave)
        for name in ran[wave]:
            found = rows_of(own.home(name), wave)
            other = sorted(
                table for table in {*rows, *found} - {EVOLUTION} if rows.get(table) != found.get(table)
            )
            print(f"wave {wave}, home {name}: {len(found)} tables, {len(other)} have other rows {other}")
            differ |= bool(other)
    return int(differ)


if __name__ == "__main__":
    sys.exit(main())
