"""Intervals of shares, totals and differences: published values, mirrors, limits, and coverage."""

import numpy as np
import pytest

from asco_dagster.methods.intervals import (
    effective_size,
    half_width_error,
    normal_interval,
    share_interval,
)


@pytest.mark.parametrize(
    ("yes", "n", "low", "high"),
    # R 4.2 prop.test(yes, n, correct = FALSE)$conf.int
    [
        (0, 10, 0.0, 0.2775328),
        (1, 10, 0.01787621, 0.4041500),
        (9, 10, 0.5958500, 0.9821238),
        (8, 29, 0.1469876, 0.4571713),
    ],
)
def test_wilson_limits_are_those_of_r_prop_test(yes: int, n: int, low: float, high: float) -> None:
    found = share_interval(np.array([yes / n]), np.array([float(n)]))
    assert found[0][0] == pytest.approx(low, abs=1e-6)
    assert found[1][0] == pytest.approx(high, abs=1e-6)


def test_a_share_and_its_complement_have_mirrored_intervals() -> None:
    shares, sizes = np.linspace(0, 1, 21), np.linspace(1, 400, 21)
    low, high = share_interval(shares, sizes)
    mirrored = share_interval(1 - shares, sizes)
    np.testing.assert_allclose(low, 1 - mirrored[1], atol=1e-12)
    np.testing.assert_allclose(high, 1 - mirrored[0], atol=1e-12)
    assert ((low >= 0) & (low <= shares) & (shares <= high) & (high <= 1)).all()


def test_a_small_share_with_the_error_of_a_model_does_not_span_everything() -> None:
    """The logit interval of this cell was [4e-22, 1.000]."""
    low, high = share_interval(np.array([0.0007]), np.array([69.0]))
    assert low[0] < 0.0007 < high[0] < 0.06


def test_nothing_left_to_chance_gives_a_point_and_no_share_no_interval() -> None:
    shares = np.array([0.0, 0.3, 1.0, np.nan])
    low, high = share_interval(shares, np.full(4, np.inf))
    np.testing.assert_array_equal(low, shares)
    np.testing.assert_array_equal(high, shares)


def test_the_effective_size_is_that_of_the_variance_but_at_the_edges() -> None:
    shares, variances = np.array([0.2, 0.0, 1.0, 0.5]), np.array([0.0016, 0.0, 0.0, 0.0])
    assert effective_size(shares, variances, np.full(4, 33.0)).tolist() == pytest.approx(
        [100.0, 33.0, 33.0, np.inf]
    )


@pytest.mark.parametrize("share", [0.02, 0.05, 0.2, 0.5, 0.9, 0.97])
@pytest.mark.parametrize("n", [15, 40, 200])
def test_wilson_covers_on_average_over_shares_near_by(share: float, n: int) -> None:
    """One share jumps with the lattice of counts; the mean over its neighbourhood does not."""
    generator = np.random.default_rng(9)
    near = np.clip(share + generator.uniform(-0.015, 0.015, 40_000), 0.001, 0.999)
    low, high = share_interval(generator.binomial(n, near) / n, np.full(near.shape, float(n)))
    assert 0.93 <= np.mean((low <= near) & (near <= high)) <= 0.99


def test_a_negative_amount_has_an_interval_in_order() -> None:
    low, high = normal_interval(np.array([-50.0, 3.0, 100.0]), np.array([10.0, 4.0, 10.0]), least=0.0)
    assert low.tolist() == [-50.0, 0.0, pytest.approx(80.4, abs=0.01)]
    assert (low <= high).all()


def test_a_difference_of_shares_stays_possible() -> None:
    low, high = normal_interval(np.array([-0.9, 0.95]), np.array([0.2, 0.2]), least=-1.0, most=1.0)
    assert low.tolist() == [-1.0, pytest.approx(0.558, abs=1e-3)]
    assert high.tolist() == [pytest.approx(-0.508, abs=1e-3), 1.0]


def test_the_error_that_an_interval_implies() -> None:
    error = half_width_error(np.array([0.0]), np.array([0.3]))
    assert error[0] == pytest.approx(0.3 / (1.5 * 2 * 1.959964), rel=1e-6)


def test_few_degrees_of_freedom_widen_an_interval_as_r_qt_says() -> None:
    low, high = normal_interval(np.zeros(3), np.ones(3), degrees=np.array([5.0, 10.0, np.inf]))
    np.testing.assert_allclose(high, [2.570582, 2.228139, 1.959964], atol=1e-6)
    np.testing.assert_allclose(low, -high)
