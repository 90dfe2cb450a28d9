"""``make bench-estimation``: weights and all estimates of a wave at true size, here and with R's ``survey``.

Both work in this run on the same respondents of wave 2014 (invented answers on an invented territory of the
true size). Results are compared before any time is given; then ten times the sample is timed. What is timed
here includes response groups and non-response adjustment, which R is handed ready made; reading and writing
files is timed for neither.

Usage: ``python -m asco_testing.benchmarks.estimation.bench [--released | --alone]``. R needs about an hour
for all domains; ``--released`` leaves the crossing of département and size class out for R (and only for
R), ``--alone`` leaves R out and times ten times the sample only. Wall time counts; CPU time stands beside it,
for on a machine with other work the wall tells of that work.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from asco_dagster.demonstration.frame import invented_territory
from asco_dagster.estimation.estimates import estimates_of
from asco_dagster.estimation.weighting import Weighting, calibration_variables, weigh
from asco_dagster.methods.calibration import independent_margins
from asco_dagster.waves import load_wave
from asco_testing.worlds.true_size_sample import UNIT_TYPES, MadeUpWave, answered, made_up_wave

AREAS = ["departement_code", "region_code", "size_class"]
PARTITIONS = {
    "france_total": (None, False),
    "france_size": (None, True),
    "region_total": ("region_code", False),
    "region_size": ("region_code", True),
    "departement_total": ("departement_code", False),
    "departement_size": ("departement_code", True),
}
TOLERANCE = {"weights": 1e-6, "estimates": 1e-9, "standard errors": 1e-6}


class Inputs:
    """What one type of unit is estimated from: sample, frame, indicators of the respondents."""

    def __init__(self, made: MadeUpWave, unit_type: str) -> None:
        self.unit_type, self.wave, self.calibration = unit_type, made.wave, made.wave.calibration
        self.sample = made.sample[made.sample["unit_type"] == unit_type].reset_index(drop=True)
        self.frame = made.frame[made.frame["unit_type"] == unit_type].reset_index(drop=True)
        answering = self.sample[self.sample["response_status"] == "respondent"][["unit_id"]]
        answers = answering.merge(made.truth, on="unit_id", validate="one_to_one")
        self.answered = answered(answers, unit_type)

    def weighting(self) -> Weighting:
        own = getattr(self.calibration, self.unit_type)
        return weigh(self.sample, self.frame, self.calibration, own, self.unit_type)

    def units(self, weighting: Weighting) -> pd.DataFrame:
        own = self.sample.drop(columns=["unit_type", "stratum"])
        return weighting.weights.merge(own, on="unit_id", validate="one_to_one")

    def estimates(self, weighting: Weighting) -> pd.DataFrame:
        units = self.units(weighting)
        return estimates_of(units, self.frame, self.answered, self.wave, self.unit_type)


class Seconds(NamedTuple):
    """Time taken: wall and CPU."""

    wall: float
    cpu: float

    def plus(self, other: "Seconds") -> "Seconds":
        return Seconds(self.wall + other.wall, self.cpu + other.cpu)


def timed(work: Callable[[], Any], repeats: int = 3) -> tuple[Any, Seconds]:
    """The result, and the medians of some times."""
    taken = []
    for _ in range(repeats):
        start, busy = time.perf_counter(), time.process_time()
        result = work()
        taken.append((time.perf_counter() - start, time.process_time() - busy))
    return result, Seconds(*np.median(taken, axis=0).tolist())


def with_r(
    inputs: Inputs, weighting: Weighting, released: bool
) -> tuple[pd.DataFrame, pd.Series, list[Seconds]]:
    """R's estimates and weights, and the times of its weights and of its estimates."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_for_r(folder, inputs, weighting, released)
        subprocess.run(["Rscript", str(Path(__file__).with_name("bench.R")), name], check=True)
        estimates = pd.read_csv(folder / "estimates.csv", dtype={"domain": str})
        weights = pd.read_csv(folder / "weights.csv")["weight"]
        numbers = list(map(float, (folder / "seconds.txt").read_text().split()))
    return estimates, weights, [Seconds(*numbers[:2]), Seconds(*numbers[2:])]


