"""Modelled estimates of the confidentiality layer: nothing of a closed cell, and released numbers only."""

import numpy as np
import pandas as pd
import pytest

from asco_dagster.confidentiality.model_estimates import _flags, _shares, _totals, _World
from asco_dagster.methods.small_areas.cells import Sums
from asco_dagster.waves import load_wave
from asco_testing.methods.small_area_worlds import world_of

CLOSED = 12


@pytest.fixture(scope="module")
def world() -> _World:
    made = world_of("commune", 2, heavy_tails=False, seed=21)
    names, areas = pd.Index(["ccas", "staff_fte"]), pd.Index([f"a{n:02d}" for n in range(len(made.units))])
    size = made.units.sum(axis=1)
    return _World(
        areas,
        made.region,
        pd.Index([f"r{n:02d}" for n in range(made.region.max() + 1)]),
        np.column_stack([made.cells.x[:, 0, -1], np.full(len(areas), np.nan)]),
        made.units,
        size * 900,
        0.01 + size / size.max() / 50,
        pd.Series(["binary", "staff"], index=names),
        made.sums,
    )


def cells_of_world(world: _World, statistic: str) -> pd.DataFrame:
    """Released cells; one département is closed, one shows an earlier version's number."""
    weight = world.sums.weight[0].sum(axis=1)
    share = world.sums.yes[0].sum(axis=1) / weight
    value = share if statistic == "share" else 3 * weight * (1 + share)
    sizes = weight if statistic == "share" else np.ones(len(weight))
    whole = [float(np.average(value, weights=sizes))] if statistic == "share" else [float(value.sum())]
    regions = [value[world.region == number] for number in range(len(world.regions))]
    of_regions = [part.mean() if statistic == "share" else part.sum() for part in regions]
    rows = pd.DataFrame(
        {
            "geography": ["france"] + ["region"] * len(world.regions) + ["departement"] * len(world.areas),
            "area_code": ["FR", *world.regions, *world.areas],
            "estimate": np.round([*whole, *of_regions, *value], 3),
        }
    )
    rows["indicator"] = "ccas" if statistic == "share" else "staff_fte"
    rows["standard_error"] = 0.05 if statistic == "share" else 0.2 * rows["estimate"]
    rows["ci_low"], rows["ci_high"] = 0.9 * rows["estimate"], 1.1 * rows["estimate"]
    rows["cv"], rows["status"], rows["as_of"] = 0.2, "V", None
    closed = rows["area_code"] == f"a{CLOSED:02d}"
    rows.loc[closed, "status"] = "A"
    rows.loc[closed, ["estimate", "standard_error", "ci_low", "ci_high", "cv"]] = np.nan
    rows.loc[rows["area_code"] == "a30", "as_of"] = "1.0.0"
    return rows.assign(statistic=statistic)


def test_of_a_closed_or_held_cell_no_answer_is_used(world: _World) -> None:
    cells = cells_of_world(world, "share")
    yes = world.sums.yes.copy()
    yes[:, [CLOSED, 30]] = world.sums.weight[:, [CLOSED, 30]] - yes[:, [CLOSED, 30]]
    (rows,), (other,) = (
        _shares(load_wave("2014"), world._replace(sums=sums), cells)
        for sums in (world.sums, Sums(*world.sums[:3], yes))
    )
    pd.testing.assert_frame_equal(rows, other, check_exact=True)
    assert rows["method"].iloc[[CLOSED, 30]].tolist() == ["synthetic"] * 2
    assert rows["direct_weight"].iloc[[CLOSED, 30]].tolist() == [0.0, 0.0]
    assert (rows["method"] == "model").sum() >= 95


def test_modelled_totals_read_released_numbers_only(world: _World) -> None:
    cells = cells_of_world(world, "total")
    other = world._replace(sums=Sums(*(part * 2 for part in world.sums)))
    (rows,), (same,) = _totals(world, cells), _totals(other, cells)
    pd.testing.assert_frame_equal(rows, same, check_exact=True)
    france = cells.loc[cells["area_code"] == "FR", "estimate"].item()
    np.testing.assert_allclose(rows["estimate"].sum(), france, rtol=1e-9)
    assert rows["method"].iloc[CLOSED] == "synthetic"


def test_a_total_that_few_departements_show_is_not_modelled(world: _World) -> None:
    cells = cells_of_world(world, "total")
    cells.loc[cells.index[-40:], "estimate"] = 0.0
    assert _totals(world, cells) == []


def test_flags_are_those_of_width_and_coefficient_of_variation() -> None:
    rows = pd.DataFrame(
        {
            "statistic": ["share", "share", "total", "total"],
            "estimate": [0.5, 0.5, 100.0, 100.0],
            "rmse": [0.02, 0.2, 5.0, 40.0],
            "ci_low": [0.46, 0.1, 90.0, 40.0],
            "ci_high": [0.54, 0.9, 110.0, 180.0],
        }
    )
    assert _flags(rows, load_wave("2014")).tolist() == ["ok", "unreliable"] * 2
