"""The whole chain of estimation on the real territory of 2014, with invented answers whose truth is known."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up_sample import UNIT_TYPES, MadeUpWave, made_up_wave
from true_values import true_cells

from asco_dagster.demonstration.frame import real_territory
from asco_dagster.methods.intervals import share_interval
from asco_dagster.waves import load_wave

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("real_territory")]

KEYS = ["unit_type", "indicator", "statistic", "geography", "area_code", "size_class"]
THREE_ERRORS = 0.9973002039367398  # what three standard errors cover of a normal distribution


@pytest.fixture(scope="module")
def wave_2014(real_data: Path) -> MadeUpWave:
    wave = load_wave("2014")
    return made_up_wave(wave, real_territory(wave, real_data), seed=2014)


@pytest.fixture(scope="module")
def cells(wave_2014: MadeUpWave) -> pd.DataFrame:
    """Estimates of every cell with a respondent, beside the truth."""
    made = pd.concat([wave_2014.estimates(unit_type) for unit_type in UNIT_TYPES], ignore_index=True)
    made = made[made["respondents"] > 0]
    joined = made.merge(true_cells(wave_2014.truth), on=KEYS, how="left", validate="one_to_one")
    assert joined["true"].notna().all()
    return joined


def within_three_errors(cells: pd.DataFrame) -> pd.Series:
    """Literally: at most three standard errors from the truth (and rounding)."""
    reach = 3 * cells["standard_error"] + 1e-9 * cells["true"].abs() + 1e-12
    return (cells["estimate"] - cells["true"]).abs() <= reach


def within_three_errors_of_the_interval(cells: pd.DataFrame) -> pd.Series:
    """Three standard errors on the scale of the interval: logit, exact binomial where everybody agrees."""
    reached = np.where(cells["estimate"] < 0.5, cells["ci_high"], 1 - cells["ci_low"])
    with np.errstate(divide="ignore"):
        effective = np.log(0.025) / np.log1p(-reached)
    low, high = share_interval(
        cells["estimate"].to_numpy(), cells["standard_error"].to_numpy(), effective, THREE_ERRORS
    )
    return (cells["true"] >= low - 1e-9) & (cells["true"] <= high + 1e-9)


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


def test_shares_lie_within_three_errors_of_the_truth(cells: pd.DataFrame) -> None:
    shares = cells[cells["statistic"] == "share"]
    ok = within_three_errors_of_the_interval(shares)
    print(f"\nall {len(shares)} cells of shares: {ok.mean():.4f} within three errors, logit scale")
    assert len(shares) > 30_000
    assert ok.mean() >= 0.99


def test_shares_lie_literally_within_three_errors_where_they_are_normal(cells: pd.DataFrame) -> None:
    shares = cells[
        (cells["statistic"] == "share") & cells["true"].between(0.05, 0.95) & (cells["respondents"] >= 50)
    ]
    literally = within_three_errors(shares)
    print(f"\n{len(shares)} cells of shares, 5 to 95 %, 50 respondents: {literally.mean():.4f} literally")
    assert len(shares) > 3_000
    assert literally.mean() >= 0.99


def test_national_estimates_lie_literally_within_three_errors(cells: pd.DataFrame) -> None:
    national = cells[(cells["geography"] == "france") & (cells["size_class"] == "total")]
    ok = within_three_errors(national)
    print(f"\n{len(national)} national cells: {ok.mean():.4f} literally")
    assert ok.mean() >= 0.99, national[~ok]
    for statistic, own in cells.groupby("statistic"):
        print(f"{statistic}: {within_three_errors(own).mean():.4f} of all {len(own)} cells literally")


def test_95_percent_intervals_of_shares_hold_in_cells_of_every_size(cells: pd.DataFrame) -> None:
    shares = cells[cells["statistic"] == "share"]
    inside = shares["true"].between(shares["ci_low"] - 1e-9, shares["ci_high"] + 1e-9)
    classes = pd.cut(shares["respondents"], [0, 10, 50, 100_000])
    held = inside.groupby(classes, observed=True).mean()
    print(f"\n{held.round(4).to_dict()}")
    # Answers of one sample are correlated: a point less than the nominal 95 % is still chance.
    assert held.between(0.94, 1.0).all()
