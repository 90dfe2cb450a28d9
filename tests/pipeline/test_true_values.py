"""What the pipeline estimates on the real territory, against the generator's true values.

Everything between is at work here: silent units, open answers, slips that edits find, donors, calibration.
"""

from pathlib import Path

import pandas as pd
import pytest

from asco_testing.estimation.judged_cells import judged_cells, told

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def cells(released_real: Path) -> pd.DataFrame:
    made = judged_cells(released_real, "2014")
    print(f"\n{told(made)}")
    return made


# Since the demonstration has a geography and errors of totals are smaller, amounts fall short: of all cells
# .9894 of the means, of the released ones .9881 of the totals. Known, reported, to be corrected.
SHORT = pytest.mark.xfail(strict=True, reason="errors of amounts are too small in the tails: .9894, .9881")


@pytest.mark.parametrize(
    "statistic", ["share", "population_share", "total", pytest.param("mean", marks=SHORT)]
)
def test_99_in_100_of_all_cells_hold_the_truth_within_three_errors(
    statistic: str, cells: pd.DataFrame
) -> None:
    assert len(cells) > 90_000
    assert cells["holds"].mean() >= 0.99
    assert cells.loc[cells["statistic"] == statistic, "holds"].mean() >= 0.99


@pytest.mark.parametrize("statistic", ["share", "population_share", pytest.param("total", marks=SHORT)])
def test_99_in_100_of_the_released_cells_do(statistic: str, cells: pd.DataFrame) -> None:
    released = cells[cells["status"] == "V"]
    assert len(released) > 12_000
    assert released.loc[released["statistic"] == statistic, "holds"].mean() >= 0.99


def test_99_in_100_of_the_released_cells_do_whatever_their_flag(cells: pd.DataFrame) -> None:
    held = cells[cells["status"] == "V"].groupby("quality_flag")["holds"].mean()
    assert (held >= 0.99).all(), held


def test_a_cell_called_precise_is_not_so_by_chance(cells: pd.DataFrame) -> None:
    """Small errors attract the flag ``ok``: the cells that bear it must hold as well as the others."""
    precise = cells[(cells["status"] == "V") & (cells["quality_flag"] == "ok")]
    assert len(precise) > 2_000
    assert precise["in_interval"].mean() >= 0.95


def test_the_known_margins_are_met_exactly(released_real: Path) -> None:
    import duckdb

    with duckdb.connect(str(released_real / "waves" / "2014" / "asco.duckdb"), read_only=True) as database:
        margins = database.sql("from estimation.est_asco__margins").df()
    assert len(margins) >= 100
    assert margins["gap"].abs().max() <= 1e-9
