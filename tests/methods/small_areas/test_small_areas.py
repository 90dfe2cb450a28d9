"""Small-area methods on cases that can be checked by hand or by another formula."""

import numpy as np
import pytest
from scipy import integrate
from scipy.optimize import linprog
from scipy.special import expit

from asco_dagster.errors import EstimationError
from asco_dagster.methods.small_areas.benchmark import (
    benchmark_groups,
    benchmarked_shares,
    benchmarked_totals,
    kept_direct,
)
from asco_dagster.methods.small_areas.binomial_logit import Cells, cells_of, posterior
from asco_dagster.methods.small_areas.cells import Sums, pooled_answers, pools
from asco_dagster.methods.small_areas.fay_herriot import fay_herriot, modelled_totals
from asco_dagster.methods.small_areas.shares import departement_shares, share_limits
from asco_testing.methods.small_area_worlds import World, world_of


@pytest.fixture(scope="module")
def world() -> World:
    return world_of("commune", 3, heavy_tails=False, seed=8)


def modelled(world: World, sums: Sums, closed: np.ndarray) -> np.ndarray:
    whole = np.zeros(len(world.units), bool)
    found = departement_shares(sums, world.units, world.cells, closed=closed, whole=whole, few=3, many=10)
    return np.stack([found.estimate, found.rmse, found.weight])


def with_yes(sums: Sums, yes: np.ndarray) -> Sums:
    return sums._replace(yes=yes)


def test_answers_of_a_closed_departement_change_no_modelled_share(world: World) -> None:
    closed = np.zeros(world.truth.shape, bool)
    closed[:, [4, 40]] = True
    yes = world.sums.yes.copy()
    yes[:, [4, 40]] = world.sums.weight[:, [4, 40]] - yes[:, [4, 40]]
    found, other = (modelled(world, sums, closed) for sums in (world.sums, with_yes(world.sums, yes)))
    np.testing.assert_array_equal(found, other)
    assert (found[2][:, [4, 40]] == 0).all()


def test_a_large_town_alone_in_its_class_changes_nothing_by_itself(world: World) -> None:
    """Two sets of answers with the same weighted share of each pool give the same modelled shares."""
    pool = pools(world.sums, 3, 10, np.zeros(len(world.units), bool))
    yes, no = world.sums.yes.copy(), world.sums.weight - world.sums.yes
    together = (pool[0, :, 3] == pool[0, :, 4]) & (world.sums.answers[0, :, 4] == 1)
    area = int(np.flatnonzero(together & (np.minimum(yes[0, :, 4], no[0, :, 3]) > 0.9))[0])
    classes, moved = [4, 3], 1.0  # the town says no, another of its pool yes
    yes[0, area, classes] += [-moved, moved]
    closed = np.zeros(world.truth.shape, bool)
    # The pattern of France is a sum over a thousand answers; here it is held.
    yes[0, (area + 1) % len(yes[0]), classes] += [moved, -moved]
    found, other = (modelled(world, sums, closed) for sums in (world.sums, with_yes(world.sums, yes)))
    np.testing.assert_allclose(found[0][0, area], other[0][0, area], atol=2e-3)


def test_every_pool_has_enough_respondents(world: World) -> None:
    count = np.random.default_rng(3).poisson([[[20, 9, 5, 2, 1]]], (4, 200, 5)).astype(float)
    whole = np.arange(200) < 5
    pool = pools(Sums(count, count, count, count / 2), 3, 10, whole)
    assert (pool[:, whole] == 0).all()
    for of_area, n in zip(pool.reshape(-1, 5), count.reshape(-1, 5), strict=True):
        inside = np.bincount(of_area, n)
        inside = inside[np.unique(of_area)]
        assert len(inside) == 1 or inside.min() >= 10 or (inside.min() >= 3 and (inside >= 10).sum() >= 2)


def test_a_pool_keeps_its_weighted_share_and_its_effective_size() -> None:
    # four of weight 6 in the small class, two yes of three answers; two of weight 1 in the large one, one yes
    sums = Sums(*(np.array([[pair]]) for pair in ([3.0, 2.0], [18.0, 2.0], [108.0, 2.0], [12.0, 1.0])))
    share, size = pooled_answers(sums, np.zeros((1, 1, 2), int))
    np.testing.assert_allclose((sums.weight * share).sum() / sums.weight.sum(), 13 / 20)
    np.testing.assert_allclose(size.sum(), 20**2 / (2 + 3 * 36))
    apart, alone = pooled_answers(sums, np.array([[[1, 0]]]))
    np.testing.assert_allclose(apart[0, 0], [2 / 3, 1 / 2])
    np.testing.assert_allclose(alone[0, 0], [3.0, 2.0])


