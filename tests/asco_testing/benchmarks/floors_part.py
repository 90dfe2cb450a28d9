"""Part ``floors``: the least that each kind of work can take, beside what the cold run took for it.

Floors are single threads of the plainest program: bytes inflated and thrown away, the models' SQL in DuckDB
alone, imports, τ-Argus's optimum (HiGHS) for single tables, which protects less than is asked. What
does not belong here: the same work done by others (``peers``).
"""

import sys
from pathlib import Path

import pandas as pd

from asco_testing.benchmarks.figures import Figure, figure
from asco_testing.benchmarks.measuring import measured
from asco_testing.benchmarks.wave_runs import WAVE, delivered, imports, ran, record_of

HERE = Path(__file__).parent


def floors(folder: Path) -> list[Figure]:
    """Each floor, and how many times it the run's own work is."""
    inbox, home = delivered(folder), ran(folder)
    record = record_of(home)
    seconds = {name: told for name, (_, told) in record["tables"].items()}
    dbt = sum(told for step, told in record["steps"].items() if step.startswith("dbt_"))
    work = str(HERE / "floor_work.py")
    read = _told([sys.executable, work, "bytes", str(inbox)], home)
    sql = _told([sys.executable, work, "sql", WAVE], home)
    measured([sys.executable, "-m", "asco_dagster.confidentiality.cross_check", WAVE], home=home)
    argus = pd.read_csv(home / "waves" / WAVE / "cross_check.csv")["seconds"].sum()
    return [
        figure("imports alone (floor)", imports()),
        *_pair(
            "every delivered byte inflated",
            read,
            "reading the returns",
            seconds["raw_asco__returns"] + seconds["raw_asco__answers"],
        ),
        *_pair("the models' SQL in DuckDB alone", sql, "dbt's steps, gates and tests included", dbt),
        *_pair("τ-Argus's optimum, single tables", argus, "suppression", seconds["sec_asco__cells"]),
    ]


def _pair(floor: str, least: float, what: str, taken: float) -> list[Figure]:
    return [Figure(f"{floor} (floor)", least), Figure(what, taken, against=floor, ratio=taken / least)]


def _told(command: list[str], home: Path) -> float:
    return float(measured(command, home=home).output.strip().splitlines()[-1])
