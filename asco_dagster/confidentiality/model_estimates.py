"""The modelled estimates of départements, made so that they give away no more than the released cells do.

They are of this layer and not of estimation, because what a département answered may be used only where its
direct cell is released: of a closed one, or one that shows an earlier version's number, nothing is used, and
it gets what the others and public data say of it (``synthetic``). Shares read size classes pooled to enough
respondents (``methods.small_areas.cells``); totals, benchmarks and direct values that are kept read only
released numbers, as they are rounded.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from asco_dagster.methods.disclosure.areas import FRANCE, Areas
from asco_dagster.methods.precision import QualityThresholds, quality_flag
from asco_dagster.methods.small_areas.benchmark import (
    LARGE_REGION,
    benchmark_groups,
    benchmarked_shares,
    benchmarked_totals,
    kept_direct,
)
from asco_dagster.methods.small_areas.binomial_logit import cells_of
from asco_dagster.methods.small_areas.cells import Sums
from asco_dagster.methods.small_areas.fay_herriot import modelled_totals, smoothed_variance
from asco_dagster.methods.small_areas.shares import departement_shares, share_limits
from asco_dagster.orchestration.wave_step import Table, WaveStep, wave_asset
from asco_dagster.releases.disclosure import UNIT_TYPES, areas_of, decimals_by_statistic
from asco_dagster.storage.warehouse import read_table
from asco_dagster.waves import Wave

COVARIATES = ["share_75_plus", "gross_spending_eur_per_inhabitant", "elderly_beneficiaries_per_75_plus"]
DIRECT = ["unit_type", "indicator", "statistic", "geography", "area_code"]
NUMBERS = ["estimate", "standard_error", "ci_low", "ci_high", "cv"]
ENOUGH = 0.75
"""Share of the areas that must have a released, positive total, so that a model of their logs is one of al"""


class _World(NamedTuple):
    """One type of unit: areas as they are released, its frame, what design and answers sum to."""

    areas: pd.Index  # codes of the released départements and groups of these
    region: np.ndarray  # number of the région of each
    regions: pd.Index
    covariates: np.ndarray  # (D, C)
    units: np.ndarray  # (D, G), of the frame
    inhabitants: np.ndarray  # (D,)
    expected: np.ndarray  # (D,), relative variance of a total up to a factor
    kinds: pd.Series  # of the indicators
    sums: Sums  # of all of them, in that order


class _Direct(NamedTuple):
    """Numbers of one indicator as they are released, NaN where they are not."""

    numbers: pd.DataFrame  # of the areas
    open: np.ndarray  # areas whose answers may be used
    of_region: np.ndarray
    of_france: float


@wave_asset(deps=["sec_asco__cells", "est_asco__model_cells", "est_profile__departements"])
def sec_asco__model_estimates(step: WaveStep) -> Table:
    """One row per indicator and released département: its modelled estimate, as far as it may be known."""
    cells, areas = _rounded_cells(step), areas_of(step.database, step.wave)
    parts = []
    for unit_type in UNIT_TYPES:
        world = _world(step.database, unit_type, areas[unit_type])
        own = cells[cells["unit_type"] == unit_type]
        made = [*_shares(step.wave, world, own), *_totals(world, own)]
        parts += [part.assign(unit_type=unit_type, geography="departement") for part in made]
    rows = pd.concat(parts, ignore_index=True)
    rows["quality_flag"] = _flags(rows, step.wave)
    return Table(rows[[*DIRECT, *_MEASURES, "method", "quality_flag"]], _metadata(rows))


_MEASURES = ["estimate", "rmse", "ci_low", "ci_high", "direct_weight"]


def _rounded_cells(step: WaveStep) -> pd.DataFrame:
    """Cells over all sizes with their numbers as they are released, NaN where they are not."""
    columns = [*DIRECT, "size_class", *NUMBERS, "status", "as_of"]
    cells = read_table(step.database, "sec_asco__cells", columns)
    cells = cells[cells["size_class"] == "total"].copy()
    decimals = decimals_by_statistic(step.wave)
    kinds = cells["statistic"].where(cells["statistic"] != "share", cells["unit_type"] + " share")
    places = kinds.map(decimals)
    open_cells = (cells["status"] == "V").to_numpy()
    for name in NUMBERS:
        values = cells[name].to_numpy(dtype=float).round(9)
        if name != "cv":
            scale = 10.0 ** places.to_numpy(dtype=float)
            values = np.round(values * scale) / scale
        cells[name] = np.where(open_cells, values, np.nan)
    return cells


def _world(database: Any, unit_type: str, areas: Areas) -> _World:
    rows = read_table(database, "est_asco__model_cells", only={"unit_type": [unit_type]})
    shown = {code: areas.shown_departement(code) for code in sorted(areas.regions)}
    codes = pd.Index(sorted(set(rows["departement_code"].map(shown))))
    of_region = [areas.region_of(str(code)) for code in codes]
    regions, classes = pd.Index(sorted(set(of_region))), pd.Index(sorted(set(rows["size_class"])))
    kinds = rows.drop_duplicates("indicator").set_index("indicator")["kind"]
    shape = (len(kinds), len(codes), len(classes))
    area = _numbers(codes, rows["departement_code"].map(shown))
    place = (_numbers(kinds.index, rows["indicator"]) * shape[1] + area) * shape[2]
    place += _numbers(classes, rows["size_class"])

    def total(name: str) -> np.ndarray:
        """Sums over the départements of an area, which have one row each."""
        return np.bincount(place, rows[name].to_numpy(dtype=float), int(np.prod(shape))).reshape(shape)

    spread, reach = total("spread")[0].sum(axis=1), total("reach")[0].sum(axis=1)
    return _World(
        codes,
        regions.get_indexer(pd.Index(of_region)),
        regions,
        _covariates(database, shown, codes),
        total("units")[0],
        total("population")[0].sum(axis=1),
        np.divide(spread, reach**2, out=np.zeros(len(codes)), where=reach > 0),
        kinds,
        Sums(total("answers"), total("weight"), total("weight_squared"), total("weighted_value")),
    )


def _numbers(codes: pd.Index, values: pd.Series) -> np.ndarray:
    """The place of each value among the codes, −1 where it is none of them."""
    return codes.get_indexer(pd.Index(values))


def _covariates(database: Any, shown: dict[str, str], codes: pd.Index) -> np.ndarray:
    """Public data of each area; of several départements, their mean by population."""
    profiles = read_table(
        database, "est_profile__departements", ["departement_code", "population", *COVARIATES]
    )
    area = _numbers(codes, profiles["departement_code"].astype(str).map(shown))
    profiles, area = profiles[area >= 0], area[area >= 0]
    columns = []
    for name in COVARIATES:
        values = profiles[name].to_numpy(dtype=float)
        weight = np.where(np.isnan(values), 0.0, profiles["population"].to_numpy(dtype=float))
        total = np.bincount(area, weight * np.nan_to_num(values), len(codes))
        size = np.bincount(area, weight, len(codes))
        columns.append(np.divide(total, size, out=np.full(len(codes), np.nan), where=size > 0))
    return np.column_stack(columns)


def _direct(cells: pd.DataFrame, world: _World, indicator: str) -> _Direct:
    own = cells[cells["indicator"] == indicator]
    of = {geography: rows.set_index("area_code") for geography, rows in own.groupby("geography")}
    numbers = of["departement"].reindex(world.areas)
    france = of["france"]["estimate"].to_dict().get(FRANCE, np.nan)
    return _Direct(
        numbers[NUMBERS].astype(float),
        ((numbers["status"] == "V") & numbers["as_of"].isna()).to_numpy(),
        of["region"]["estimate"].reindex(world.regions).to_numpy(dtype=float),
        float(france),
    )


def _shares(wave: Wave, world: _World, cells: pd.DataFrame) -> list[pd.DataFrame]:
    """Modelled shares of every yes-or-no indicator about all units that has direct ones of départements."""
    cells = cells[cells["statistic"] == "share"]
    binary = (world.kinds == "binary").to_numpy() & world.kinds.index.isin(_by_departement(cells))
    names = world.kinds.index[binary]
    if names.empty:
        return []
    direct = [_direct(cells, world, name) for name in names]
    size = world.units.sum(axis=1)
    found = departement_shares(
        Sums(*(part[binary] for part in world.sums)),
        world.units,
        cells_of(world.covariates, world.region, world.units.shape[1]),
        closed=np.stack([~one.open for one in direct]),
        whole=np.bincount(world.region)[world.region] < LARGE_REGION,
        few=wave.disclosure.minimum_respondents,
        many=wave.disclosure.group_threshold,
    )
    made = []
    for name, one, estimate, rmse, weight in zip(
        names, direct, found.estimate, found.rmse, found.weight, strict=True
    ):
        kept = _kept(one, estimate, rmse)
        groups = benchmark_groups(world.region, size, one.of_region, one.of_france, are_shares=True)
        shown = np.where(kept, one.numbers["estimate"], estimate)
        shown = benchmarked_shares(shown, np.where(kept, 0.0, rmse), size, groups)
        low, high = share_limits(shown, rmse, size)
        made.append(_rows(world, name, "share", one, kept, weight, (shown, rmse, low, high)))
    return made


def _totals(world: _World, cells: pd.DataFrame) -> list[pd.DataFrame]:
    """Modelled totals of the indicators of which nearly all areas have a released one."""
    cells = cells[cells["statistic"] == "total"]
    fixed = cells_of(world.covariates, world.region, 1).x[:, 0, :]
    made = []
    for name in world.kinds.index[(world.kinds != "binary") & world.kinds.index.isin(_by_departement(cells))]:
        one = _direct(cells, world, name)
        total = np.where(one.open, one.numbers["estimate"], np.nan)
        usable = np.nan_to_num(total) > 0
        if usable.mean() < ENOUGH:
            continue
        psi = smoothed_variance(np.where(usable, one.numbers["cv"], np.nan), world.expected)
        found = modelled_totals(np.where(usable, total, np.nan), psi, world.inhabitants, fixed)
        kept = _kept(one, found.estimate, found.rmse)
        groups = benchmark_groups(
            world.region, world.inhabitants, one.of_region, one.of_france, are_shares=False
        )
        before = np.where(kept, one.numbers["estimate"], found.estimate)
        shown = benchmarked_totals(before, np.where(kept, 0.0, found.rmse), groups)
        factor = np.divide(shown, before, out=np.ones(len(shown)), where=before > 0)
        measures = (shown, found.rmse * factor, found.ci_low * factor, found.ci_high * factor)
        made.append(_rows(world, name, "total", one, kept, found.weight, measures))
    return made


def _by_departement(cells: pd.DataFrame) -> set[str]:
    """The indicators that have cells of départements."""
    return set(cells.loc[cells["geography"] == "departement", "indicator"])


def _kept(direct: _Direct, estimate: np.ndarray, rmse: np.ndarray) -> np.ndarray:
    value, error = (direct.numbers[name].to_numpy() for name in ("estimate", "standard_error"))
    return kept_direct(np.where(direct.open, value, np.nan), error, estimate, rmse)


def _rows(
    world: _World,
    indicator: str,
    statistic: str,
    direct: _Direct,
    kept: np.ndarray,
    weight: np.ndarray,
    measures: tuple[np.ndarray, ...],
) -> pd.DataFrame:
    """The rows of one indicator; where the direct value is kept, all its numbers are."""
    of_direct = direct.numbers[["estimate", "standard_error", "ci_low", "ci_high"]].to_numpy().T
    estimate, rmse, low, high = (
        np.where(kept, own, made) for own, made in zip(of_direct, measures, strict=True)
    )
    share = np.where(kept, 1.0, weight)
    return pd.DataFrame(
        {
            "indicator": indicator,
            "statistic": statistic,
            "area_code": world.areas,
            "estimate": estimate,
            "rmse": rmse,
            "ci_low": low,
            "ci_high": high,
            "direct_weight": share,
            "method": np.select([kept, share > 0], ["direct", "model"], "synthetic"),
        }
    )


def _flags(rows: pd.DataFrame, wave: Wave) -> np.ndarray:
    """By half-width and coefficient of variation: a model has no effective size to be judged by."""
    precision, shares = wave.precision, rows["statistic"] == "share"
    cv = (rows["rmse"] / rows["estimate"]).to_numpy(dtype=float)
    return quality_flag(
        cv,
        np.full(len(rows), np.inf),
        QualityThresholds(
            precision.cv.low_precision,
            precision.cv.unreliable,
            precision.half_width.low_precision,
            precision.half_width.unreliable,
            0,
            0,
        ),
        half_width=((rows["ci_high"] - rows["ci_low"]) / 2).where(shares).to_numpy(dtype=float),
    )


def _metadata(rows: pd.DataFrame) -> dict[str, Any]:
    kinds = rows["unit_type"] + " " + rows["statistic"]
    unreliable = (rows["quality_flag"] == "unreliable").groupby(kinds).mean()
    return {
        **{f"unreliable, {kind}": f"{share:.1%}" for kind, share in unreliable.items()},
        **{f"method {name}": int(count) for name, count in rows["method"].value_counts().items()},
    }