def _write_for_r(folder: Path, inputs: Inputs, weighting: Weighting, released: bool) -> None:
    units = inputs.units(weighting)
    own = getattr(inputs.calibration, inputs.unit_type)
    x, totals, *_ = calibration_variables(units, inputs.frame, own.margins, inputs.calibration)
    # R needs independent margins of one size: population in thousands.
    kept = independent_margins(units["nonresponse_weight"].to_numpy(), x)
    scale = np.where(totals[kept] > 1e5, 1000.0, 1.0)
    columns = [f"m{number:03d}" for number in range(len(kept))]
    labels = {
        f"partition_{name}": (units[column] if column else pd.Series("FR", index=units.index))
        + "|"
        + (units["size_class"] if by_size else "total")
        for name, (column, by_size) in PARTITIONS.items()
        if not (released and name == "departement_size")
    }
    design = ["variance_stratum", "variance_population", "nonresponse_weight", "population"]
    table = pd.concat(
        [
            units[design],
            pd.DataFrame(labels),
            pd.DataFrame(x.toarray()[:, kept] / scale, columns=columns),
            inputs.answered.values,
        ],
        axis=1,
    )
    table.to_csv(folder / "units.csv", index=False, float_format="%.17g")
    margins = pd.DataFrame({"column": columns, "total": totals[kept] / scale})
    # R is given the bounds that were used in the end.
    low, high = own.bounds
    margins.assign(low=low, high=high).to_csv(folder / "margins.csv", index=False, float_format="%.17g")
    pd.DataFrame(inputs.answered.kinds.items(), columns=["indicator", "kind"]).to_csv(
        folder / "indicators.csv", index=False
    )


def compare(ours: pd.DataFrame, theirs: pd.DataFrame, weights: np.ndarray, r_weights: pd.Series) -> None:
    """Print the largest relative differences, and stop when one is beyond its tolerance."""
    theirs[["geography", "size"]] = (
        theirs["partition"].str.removeprefix("partition_").str.rsplit("_", n=1, expand=True)
    )
    theirs[["area_code", "size_class"]] = theirs["domain"].str.split("|", n=1, expand=True, regex=False)
    keys = ["indicator", "statistic", "geography", "area_code", "size_class"]
    # A département's own size classes are domains; where nobody could answer, R has no number.
    both = theirs.merge(ours, on=keys, how="left", suffixes=("_r", ""), validate="one_to_one")
    both = both[both["estimate_r"].notna() & (both["respondents"] > 0)]
    # An error that is 0 (everybody says yes, or all answered) is rounding in both.
    # What is added to the linearised error has no counterpart in R.
    real = both["standard_error_r"] > 1e-9 * both["estimate_r"].abs()
    errors = both[real]
    found = {
        "weights": (len(weights), float((weights / r_weights - 1).abs().max())),
        "estimates": (len(both), _largest(both["estimate"], both["estimate_r"])),
        "standard errors": (len(errors), _largest(errors["linearised_error"], errors["standard_error_r"])),
    }
    for what, (number, largest) in found.items():
        print(f"  largest relative difference of {number} {what}: {largest:.1e}")
        if not largest <= TOLERANCE[what]:
            sys.exit(f"  {what} differ by more than {TOLERANCE[what]:g}: no time is worth telling")


def _largest(ours: pd.Series, theirs: pd.Series) -> float:
    return float(((ours - theirs).abs() / theirs.abs().where(theirs != 0, 1.0)).max())


def of_type(made: MadeUpWave, unit_type: str) -> MadeUpWave:
    """What is estimated of one type from: its frame and sample, texts as the steps read them, its answers."""
    frame = made.frame[made.frame["unit_type"] == unit_type]
    sample = made.sample[made.sample["unit_type"] == unit_type]
    answering = sample.loc[sample["response_status"] == "respondent", "unit_id"]
    return replace(
        made,
        frame=frame[["unit_id", "unit_type", "population", *AREAS]].astype(dict.fromkeys(AREAS, "category")),
        sample=sample.astype(dict.fromkeys(AREAS, "category")),
        truth=made.truth[made.truth["unit_id"].isin(answering)],
    )


