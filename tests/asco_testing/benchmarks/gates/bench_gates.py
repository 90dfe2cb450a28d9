"""What the gates cost: validation of every asset of a wave, beside the run that made them.

Delivers and runs wave 2014 at true size in a home of its own (``--home`` takes one that is delivered
already), then has every gate judge its table again, in this process, without GX's import: queries, verdicts,
Data Docs, history. Prints both, the share, of which the design allows 15 %, and the largest memory. Processor
seconds are compared, since wall time on a shared machine says more about its other users.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WAVE = "2014"


def _asco(home: Path, *arguments: str) -> tuple[float, float]:
    """Runs ``asco`` and gives wall and processor seconds, those of its reading processes included."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "asco_dagster.cli.main", *arguments]
    subprocess.run(command, env={**os.environ, "ASCO_HOME": str(home)}, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - start, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _validate(home: Path) -> list[tuple[float, float, str, int, int]]:
    """Processor and wall seconds of each gate, with its asset, rows and expectations."""
    from asco_dagster.gates.suite import load_suite
    from asco_dagster.gates.validation import great_expectations
    from asco_dagster.installation import EXPECTATIONS
    from asco_dagster.orchestration.checks import run_gate
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places
    from asco_dagster.storage.warehouse import count_rows, open_database
    from asco_dagster.waves import load_wave

    start = time.process_time()
    great_expectations()
    print(f"importing Great Expectations: {time.process_time() - start:.1f} s of processor time")
    wave, rows = load_wave(WAVE), []
    settings = Settings(home=home)
    places = Places.of(settings)
    with open_database(places.database(WAVE), read_only=True) as database:
        for asset in sorted(path.stem for path in EXPECTATIONS.rglob("*.json")):
            cpu, wall = time.process_time(), time.perf_counter()
            run_gate(database, asset, wave, places, settings, "bench")
            spent = time.process_time() - cpu, time.perf_counter() - wall
            rows.append((*spent, asset, count_rows(database, asset), len(load_suite(asset).expectations)))
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, help="a home whose inbox holds deliveries of 2014")
    home = parser.parse_args().home
    if home is None:
        home = Path(tempfile.mkdtemp(prefix="asco-bench-"))
        _asco(home, "demo", "--wave", WAVE)
    wall, processor = _asco(home, "run", WAVE)
    gates = sorted(_validate(home), reverse=True)
    for cpu, _, asset, length, expectations in gates[:12]:
        print(f"{cpu:6.2f} s  {asset:<34}{length:>10,} rows {expectations:>3} expectations")
    spent = sum(row[0] for row in gates)
    print(f"the run: {wall:.0f} s of wall time, {processor:.0f} s of processor time")
    print(f"its {len(gates)} gates: {sum(row[1] for row in gates):.1f} s wall, {spent:.1f} s processor")
    print(f"share: {spent / processor:.1%} (15 % allowed)")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"largest memory of this process: {peak:,.0f} MB")


if __name__ == "__main__":
    main()
