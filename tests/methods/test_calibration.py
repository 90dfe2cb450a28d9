"""Calibration: margins met, collinear ones named, infeasible ones diagnosed, concessions logged."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asco_dagster.errors import EstimationError
from asco_dagster.methods.calibration import BoundsError, calibrate
from asco_dagster.methods.calibration_distances import UNBOUNDED, distance_function
from asco_dagster.methods.calibration_fallback import calibrate_with_fallback
from asco_dagster.methods.margins import MarginSpec, margin_matrix, margin_totals

BOUNDED = {"linear": None, "raking": None, "logit": (0.3, 3.0)}


def problem(seed: int, n: int = 120) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Weights, variables (three classes and a size) and totals near the weighted ones."""
    generator = np.random.default_rng(seed)
    weights = generator.uniform(1, 8, n)
    x = np.column_stack([np.eye(3)[np.arange(n) % 3], np.exp(generator.normal(6, 1, n))])
    totals = (weights * generator.uniform(0.9, 1.15, n)) @ x
    return weights, x, totals, ["a", "b", "c", "size"]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), method=st.sampled_from(["linear", "raking", "logit"]))
def test_calibrated_weights_meet_the_margins_whatever_the_order(seed: int, method: str) -> None:
    weights, x, totals, names = problem(seed)
    result = calibrate(weights, x, totals, method=method, bounds=BOUNDED[method], names=names)
    np.testing.assert_allclose(result.weights @ x, totals, rtol=1e-10)
    np.testing.assert_allclose(result.weights, weights * result.g_ratios)
    order = np.random.default_rng(seed).permutation(len(weights))
    other = calibrate(weights[order], x[order], totals, method=method, bounds=BOUNDED[method], names=names)
    np.testing.assert_allclose(other.weights, result.weights[order], rtol=1e-8)
    if method == "logit":
        assert (result.g_ratios > 0.3).all()
        assert (result.g_ratios < 3.0).all()


@pytest.mark.parametrize("method", ["linear", "raking", "logit"])
@pytest.mark.parametrize("bounds", [UNBOUNDED, (0.4, 2.5)])
def test_distance_functions_fit_together(method: str, bounds: tuple[float, float]) -> None:
    if method == "logit" and bounds == UNBOUNDED:
        with pytest.raises(EstimationError, match="no bounds"):
            distance_function("logit", bounds)
        return
    f = distance_function(method, bounds)
    u, step = np.linspace(-2.0, 2.0, 82), 1e-6
    assert f.ratio(np.zeros(1)) == pytest.approx(1)
    assert f.slope(np.zeros(1)) == pytest.approx(1)
    assert f.cost(np.ones(1)) == pytest.approx(0, abs=1e-15)
    np.testing.assert_allclose((f.ratio(u + step) - f.ratio(u - step)) / (2 * step), f.slope(u), atol=1e-5)
    np.testing.assert_allclose((f.integral(u + step) - f.integral(u - step)) / (2 * step), f.ratio(u), 1e-5)
    # F is the inverse of the derivative of the cost.
    v = np.linspace(-0.5, 0.5, 21)
    g = f.ratio(v)
    np.testing.assert_allclose((f.cost(g + step) - f.cost(g - step)) / (2 * step), v, atol=1e-5)


def test_post_stratification_is_calibration_on_disjoint_counts() -> None:
    weights = np.array([2.0, 3.0, 4.0, 1.0])
    x = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    result = calibrate(weights, x, np.array([10.0, 4.0]), method="linear", names=["a", "b"])
    np.testing.assert_allclose(result.weights, [4.0, 6.0, 3.2, 0.8])
    assert result.iterations == 1


def test_collinear_margins_are_named_and_still_met() -> None:
    weights, x, totals, names = problem(1)
    x = np.column_stack([x, x[:, :3].sum(axis=1), 1000 * x[:, 3], np.zeros(len(x))])
    totals = np.append(totals, [totals[:3].sum(), 1000 * totals[3], 0.0])
    result = calibrate(weights, x, totals, method="raking", names=[*names, "all", "thousands", "nobody"])
    assert result.dropped == ("all", "thousands", "nobody")
    np.testing.assert_allclose(result.weights @ x, totals, rtol=1e-10, atol=1e-12)


