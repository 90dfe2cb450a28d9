"""The whole chain of estimation on the real territory of 2014, with invented answers whose truth is known."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from asco_dagster.demonstration.frame import real_territory
from asco_dagster.waves import load_wave
from asco_testing.estimation.judged_cells import with_truth
from asco_testing.worlds.true_size_sample import UNIT_TYPES, MadeUpWave, made_up_wave

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def wave_2014(real_files: Path) -> MadeUpWave:
    wave = load_wave("2014")
    return made_up_wave(wave, real_territory(wave, real_files), seed=2014)


@pytest.fixture(scope="module")
def cells(wave_2014: MadeUpWave) -> pd.DataFrame:
    """Estimates of every cell with a respondent, beside the truth."""
    made = pd.concat([wave_2014.estimates(unit_type) for unit_type in UNIT_TYPES], ignore_index=True)
    return with_truth(made, wave_2014.truth, wave_2014.wave)


def test_the_sample_has_exactly_its_size(wave_2014: MadeUpWave) -> None:
    assert wave_2014.sample["unit_type"].value_counts().to_dict() == {"commune": 8600, "epci": 1400}
    sampled = wave_2014.sample[wave_2014.sample["unit_type"] == "commune"]
    assert sampled["departement_code"].nunique() == wave_2014.frame["departement_code"].nunique()
    large = wave_2014.frame.query("unit_type == 'commune' and population >= 10000")["unit_id"]
    assert large.isin(sampled["unit_id"]).all()


@pytest.mark.parametrize("unit_type", UNIT_TYPES)
def test_known_margins_are_met_exactly(wave_2014: MadeUpWave, unit_type: str) -> None:
    weighting = wave_2014.weighting(unit_type)
    frame = wave_2014.frame[wave_2014.frame["unit_type"] == unit_type]
    assert weighting.margins["gap"].abs().max() <= 1e-9
    assert weighting.weights["weight"].sum() == pytest.approx(len(frame), rel=1e-9)
    by_region = weighting.weights.merge(frame[["unit_id", "region_code"]], on="unit_id")
    expected = frame.groupby("region_code").size()
    found = by_region.groupby("region_code")["weight"].sum()
    np.testing.assert_allclose(found, expected.reindex(found.index), rtol=1e-9)


def test_every_statistic_lies_within_three_errors_of_the_truth(cells: pd.DataFrame) -> None:
    held = cells.groupby("statistic")["holds"].agg(["size", "mean"])
    print(f"\n{held.round(4).to_dict('index')}")
    assert len(cells) > 90_000
    assert (held["mean"] >= 0.99).all()


def test_the_linearised_error_alone_would_not_do(cells: pd.DataFrame) -> None:
    """Why the published error is more: of all cells, 86 % lie within three linearised errors."""
    near = (cells["estimate"] - cells["true"]).abs() <= 3 * cells["linearised_error"] + 1e-9
    assert near.mean() < 0.95
    trusted = cells[
        (cells["statistic"] == "share") & (cells["respondents"] >= 50) & (cells["contributors"] >= 10)
    ]
    assert near[trusted.index].mean() >= 0.99


def test_well_answered_shares_keep_the_linearised_error(cells: pd.DataFrame) -> None:
    shares = cells[
        (cells["statistic"] == "share") & (cells["respondents"] >= 50) & (cells["contributors"] >= 10)
    ]
    assert len(shares) > 2_000
    assert (shares["error_basis"] == "linearised").all()
    # Everybody answered everything here, so that nothing is added.
    np.testing.assert_allclose(shares["standard_error"], shares["linearised_error"], rtol=1e-12)


def test_national_estimates_lie_within_three_errors(cells: pd.DataFrame) -> None:
    national = cells[(cells["geography"] == "france") & (cells["size_class"] == "total")]
    assert national["holds"].mean() >= 0.99, national[~national["holds"]]


def test_95_percent_intervals_hold_in_cells_of_every_size(cells: pd.DataFrame) -> None:
    classes = pd.cut(cells["respondents"], [0, 10, 50, 100_000])
    held = cells.groupby([cells["statistic"], classes], observed=True)["in_interval"].mean()
    print(f"\n{held.round(4).to_dict()}")
    # Answers of one sample are correlated: a point less than the nominal 95 % is still chance.
    assert held.between(0.94, 1.0).all(), held


def test_95_percent_intervals_of_well_answered_shares_are_not_too_wide(cells: pd.DataFrame) -> None:
    shares = cells[
        (cells["statistic"] == "share") & (cells["respondents"] >= 50) & cells["true"].between(0.05, 0.95)
    ]
    assert 0.93 <= shares["in_interval"].mean() <= 0.975
