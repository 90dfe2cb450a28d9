"""Ten thousand returned workbooks of twenty tabs into DuckDB: time, memory, and pandas beside it.

``make bench-collection``. The workbooks are the questionnaire of wave 2014 with random answers, in one zip.
What is timed is what the pipeline does: inspect, read, settle, count, write both tables. pandas reads a
sample of the same files with ``read_excel(engine="openpyxl", sheet_name=None)``, on one core as it does, and
they are compared file for file; its time for all files is extrapolated from the sample, and said so. Exit
code 1 when a bound is missed.
"""

import argparse
import json
import random
import sys
import tempfile
import time
import zipfile
from io import BytesIO
from pathlib import Path

from asco_dagster.demonstration.filling import Return, write_workbooks
from asco_dagster.questionnaires.questionnaire import load_questionnaire
from asco_dagster.questionnaires.questions import Question
from asco_dagster.questionnaires.workbook_layout import tabs
from asco_dagster.waves import load_wave
from asco_testing.benchmarks.measuring import Cost, measured

SECONDS, TIMES, MEBIBYTES = 30.0, 20.0, 1024.0
WAVE = "2014"


def make_returns(path: Path, count: int) -> None:
    """Write a zip of filled questionnaires with random answers."""
    wave = load_wave(WAVE)
    codebook = load_questionnaire(wave.questionnaire).codebooks["commune"]
    generator = random.Random(2014)

    def answer(question: Question) -> str:
        if question.type == "boolean":
            return generator.choice("01")
        if question.type == "choice":
            return generator.choice(question.choices).code
        return (
            str(generator.randint(0, 500))
            if question.type == "integer"
            else f"{generator.random() * 1e5:.2f}"
        )

    def returns():
        for number in range(count):
            given = {q.code: answer(q) for q in codebook.questions if generator.random() > 0.03}
            code = f"{number // 990 + 1:02d}{number % 990 + 1:03d}"
            yield Return(code, "2015-10-02T08:00:00", given, dict.fromkeys(codebook.contact, "démo"))

    write_workbooks(path, returns(), wave, "commune")


def read_into_duckdb(path: Path, database: Path, workers: int) -> str:
    """What the pipeline does with a delivery; gives numbers and seconds of the reading as JSON."""
    from asco_dagster.sources.returns.reading import Delivered, read_returns
    from asco_dagster.sources.returns.settling import Window
    from asco_dagster.storage.warehouse import count_rows, open_database, write_table

    wave = load_wave(WAVE)
    codebook = load_questionnaire(wave.questionnaire).codebooks["commune"]
    began = time.perf_counter()
    found = read_returns(
        [Delivered(path)],
        codebooks={"commune": codebook},
        wave=WAVE,
        sampled=None,
        collection=Window(wave.collection.start, wave.collection.end),
        workers=workers,
    )
    with open_database(database) as connection:
        write_table(connection, "raw_asco__returns", found.returns)
        write_table(connection, "raw_asco__answers", found.answers)
        seconds = time.perf_counter() - began
        if found.counts["refused"]:
            raise SystemExit(f"{found.counts['refused']} of the benchmark's own workbooks were refused")
        counted = {name: count_rows(connection, f"raw_asco__{name}") for name in ("returns", "answers")}
    return json.dumps({**counted, "seconds": seconds})


def pandas_seconds(path: Path, sample: int) -> float:
    """Seconds a file of pandas.read_excel with openpyxl, all tabs, on a sample of the files."""
    import pandas as pd

    with zipfile.ZipFile(path) as archive:
        contents = [
            archive.read(name) for name in archive.namelist()[:: max(1, len(archive.namelist()) // sample)]
        ]
    contents = contents[:sample]
    pd.read_excel(BytesIO(contents[0]), sheet_name=None, header=None, engine="openpyxl")  # imports
    began = time.perf_counter()
    for content in contents:
        pd.read_excel(BytesIO(content), sheet_name=None, header=None, engine="openpyxl")
    return (time.perf_counter() - began) / len(contents)


def main() -> int:
    """Run the benchmark and print its table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--files", type=int, default=10_000)
    options.add_argument("--sample", type=int, default=60, help="files that pandas reads")
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--zip", type=Path, help="a zip made before, to save its making")
    options.add_argument("--read", type=Path, nargs=2, metavar=("ZIP", "DATABASE"), help="only this, as JSON")
    given = options.parse_args()
    if given.read:
        print(read_into_duckdb(*given.read, given.workers))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = given.zip or Path(folder) / "returns.zip"
        if given.zip is None or not path.exists():
            make_returns(path, given.files)
        # in a process of its own: what it and its readers take is then theirs alone
        database = Path(folder) / "asco.duckdb"
        command = [sys.executable, __file__, "--read", str(path), str(database)]
        cost = measured([*command, "--workers", str(given.workers)])
        by_pandas = pandas_seconds(path, given.sample)
    return _told(json.loads(cost.output.splitlines()[-1]), cost, by_pandas, given)


def _told(told: dict, cost: Cost, by_pandas: float, given: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    codebook = load_questionnaire(load_wave(WAVE).questionnaire).codebooks["commune"]
    returns, answers, seconds = told["returns"], told["answers"], told["seconds"]
    own = seconds / returns
    times = by_pandas / own
    table = Table(
        "what", "measured", "bound", title=f"{returns:,} workbooks of {len(tabs(codebook))} tabs into DuckDB"
    )
    held = (seconds <= SECONDS * returns / 10_000, times >= TIMES, cost.proportional < MEBIBYTES)
    table.add_row(
        f"wall time, {given.workers} processes", f"{seconds:.1f} s", f"≤ {SECONDS * returns / 10_000:.1f} s"
    )
    table.add_row("processor time, all processes", f"{cost.processor:.1f} s", "")
    table.add_row("time a file", f"{own * 1000:.2f} ms", "")
    table.add_row(f"pandas + openpyxl a file ({given.sample} files)", f"{by_pandas * 1000:.1f} ms", "")
    table.add_row("pandas + openpyxl, all files (extrapolated)", f"{by_pandas * returns:.0f} s", "")
    table.add_row("times faster, file for file", f"{times:.0f}", f"≥ {TIMES:.0f}")
    table.add_row("peak memory, all processes", f"{cost.proportional:.0f} MiB", f"< {MEBIBYTES:.0f} MiB")
    table.add_row("answers", f"{answers:,}", "")
    Console(width=100).print(table)
    for name, holds in zip(("time", "ratio", "memory"), held, strict=True):
        if not holds:
            print(f"the bound on {name} does not hold", file=sys.stderr)
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
