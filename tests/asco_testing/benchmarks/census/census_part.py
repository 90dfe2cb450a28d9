"""Part ``census``: twenty million individuals tabulated in DuckDB, with pandas beside it on the same file.

pandas has the memory that it wants in one try and the 2 GiB of this project's bound in another, where it may
not fit, which is reported. Tables are compared before times are.
"""

import sys
from pathlib import Path

import pandas as pd

from asco_testing.benchmarks.figures import Figure, figure
from asco_testing.benchmarks.measuring import Cost, measured

ROWS = 20_000_000
SECONDS, MEBIBYTES = 20, 2048
HERE = Path(__file__).parent


def census(folder: Path) -> list[Figure]:
    """Make the file where it is not there yet, tabulate it both ways."""
    path = folder / f"individuals-{ROWS}.parquet"
    if not path.is_file():
        draft = path.with_suffix(".tmp")
        measured([sys.executable, str(HERE / "individuals_file.py"), str(draft), str(ROWS)])
        draft.rename(path)
    ours = _run("own", path, folder)
    free = _run("pandas", path, folder)
    tight = _run("pandas", path, folder, limit=MEBIBYTES * 2**20)
    if free.code == 0:
        _compare(folder / "own.csv", folder / "pandas.csv")
    floor = measured([sys.executable, "-c", "import duckdb, pandas, pyarrow"])
    for cost in (free, tight):
        if cost.code and "Memory" not in cost.output and cost.code > 0:
            sys.exit(f"pandas ended for another reason than memory:\n{cost.output[-2000:]}")
    words = (
        "done"
        if tight.code == 0
        else f"it does not fit: {(tight.output.strip().splitlines() or ['killed'])[-1]}"
    )
    return [
        figure("imports alone (floor)", floor),
        figure(
            f"{ROWS:,} individuals tabulated",
            ours,
            against=("imports", floor.wall),
            wall_at_most=SECONDS,
            memory_at_most=MEBIBYTES,
        ),
        figure(
            "the same with pandas, memory without limit",
            free,
            against=("this project", ours.wall),
            note="the table is the same" if free.code == 0 else "it does not fit this machine",
        ),
        figure(
            f"the same with pandas in {MEBIBYTES} MiB of data",
            tight,
            against=("this project", ours.wall),
            note=words[:200],
        ),
    ]


def _run(who: str, path: Path, folder: Path, limit: int | None = None) -> Cost:
    target = folder / (f"{who}.csv" if limit is None else f"{who}-limited.csv")
    command = [sys.executable, str(HERE / "tabulate.py"), who, str(path), str(target)]
    return measured(command, limit=limit, may_fail=who != "own")


def _compare(ours: Path, theirs: Path) -> None:
    """Groups and rows are equal, weighted counts to what a sum of doubles loses."""
    codes = dict.fromkeys(["departement_code", "sex", "age_band", "living"], str)
    here, there = pd.read_csv(ours, dtype=codes), pd.read_csv(theirs, dtype=codes)
    pd.testing.assert_frame_equal(here, there, check_exact=False, rtol=1e-9)