def test_the_posterior_of_one_area_is_that_of_numerical_integration() -> None:
    """One effect, integrated over a fine grid; β is as good as known from an area of a million answers."""
    yes, size = np.array([[[500_000.0], [9.0]]]), np.array([[[1_000_000.0], [12.0]]])
    sigma = 0.6
    found = posterior(yes, size, Cells(np.ones((2, 1, 1)), np.zeros(2, int)), np.array([[sigma, 1e-3]]))
    assert found.fixed.shape == (1, 1, 1)

    def density(u: float, power: int) -> float:
        # the first area has an effect too: the second one's differs from it by √2·σ
        return u**power * expit(u) ** 9 * (1 - expit(u)) ** 3 * np.exp(-(u**2) / (4 * sigma**2))

    norm, mean = (integrate.quad(density, -8, 8, args=(power,))[0] for power in (0, 1))
    np.testing.assert_allclose(found.mean[0, 0, 1, 0], mean / norm, atol=0.04)


def test_all_respond_and_the_modelled_share_is_the_true_one() -> None:
    units = np.array([[6.0, 4.0], [5.0, 5.0], [8.0, 3.0]])
    yes = np.array([[[2.0, 1.0], [5.0, 5.0], [0.0, 3.0]]])
    sums = Sums(units[None], units[None], units[None], yes)
    cells = cells_of(np.zeros((3, 1)), np.zeros(3, int), 2)
    closed, whole = np.zeros((1, 3), bool), np.zeros(3, bool)
    found = departement_shares(sums, units, cells, closed=closed, whole=whole, few=3, many=3)
    np.testing.assert_allclose(found.estimate[0], yes[0].sum(axis=1) / units.sum(axis=1), atol=1e-3)
    np.testing.assert_allclose(found.rmse, 0, atol=1e-9)


def test_limits_of_a_share_are_whole_numbers_of_units_and_hold_none() -> None:
    low, high = share_limits(np.array([0.02, 0.5, 0.3]), np.array([0.03, 0.1, 0.0]), np.array([20, 20, 20]))
    assert low[0] == 0
    np.testing.assert_allclose(low[:2] * 20, np.round(low[:2] * 20), atol=1e-9)
    np.testing.assert_allclose(low[1], 1 - high[1])
    assert low[2] == high[2] == 0.3


def test_an_area_without_a_direct_value_gets_the_synthetic_one() -> None:
    x = np.column_stack([np.ones(30), np.linspace(-1, 1, 30)])
    y = 2 + x[:, 1] + 0.3 * np.random.default_rng(5).normal(size=30)
    y[7] = np.nan
    model = fay_herriot(y, np.full(30, 0.05), x)
    assert model.weight[7] == 0
    np.testing.assert_allclose(model.estimate[7], x[7] @ model.fixed)
    assert model.mse[7] > model.mse[np.arange(30) != 7].max()


def test_a_total_without_error_is_kept() -> None:
    direct, variance = np.linspace(50, 80, 20), np.full(20, 0.04)
    variance[3] = 0.0
    found = modelled_totals(direct, variance, np.full(20, 10.0), np.ones((20, 1)))
    np.testing.assert_allclose(
        [found.estimate[3], found.ci_low[3], found.ci_high[3], found.rmse[3]],
        [direct[3]] * 3 + [0],
        atol=1e-9,
    )


def test_too_few_direct_values_are_refused() -> None:
    with pytest.raises(EstimationError, match="areas have a direct value"):
        fay_herriot(np.array([1.0, 2.0, np.nan]), np.ones(3), np.ones((3, 1)))


