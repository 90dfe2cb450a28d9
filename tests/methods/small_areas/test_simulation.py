"""Simulation: modelled shares of départements against invented truths, 300 samples of each world.

Truths have effects of départements (sd 0.5 on the logit scale, normal or Student with three degrees of
freedom) and of régions (0.2); six levels from 0.08 to 0.92. Everything is as released: classes pooled to ten
respondents, benchmarks to direct values of France and régions, the rule of three errors.
"""

import functools
from typing import NamedTuple

import numpy as np
import pytest

from asco_dagster.methods.small_areas.benchmark import benchmark_groups, benchmarked_shares, kept_direct
from asco_dagster.methods.small_areas.fay_herriot import modelled_totals, smoothed_variance
from asco_dagster.methods.small_areas.shares import departement_shares, share_limits
from asco_testing.methods.small_area_worlds import World, world_of

pytestmark = pytest.mark.long

SAMPLES = 300


class Outcome(NamedTuple):
    """Of all samples and areas."""

    coverage: float
    alone: float  # RMSE of the model before benchmarking over that of the direct shares
    beyond: float  # coverage of areas beyond 1.5 standard deviations
    ratio: float  # RMSE over that of the direct shares
    honest: float  # published over true RMSE


def outcome(world: World) -> Outcome:
    count, areas = world.truth.shape
    direct, error = world.direct()
    size = world.units.sum(axis=1)
    closed, whole = np.zeros((count, areas), bool), np.zeros(areas, bool)
    found = departement_shares(
        world.sums, world.units, world.cells, closed=closed, whole=whole, few=3, many=10
    )
    estimate, rmse = found.estimate.copy(), found.rmse.copy()
    low, high = share_limits(estimate, rmse, size)
    for k in range(count):
        kept = kept_direct(direct[k], error[k], estimate[k], rmse[k])
        weight = world.sums.weight[k].sum(axis=1)
        of = [np.average(direct[k][rows], weights=weight[rows]) for rows in _regions(world)]
        france = np.average(direct[k], weights=weight)
        groups = benchmark_groups(world.region, size, np.array(of), france, are_shares=True)
        estimate[k] = benchmarked_shares(
            np.where(kept, direct[k], estimate[k]), np.where(kept, 0.0, rmse[k]), size, groups
        )
        rmse[k] = np.where(kept, error[k], rmse[k])
        low[k], high[k] = share_limits(estimate[k], rmse[k], size)
    miss = estimate - world.truth
    inside = (low <= world.truth + 1e-9) & (world.truth <= high + 1e-9)
    return Outcome(
        float(inside.mean()),
        _ratio(found.estimate - world.truth, direct - world.truth),
        float(inside[np.abs(world.effects) > 1.5].mean()),
        _ratio(miss, direct - world.truth),
        _ratio(rmse, miss),
    )


def _ratio(part: np.ndarray, whole: np.ndarray) -> float:
    return float(np.sqrt((part**2).mean() / (whole**2).mean()))


def _regions(world: World) -> list[np.ndarray]:
    return [np.flatnonzero(world.region == number) for number in range(world.region.max() + 1)]


@functools.cache
def of_normal_effects(unit_type: str) -> Outcome:
    return outcome(world_of(unit_type, SAMPLES, heavy_tails=False, seed=1))


# With the larger minimum per stratum direct estimates are better, and the gain of communes is .825.
@pytest.mark.parametrize(
    "unit_type",
    [pytest.param("commune", marks=pytest.mark.xfail(strict=True, reason="the goal is .82: .825")), "epci"],
)
def test_errors_are_at_most_the_goal_of_the_direct_ones(unit_type: str) -> None:
    assert of_normal_effects(unit_type).alone <= 0.82


@pytest.mark.parametrize("unit_type", ["commune", "epci"])
def test_intervals_cover_and_errors_are_smaller_than_direct_ones(unit_type: str) -> None:
    seen = of_normal_effects(unit_type)
    print(unit_type, seen)
    assert 0.93 <= seen.coverage <= 0.97, seen
    assert seen.beyond >= 0.88, seen
    assert seen.ratio <= 0.85, seen  # to agree with direct régions costs a part of the gain
    assert 0.92 <= seen.honest <= 1.1, seen


