"""Conditional bias and what is done with it: by hand, by all samples, and for one huge answer."""

import itertools

import numpy as np
import pandas as pd
import pytest

from asco_dagster.methods.domains import estimation_domains
from asco_dagster.methods.influence import influential_answers
from asco_dagster.methods.precision import ResidualVariance, SurveyDesign


def simple_design(n: int, population: int, x: np.ndarray | None = None) -> SurveyDesign:
    weights = np.full(n, population / n)
    return SurveyDesign(
        weights, weights, np.zeros((n, 0)) if x is None else x, np.zeros(n), np.full(n, float(population))
    )


def test_the_conditional_bias_is_that_of_all_samples_with_the_unit() -> None:
    """Of the 20 samples of 3 in 6, the ten that hold a unit miss the total by its conditional bias."""
    y = np.array([3.0, 8.0, 1.0, 4.0, 40.0, 4.0])
    estimates: dict[int, list[float]] = {unit: [] for unit in range(6)}
    read: dict[int, list[float]] = {unit: [] for unit in range(6)}
    for kept in itertools.combinations(range(6), 3):
        rows = np.arange(3)
        bias = ResidualVariance(simple_design(3, 6)).conditional_biases(rows, y[list(kept), None])[:, 0]
        for place, unit in enumerate(kept):
            estimates[unit].append(2 * y[list(kept)].sum() - y.sum())
            read[unit].append(bias[place])
    true = {unit: np.mean(errors) for unit, errors in estimates.items()}
    # (N/(N − 1))·(N/n − 1)·(y − mean), exactly; the sample reads it from its own mean, unbiased for y.
    assert true[4] == pytest.approx(6 / 5 * (40 - 10))
    for unit in range(6):
        assert np.mean(read[unit]) == pytest.approx(true[unit])


def test_units_that_represent_themselves_move_nothing() -> None:
    y = np.array([[1.0], [900.0], [2.0]])
    assert not ResidualVariance(simple_design(3, 3)).conditional_biases(np.arange(3), y).any()


def test_calibration_takes_the_pull_of_a_large_unit_away() -> None:
    size = np.array([10.0, 12.0, 9.0, 500.0, 11.0])
    free = ResidualVariance(simple_design(5, 20)).conditional_biases(np.arange(5), size[:, None])
    held = ResidualVariance(simple_design(5, 20, size[:, None])).conditional_biases(
        np.arange(5), size[:, None]
    )
    assert np.abs(free).max() > 1000
    assert np.abs(held).max() < 1e-6


def test_one_huge_answer_is_listed_with_the_total_without_it() -> None:
    units = pd.DataFrame({"region_code": "84", "departement_code": ["01", "02"] * 20, "size_class": "small"})
    values = pd.DataFrame({"euros": np.where(np.arange(40) == 7, 10_000.0, 100.0 + np.arange(40) % 5)})
    listed = influential_answers(simple_design(40, 400), values, estimation_domains(units))
    national = listed[listed["geography"] == "france"]
    assert national["row"].tolist() == [7]
    row = national.iloc[0]
    assert row["estimate"] == pytest.approx(10 * values["euros"].sum())
    assert row["estimate_without"] == pytest.approx(row["estimate"] - row["conditional_bias"])
    assert 10 * 40 * 102 <= row["estimate_without"] < row["robust_estimate"] < row["estimate"]
    assert set(listed["geography"]) == {"france", "region", "departement"}
    assert listed.loc[listed["geography"] == "departement", "area_code"].tolist() == ["02"]