def test_margins_that_contradict_each_other_are_refused_by_name() -> None:
    weights, x, totals, names = problem(1)
    x = np.column_stack([x, x[:, :3].sum(axis=1), np.zeros(len(x))])
    totals = np.append(totals, [totals[:3].sum() + 1, 5.0])
    with pytest.raises(EstimationError, match=r"2 margins contradict the others: all .*, nobody \(5"):
        calibrate(weights, x, totals, method="linear", names=[*names, "all", "nobody"])


def test_infeasible_margin_is_named_by_the_elastic_programme() -> None:
    weights, x, totals, names = problem(2)
    totals[1] *= 5  # class b would need ratios of 5
    with pytest.raises(BoundsError, match=r"1 margins cannot be met: b \(wanted"):
        calibrate(weights, x, totals, method="logit", bounds=(0.5, 2.0), names=names)


def test_absurd_ratios_of_unbounded_methods_are_refused() -> None:
    weights, x, totals, names = problem(3)
    totals[3] /= 40
    with pytest.raises(EstimationError, match=r"multiplies weights by -.*cannot be met: .*size \(wanted"):
        calibrate(weights, x, totals, method="linear", names=names)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"initial_weights": np.zeros(120)}, "not positive"),
        ({"names": ["a"]}, "do not fit together"),
        ({"totals": np.array([1.0, np.nan, 1.0, 1.0])}, "margin b has a missing"),
        ({"method": "logit", "bounds": (1.1, 2.0)}, "do not enclose 1"),
        ({"method": "bogus"}, "unknown"),
    ],
)
def test_wrong_inputs_are_reported(change: dict[str, object], told: str) -> None:
    weights, x, totals, names = problem(4)
    inputs = {"initial_weights": weights, "x": x, "totals": totals, "names": names, "method": "linear"}
    with pytest.raises(EstimationError, match=told):
        calibrate(**(inputs | change))


def test_fallback_drops_then_widens_and_logs_each_step() -> None:
    weights, x, totals, names = problem(5)
    totals[0] *= 1.6
    x = np.column_stack([x, x[:, 0]])
    options = {"method": "logit", "bounds": (0.8, 1.2), "names": [*names, "again"]}
    totals = np.append(totals, totals[0])
    result, log = calibrate_with_fallback(weights, x, totals, bounds_limits=(0.2, 3.2), **options)
    actions = log["action"].tolist()
    assert actions[0] == "widened_bounds"
    assert actions[-2:] == ["dropped_collinear", "calibrated"]
    assert log["detail"].iloc[-2] == "again"
    assert "a (wanted" in log["detail"].iloc[0]
    assert log["bound_high"].is_monotonic_increasing
    assert 1.2 < result.bounds[1] < 3.2
    np.testing.assert_allclose(result.weights @ x, totals, rtol=1e-10)


def test_fallback_gives_up_at_the_limits_with_the_margins_in_the_way() -> None:
    weights, x, totals, names = problem(5)
    totals[0] *= 9
    with pytest.raises(EstimationError, match=r"widest bounds allowed: .* a \(wanted"):
        calibrate_with_fallback(
            weights, x, totals, method="logit", bounds=(0.5, 2.0), bounds_limits=(0.2, 4.0), names=names
        )


FRAME = pd.DataFrame(
    {"region": ["11", "11", "24", "24"], "size": ["s", "l", "s", "s"], "people": [1, 9, 2, 3]}
)
SPECS = (MarginSpec("n", ("region", "size")), MarginSpec("people", ("region",), "people"), MarginSpec("all"))


def test_margins_from_specifications() -> None:
    x, names = margin_matrix(FRAME, SPECS)
    assert names == ["n:11|l", "n:11|s", "n:24|s", "people:11", "people:24", "all"]
    assert x.toarray()[1].tolist() == [1, 0, 0, 9, 0, 1]
    assert margin_totals(FRAME, SPECS, names).tolist() == [1, 1, 2, 10, 5, 4]


def test_categories_without_respondents_or_outside_the_frame_are_listed() -> None:
    _, names = margin_matrix(FRAME.drop(index=1), SPECS)
    with pytest.raises(EstimationError, match=r"1 without any respondent \(n:11\|l\)"):
        margin_totals(FRAME, SPECS, names)
    with pytest.raises(EstimationError, match=r"1 absent from the frame \(n:99\|s\)"):
        margin_totals(FRAME, SPECS, [*margin_matrix(FRAME, SPECS)[1], "n:99|s"])


def test_holes_in_a_margin_column_are_reported() -> None:
    with pytest.raises(EstimationError, match=r"column region: .* 1 missing values"):
        margin_matrix(FRAME.assign(region=["11", None, "24", "24"]), SPECS)
