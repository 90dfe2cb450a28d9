"""Part ``peers``: the same work as users write it today, on the files and the sample of a cold run.

Python (pandas, openpyxl, numpy) and R (readxl, dplyr, survey; Debian's packages) read a random sample of the
returned workbooks, from which their time for all is scaled, and make weights and released estimates of all
respondents. Both are handed imputed indicators and margins without collinear ones: edits, imputation,
suppression, gates and release are this project's alone, and none of the peers' time. What they read and
compute must equal what the run wrote before any time is reported.
"""

import random
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pandas as pd

from asco_dagster.estimation.estimates import answers_of
from asco_dagster.estimation.weights import FRAME
from asco_dagster.questionnaires.questionnaire import load_questionnaire
from asco_dagster.questionnaires.workbook_layout import words
from asco_dagster.storage.warehouse import open_database, read_table
from asco_dagster.waves import load_wave
from asco_testing.benchmarks.estimation import bench
from asco_testing.benchmarks.figures import Figure
from asco_testing.benchmarks.wave_runs import WAVE, delivered, ran, record_of

HERE = Path(__file__).parent
FILES = 60
TIMES = {"pandas": 15, "R": 5}
# of tables made by one step one tells the seconds of all
SAME_WORK = ("raw_asco__returns", "raw_asco__answers", "est_asco__weights", "est_asco__margins")
SAME_WORK += ("est_asco__weighting_log", "est_asco__estimates")


def peers(folder: Path) -> list[Figure]:
    """Both peers beside the cold run's own seconds for the same work."""
    inbox, home = delivered(folder), ran(folder)
    ours = _ours(record_of(home))
    database = home / "waves" / WAVE / "asco.duckdb"
    work = folder / "peers"
    shutil.rmtree(work, ignore_errors=True)
    total = _sampled_returns(inbox, work)
    programs = {
        "pandas": [[sys.executable, str(HERE / "pandas_peer.py"), step] for step in ("read", "estimate")],
        "R": [
            ["Rscript", str(HERE / "read_returns.R")],
            ["Rscript", str(Path(bench.__file__).with_name("bench.R"))],
        ],
    }
    found = [Figure("this project: read, weigh, estimate", sum(ours.values()), note=_parts(ours))]
    for name, (reader, estimator) in programs.items():
        if name == "R" and not _has_r():
            found.append(Figure("R", note="not measured: Debian's r-cran-readxl, -dplyr, -survey are needed"))
            continue
        reading = _read(reader, work, database) / FILES * total
        estimating = _estimate(estimator, database, work / name)
        found.append(_figure(name, reading, estimating, sum(ours.values()), total))
    return found


def _ours(record: dict) -> dict[str, float]:
    return {table: record["tables"][table][1] for table in SAME_WORK}


def _figure(name: str, reading: float, estimating: float, ours: float, total: int) -> Figure:
    wall = reading + estimating
    return Figure(
        f"{name}: the same work",
        wall,
        against="this project",
        ratio=wall / ours,
        bound=f"≥ {TIMES[name]} times",
        holds=wall / ours >= TIMES[name],
        note=f"reading {reading:.0f} s (scaled from {FILES} of {total} workbooks), weights and released"
        f" estimates {estimating:.0f} s, all on one core as they do",
    )


def _parts(ours: dict[str, float]) -> str:
    return ", ".join(f"{table} {seconds:.1f} s" for table, seconds in ours.items())


def _has_r() -> bool:
    asked = "stopifnot(all(sapply(c('readxl', 'dplyr', 'survey'), requireNamespace, quietly = TRUE)))"
    if shutil.which("Rscript") is None:
        return False
    return subprocess.run(["Rscript", "-e", asked], capture_output=True, check=False).returncode == 0