@pytest.mark.parametrize("unit_type", ["commune", "epci"])
def test_heavy_tails(unit_type: str) -> None:
    seen = outcome(world_of(unit_type, SAMPLES, heavy_tails=True, seed=2))
    print(unit_type, seen)
    assert 0.92 <= seen.coverage <= 0.97, seen
    assert seen.alone <= 0.82, seen


def test_totals_are_better_than_direct_ones_and_right_on_average() -> None:
    world = world_of("commune", 1, heavy_tails=False, seed=3)
    generator = np.random.default_rng(4)
    areas, classes = world.units.shape
    # in the pipeline, classes with fewer respondents share their weights with others
    n = np.maximum(world.sums.answers[0], np.minimum(world.units, 3)).astype(int)
    cell = np.repeat(np.arange(areas * classes), world.units.ravel().astype(int))
    spread = np.where(cell % classes == classes - 1, 0.9, 0.3)
    inhabitants = np.array([230, 860, 2600, 6900, 20000])[cell % classes] * np.exp(
        spread * generator.normal(size=len(cell)) - spread**2 / 2
    )
    first = np.concatenate([[0], np.cumsum(world.units.ravel())[:-1]]).astype(int)
    answered = np.arange(len(cell)) - first[cell] < n.ravel()[cell]
    weight = (world.units / np.maximum(n, 1)).ravel()[cell]
    of_area = np.bincount(cell // classes, inhabitants)
    x = world.cells.x[:, 0, classes:]
    covariates = np.column_stack([np.ones(areas), x])
    factor = np.clip(1 - n / np.maximum(world.units, 1), 0, 1).ravel()
    reached = np.bincount(cell[answered] // classes, (weight * inhabitants)[answered], areas)
    w = weight[answered]
    q = np.bincount(cell[answered] // classes, w * (w - 1) * inhabitants[answered] ** 2, areas) / reached**2
    found, sums = [], []
    for _ in range(SAMPLES):
        effect = 0.3 * generator.normal(size=areas) + 0.1 * x[:, 0]
        amount = inhabitants * np.exp(effect[cell // classes] + 0.8 * generator.normal(size=len(cell)))
        amount *= generator.random(len(cell)) < 0.6
        truth = np.bincount(cell // classes, amount)
        y = weight[answered] * amount[answered]
        # a ratio to inhabitants, as calibrated weights make of it
        direct = np.bincount(cell[answered] // classes, y, areas) * of_area / reached
        y = y - (direct / of_area)[cell[answered] // classes] * (weight * inhabitants)[answered]
        count, total, squares = (
            np.bincount(cell[answered], part, areas * classes) for part in (np.ones_like(y), y, y**2)
        )
        variance = factor * (squares - total**2 / np.maximum(count, 1)) * count / np.maximum(count - 1, 1)
        error = np.sqrt(variance.reshape(areas, classes).sum(axis=1))
        psi = smoothed_variance(np.where(direct > 0, error / np.maximum(direct, 1e-9), np.nan), q)
        made = modelled_totals(direct, psi, of_area, covariates)
        inside = (made.ci_low <= truth * (1 + 1e-9)) & (truth * (1 - 1e-9) <= made.ci_high)
        sums.append(made.estimate.sum() / truth.sum())
        found.append((made.estimate / truth, direct / truth, inside, made.rmse / truth))
    modelled, direct, inside, rmse = (np.array(part) for part in zip(*found, strict=True))
    ratio = float(np.sqrt(((modelled - 1) ** 2).mean() / ((direct - 1) ** 2).mean()))
    honest = float(np.sqrt((rmse**2).mean() / ((modelled - 1) ** 2).mean()))
    national = float(np.mean(sums))
    seen = f"coverage {inside.mean():.3f}, of direct {ratio:.3f}, honest {honest:.3f}, all {national:.4f}"
    print("totals", seen)
    assert 0.93 <= inside.mean() <= 0.98, seen
    assert ratio <= 0.95, seen
    assert 0.9 <= honest <= 1.25, seen
    assert abs(national - 1) <= 0.03, seen
