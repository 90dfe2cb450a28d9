"""Every estimate of a demonstration that ran, beside the generator's true value, and how they are shown.

The populations of cells:

- all: every row of ``est_asco__estimates`` with at least one respondent that answered, of all geographies,
  size classes, indicators and statistics, means included;
- released: those of ``sec_asco__cells`` with status V, by statistic and by quality flag.

A cell holds when its estimate lies within three of its own published standard errors of the truth, literally
(a rounding error of 1e-9 apart); whether the 95 % interval holds the truth stands beside it.
"""

from pathlib import Path

import duckdb
import pandas as pd

from asco_dagster.waves import Wave, load_wave
from asco_testing.estimation.true_values import true_cells

KEYS = ["unit_type", "indicator", "statistic", "geography", "area_code", "size_class"]


def judged_cells(home: Path, wave: str) -> pd.DataFrame:
    """The cells of a home in which a demonstration ran: estimates, ``true``, ``holds``, ``in_interval``.

    ``status`` and ``quality_flag`` are missing outside the released breakdowns.
    """
    with duckdb.connect(str(home / "waves" / wave / "asco.duckdb"), read_only=True) as database:
        estimates = database.sql("from estimation.est_asco__estimates").df()
        released = database.sql("from confidentiality.sec_asco__cells").df()
    truth = pd.read_parquet(home / "demonstration" / f"{wave}-truth.parquet")
    cells = with_truth(estimates, truth, load_wave(wave))
    return cells.merge(released[[*KEYS, "status", "quality_flag"]], on=KEYS, how="left")


def with_truth(estimates: pd.DataFrame, truth: pd.DataFrame, wave: Wave) -> pd.DataFrame:
    """Estimates with a respondent beside the true values, and whether each holds."""
    made = estimates[estimates["respondents"] > 0]
    cells = made.merge(true_cells(truth, wave), on=KEYS, how="left", validate="one_to_one")
    assert cells["true"].notna().all()
    rounding = 1e-9 * cells["true"].abs() + 1e-12
    cells["holds"] = (cells["estimate"] - cells["true"]).abs() <= 3 * cells["standard_error"] + rounding
    cells["in_interval"] = cells["true"].between(cells["ci_low"] - rounding, cells["ci_high"] + rounding)
    return cells


def told(cells: pd.DataFrame) -> str:
    """How many cells hold: all, released, by statistic and by flag, as a table to print."""
    released = cells[cells["status"] == "V"]
    groups = [("all cells", cells), ("released", released)]
    groups += [(f"all, {name}", own) for name, own in cells.groupby("statistic")]
    groups += [(f"released, {name}", own) for name, own in released.groupby("statistic")]
    groups += [(f"released, {name}", own) for name, own in released.groupby("quality_flag")]
    groups += [
        (f"released, {statistic}, {flag}", own)
        for (statistic, flag), own in released.groupby(["statistic", "quality_flag"])
    ]
    lines = [f"{'cells':<42}{'number':>8}{'3 errors':>10}{'95 %':>8}"]
    lines += [
        f"{name:<42}{len(own):>8}{own['holds'].mean():>10.2%}{own['in_interval'].mean():>8.1%}"
        for name, own in groups
    ]
    return "\n".join(lines)