def larger(made: MadeUpWave, times: int) -> MadeUpWave:
    """The wave with every unit ``times`` times, in the same strata."""

    def repeated(table: pd.DataFrame) -> pd.DataFrame:
        copies = [table.assign(unit_id=table["unit_id"] + f"#{number}") for number in range(times)]
        whole = pd.concat(copies, ignore_index=True)
        counts = [name for name in ("stratum_population", "stratum_sample") if name in whole]
        whole[counts] *= times
        return whole

    return replace(made, frame=repeated(made.frame), sample=repeated(made.sample), truth=repeated(made.truth))


def against_r(made: MadeUpWave, released: bool) -> float:
    """Compare, print the times, and give how many times R's wall time ours goes into."""
    here, there = [Seconds(0, 0)] * 2, [Seconds(0, 0)] * 2
    for unit_type in UNIT_TYPES:
        inputs = Inputs(made, unit_type)
        weighting, weighed = timed(inputs.weighting)
        table, estimated = timed(lambda inputs=inputs, weighting=weighting: inputs.estimates(weighting))
        print(f"{unit_type}: {len(inputs.answered.values)} respondents, {len(table)} estimates", flush=True)
        theirs, r_weights, taken = with_r(inputs, weighting, released)
        print(f"  of which R makes {len(theirs)}")
        compare(table, theirs, weighting.weights["weight"].to_numpy(), r_weights)
        here = [one.plus(other) for one, other in zip(here, (weighed, estimated), strict=True)]
        there = [one.plus(other) for one, other in zip(there, taken, strict=True)]
    return told("R", "here", there, here)


def alone(made: MadeUpWave) -> list[Seconds]:
    """Times of weights and of estimates over both types of unit."""
    taken = [Seconds(0, 0)] * 2
    for unit_type in UNIT_TYPES:
        inputs = Inputs(made, unit_type)
        weighting, weighed = timed(inputs.weighting)
        _, estimated = timed(lambda inputs=inputs, weighting=weighting: inputs.estimates(weighting))
        taken = [one.plus(other) for one, other in zip(taken, (weighed, estimated), strict=True)]
    return taken


def told(above: str, below: str, more: list[Seconds], less: list[Seconds]) -> float:
    """Print two times side by side; gives the ratio of the wall times of weights and estimates together."""
    rows = {
        "weights": (more[0], less[0]),
        "estimates": (more[1], less[1]),
        "together": (more[0].plus(more[1]), less[0].plus(less[1])),
    }
    print(f"\n{'seconds':<12}{above + ' wall':>16}{below + ' wall':>16}{'ratio':>9}{'CPU':>20}{'ratio':>9}")
    for name, (large, small) in rows.items():
        cpu = f"{large.cpu:.2f} / {small.cpu:.2f}"
        walls = f"{large.wall:>16.2f}{small.wall:>16.2f}{large.wall / small.wall:>9.1f}"
        print(f"{name:<12}{walls}{cpu:>20}{large.cpu / small.cpu:>9.1f}")
    large, small = rows["together"]
    return large.wall / small.wall


def main() -> None:
    """Compare, then tell the times."""
    parser = argparse.ArgumentParser(description="Weights and estimates of a wave, here and with R's survey")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--released", action="store_true", help="R leaves département × size class out")
    choice.add_argument("--alone", action="store_true", help="leave R out: ten times the sample only")
    asked = parser.parse_args()
    wave = load_wave("2014")
    made = made_up_wave(wave, invented_territory(wave, 2014), seed=2014)
    faster = float("nan") if asked.alone else against_r(made, asked.released)
    factor = told("tenfold", "once", alone(larger(made, 10)), alone(made))
    if not asked.alone:
        print(f"\n{faster:.0f} times faster than R (wanted: at least 10)")
    print(f"ten times the sample costs {factor:.1f} times the time (wanted: at most 11)")
    sys.exit(1 if faster < 10 or factor > 11 else 0)


if __name__ == "__main__":
    main()