def test_departements_meet_their_region_and_france() -> None:
    region = np.array([0, 0, 0, 0, 1, 1, 2])
    size = np.array([10.0, 20, 30, 40, 10, 10, 5])
    share, rmse = np.array([0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]), np.array([0.1, 0.1, 0.05, 0.1, 0.1, 0, 0.2])
    groups = benchmark_groups(region, size, np.array([0.45, 0.9, np.nan]), 0.5, are_shares=True)
    assert [rows.tolist() for rows, _ in groups] == [[0, 1, 2, 3], [4, 5, 6]]
    found = benchmarked_shares(share, rmse, size, groups)
    np.testing.assert_allclose(found[:4] @ size[:4] / 100, 0.45)
    np.testing.assert_allclose(found @ size / size.sum(), 0.5)
    assert found[5] == 0.7
    totals = size * share
    of_totals = benchmark_groups(region, size, np.array([45, 9, np.nan]), 70.0, are_shares=False)
    summed = benchmarked_totals(totals, rmse * size, of_totals)
    np.testing.assert_allclose([summed[:4].sum(), summed.sum()], [45, 70])
    totals[1] = 0.0  # a direct value that is kept
    summed = benchmarked_totals(totals, rmse * size * (totals > 0), of_totals)
    np.testing.assert_allclose([summed[1], summed[:4].sum()], [0, 45])


def test_without_an_open_benchmark_nothing_moves() -> None:
    region, size = np.array([0, 0, 0, 0]), np.ones(4)
    assert benchmark_groups(region, size, np.array([np.nan]), np.nan, are_shares=True) == []


def test_a_direct_value_three_errors_away_is_kept() -> None:
    kept = kept_direct(
        np.array([0.9, 0.9, np.nan, 0.9]), np.array([0.1, 0.1, 0.1, 0.01]), np.array([0.55, 0.65, 0.1, 0.65]),
        np.array([0.05, 0.05, 0.05, 0.1]),
    )  # fmt: skip
    assert kept.tolist() == [True, False, False, False]


def moves_left(world: World, level: int, areas: np.ndarray) -> list[tuple[float, float]]:
    """How far each small pool can move, and how far a cell of as many must, given both published shares."""
    one = Sums(*(part[level : level + 1] for part in world.sums))
    pool = pools(one, 3, 10, np.zeros(len(world.units), bool))[0]
    cases = [(area, number) for area in areas for number in np.unique(pool[area])]
    repeated = Sums(*(np.repeat(part, len(cases) + 1, axis=0) for part in one))
    yes, steps = repeated.yes.copy(), np.zeros(len(cases) + 1)
    for k, (area, number) in enumerate(cases, 1):
        inside = pool[area] == number
        share = yes[k, area, inside].sum() / one.weight[0, area, inside].sum()
        steps[k] = 0.02 if share < 0.5 else -0.02
        yes[k, area, inside] += steps[k] * one.weight[0, area, inside]
    estimate = modelled(world, with_yes(repeated, yes), np.zeros(yes.shape[:2], bool))[0]
    left = []
    for area in areas:
        numbers = np.unique(pool[area])
        rows = [k for k, case in enumerate(cases, 1) if case[0] == area]
        inside = [pool[area] == number for number in numbers]
        weight, count, yeses = (
            np.array([part[0, area, of_pool].sum() for of_pool in inside])
            for part in (one.weight, one.answers, one.yes)
        )
        slope = (estimate[rows, area] - estimate[0, area]) / steps[rows]
        both, room = np.stack([weight / weight.sum(), slope]), np.array([0.0005, 0.005])
        middle = both @ (yeses / weight)
        for small in np.flatnonzero(count < 10) if len(numbers) > 1 else []:
            ends = [
                linprog(
                    sign * np.eye(len(numbers))[small],
                    A_ub=np.vstack([both, -both]),
                    b_ub=np.concatenate([middle + room, room - middle]),
                    bounds=[(0, 1)] * len(numbers),
                ).fun
                for sign in (1, -1)
            ]
            left.append((-ends[1] - ends[0], min(max(0.1, 1.25 / count[small]), 1.0)))
    return left


@pytest.mark.slow
def test_an_intruder_with_both_equations_cannot_pin_a_small_pool_down() -> None:
    """Direct and modelled share, inverted by linear programmes: weights, classes and sensitivities known.

    A pool of fewer than ten respondents must be able to move by what a cell of as many must.
    """
    world = world_of("commune", 6, heavy_tails=False, seed=8)
    areas = np.arange(0, len(world.units), 3)
    left = [case for level in range(6) for case in moves_left(world, level, areas)]
    assert len(left) > 20
    assert all(moves >= needed for moves, needed in left), [case for case in left if case[0] < case[1]]
