"""Propensities, R-indicators, early and late respondents, sensitivity: known truths and R's glm."""

import numpy as np
import pandas as pd
import pytest

from asco_dagster.errors import EstimationError
from asco_dagster.methods import response_propensity as propensity
from asco_dagster.methods.response_propensity import (
    Propensities,
    early_and_late,
    largest_bias,
    partial_r,
    r_indicator,
    response_propensities,
    sensitivity,
)


def sampled(n: int, slope: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Units of two sizes and a département variable of no effect; large ones answer more by the slope."""
    generator = np.random.default_rng(seed)
    size = generator.choice(["large", "small"], n)
    chance = 1 / (1 + np.exp(-(0.5 + slope * (size == "large"))))
    variables = pd.DataFrame(
        {"size": size, "departement": generator.choice([f"{d:02d}" for d in range(20)], n)}
    )
    return np.where(size == "large", 1.0, 4.0), generator.random(n) < chance, variables


def test_propensities_are_those_of_r_glm(monkeypatch: pytest.MonkeyPatch) -> None:
    # R 4.2: glm(y ~ size + x, family = quasibinomial, weights = w) of the rows below.
    monkeypatch.setattr(propensity, "RIDGES", (0.0,))
    size = ["a"] * 6 + ["b"] * 4
    x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 2.0, 4.0, 6.0, 8.0]
    y = [0, 1, 0, 1, 1, 1, 0, 0, 1, 0]
    w = np.array([1.0, 1, 2, 2, 1, 1, 3, 3, 1, 1])
    found = response_propensities(w, np.array(y), pd.DataFrame({"size": size, "x": x}))
    assert found.values.tolist() == pytest.approx(
        [
            *(0.20406640, 0.36628246, 0.56578472, 0.74602912, 0.86880304, 0.93722042),
            *(0.01081638, 0.05264641, 0.22022926, 0.58938237),
        ],
        abs=1e-6,
    )


def test_an_even_response_is_representative_and_an_uneven_one_is_not() -> None:
    weights, responded, variables = sampled(6000, slope=0.0)
    even = r_indicator(weights, response_propensities(weights, responded, variables))
    assert even > 0.95
    weights, responded, variables = sampled(6000, slope=1.5)
    found = response_propensities(weights, responded, variables)
    low, high = 1 / (1 + np.exp(-0.5)), 1 / (1 + np.exp(-2.0))
    # A fifth of the weight answers with the high chance.
    true = 1 - 2 * np.sqrt(0.2 * 0.8) * (high - low)
    assert r_indicator(weights, found) == pytest.approx(true, abs=0.03)


def test_the_variable_that_matters_has_the_partial_indicator() -> None:
    weights, responded, variables = sampled(6000, slope=1.5)
    found = response_propensities(weights, responded, variables)
    assert partial_r(weights, found, variables["size"].to_numpy()) > 0.09
    assert partial_r(weights, found, variables["departement"].to_numpy()) < 0.03


def test_the_bound_on_the_bias_is_reached_when_answers_follow_propensities() -> None:
    rho = np.repeat([0.4, 0.8], 500)
    found = Propensities(rho, np.zeros(1000))
    y = np.repeat([0.0, 1.0], 500)
    bias = np.average(y, weights=rho) - y.mean()
    assert largest_bias(np.ones(1000), found, spread=0.5) == pytest.approx(bias)


def test_a_response_of_all_or_nobody_has_no_propensity() -> None:
    with pytest.raises(EstimationError, match="nobody, or everybody, answered"):
        response_propensities(np.ones(5), np.ones(5), pd.DataFrame({"size": ["a"] * 5}))


def test_collinear_variables_and_groups_that_all_answered_are_no_obstacle() -> None:
    weights, responded, variables = sampled(60, slope=0.5)
    responded |= (variables["departement"] < "10").to_numpy()
    twice = variables.assign(again=variables["size"], number=(variables["size"] == "large").astype(float))
    found = response_propensities(weights, responded, twice)
    assert ((found.values > 0) & (found.values < 1)).all()
    assert np.isfinite(found.errors).all()


def test_late_respondents_that_answer_otherwise_are_seen() -> None:
    generator = np.random.default_rng(3)
    day = np.arange(800) // 8 * 1.0
    values = pd.DataFrame(
        {
            "same": (generator.random(800) < 0.5).astype(float),
            "later": (generator.random(800) < np.where(day >= 75, 0.3, 0.6)).astype(float),
        }
    )
    values.loc[5, "same"] = np.nan
    day[7] = np.nan
    found = early_and_late(values, np.ones(800), day).set_index("indicator")
    assert abs(found.at["same", "difference"]) < 3 * found.at["same", "standard_error"]
    assert found.at["later", "difference"] < -4 * found.at["later", "standard_error"]
    assert found.at["later", "early"] - found.at["later", "late"] == pytest.approx(0.3, abs=0.1)


def test_a_share_moves_with_the_odds_of_the_silent() -> None:
    low, high = sensitivity(np.array([0.5, 0.0, 1.0]), 0.75, 2.0)
    assert low.tolist() == pytest.approx([0.75 * 0.5 + 0.25 / 3, 0.0, 1.0])
    assert high.tolist() == pytest.approx([0.75 * 0.5 + 0.25 * 2 / 3, 0.0, 1.0])
    assert sensitivity(np.array([0.3]), 1.0, 3.0)[0].tolist() == pytest.approx([0.3])