def _sampled_returns(inbox: Path, work: Path) -> int:
    """Lay some workbooks out as files; gives the number of all."""
    (work / "returns").mkdir(parents=True)
    wave = load_wave(WAVE)
    everything = []
    for path in sorted(inbox.glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            everything += [(path, name) for name in archive.namelist()]
    for path, name in random.Random(2014).sample(everything, FILES):
        with zipfile.ZipFile(path) as archive:
            (work / "returns" / Path(name).name).write_bytes(archive.read(name))
    meanings = [
        (question.code, word, value)
        for codebook in load_questionnaire(wave.questionnaire).codebooks.values()
        for question in codebook.questions
        for word, value in words(question).items()
    ]
    pd.DataFrame(meanings, columns=["question", "word", "value"]).drop_duplicates().to_csv(
        work / "words.csv", index=False
    )
    return len(everything)


def _read(command: list[str], work: Path, database: Path) -> float:
    """Seconds of reading the sampled workbooks, whose answers are those of the run."""
    told = subprocess.run([*command, str(work)], check=True, capture_output=True, text=True).stdout
    keys = ["unit_code", "question"]
    theirs = pd.read_csv(work / "answers.csv", dtype=str).set_index(keys)["value"]
    with open_database(database, read_only=True) as connection:
        ours = read_table(connection, "raw_asco__answers", [*keys, "value"])
    ours = ours.astype(str).set_index(keys)["value"]
    ours = ours[ours.index.get_level_values(0).isin(theirs.index.get_level_values(0))]
    both = pd.concat([ours, theirs], axis=1, keys=["ours", "theirs"])
    numbers = both.apply(pd.to_numeric, errors="coerce")
    near = (numbers["ours"] - numbers["theirs"]).abs() <= 1e-9 * numbers["ours"].abs()
    differing = both[~(near | (both["ours"] == both["theirs"]))]
    if len(differing):
        sys.exit(f"{command[0]} reads {len(differing)} of {len(both)} answers otherwise:\n{differing.head()}")
    print(f"  {command[0]}: {len(both)} answers of {FILES} workbooks are the same")
    return float(told.strip().splitlines()[-1])


def _estimate(command: list[str], database: Path, folder: Path) -> float:
    """Seconds of weights and estimates, which are those of the run."""
    seconds = 0.0
    with open_database(database, read_only=True) as connection:
        tables = {
            name: read_table(connection, name)
            for name in (
                "est_asco__sample",
                "est_asco__weights",
                "est_asco__indicators",
                "est_asco__estimates",
            )
        }
        tables["frame"] = read_table(connection, "stg_asco__units", FRAME)
        tables["catalogue"] = read_table(connection, "stg_asco__indicators")
        imputed = read_table(connection, "est_asco__imputations", ["unit_id", "question", "error_variance"])
    for unit_type in bench.UNIT_TYPES:
        own = folder / unit_type
        own.mkdir(parents=True)
        inputs = _inputs(tables, imputed, unit_type)
        bench._write_for_r(own, inputs, None, True)
        began = time.perf_counter()
        subprocess.run([*command, str(own)], check=True, stdout=subprocess.DEVNULL)
        print(f"  {command[0]}, {unit_type}: {time.perf_counter() - began:.0f} s with reading and writing")
        theirs = pd.read_csv(own / "estimates.csv", dtype={"domain": str})
        estimates = tables["est_asco__estimates"]
        weights = pd.read_csv(own / "weights.csv")["weight"]
        ours = estimates[estimates["unit_type"] == unit_type]
        bench.compare(ours, theirs, inputs.own["weight"].to_numpy(), weights)
        numbers = list(map(float, (own / "seconds.txt").read_text().split()))
        seconds += numbers[0] + numbers[2]
    return seconds


def _inputs(tables: dict[str, pd.DataFrame], imputed: pd.DataFrame, unit_type: str) -> SimpleNamespace:
    """What a peer is handed, in the form of ``bench-estimation``."""
    wave = load_wave(WAVE)
    weights, catalogue = tables["est_asco__weights"], tables["catalogue"]
    sample = tables["est_asco__sample"].drop(columns=["unit_type", "stratum"])
    units = weights[weights["unit_type"] == unit_type].merge(sample, on="unit_id", validate="one_to_one")
    of_type = catalogue[catalogue["unit_type"] == unit_type]
    return SimpleNamespace(
        unit_type=unit_type,
        calibration=wave.calibration,
        frame=tables["frame"][tables["frame"]["unit_type"] == unit_type],
        answered=answers_of(units["unit_id"], [tables["est_asco__indicators"]], imputed, of_type),
        own=units,
        units=lambda _: units,
    )
