"""INSEE's population estimates by département, sex and five-year age, in INSEE's workbook."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from asco_dagster.demonstration.archives import Cell, Sheet, write_workbook
from asco_dagster.demonstration.frame import MAYOTTE, Territory, departement_populations
from asco_dagster.waves.wave import Delivery

BANDS = [f"{age} à {age + 4} ans" for age in range(0, 95, 5)] + ["95 ans et plus"]
SEXES = ("Ensemble", "Hommes", "Femmes")
# Weight of each band in a département of middle age, and share of men in it: round figures of France today.
_PYRAMID = np.array(
    [58, 61, 62, 60, 57, 58, 61, 63, 64, 66, 67, 65, 61, 58, 52, 37, 29, 21, 10, 4], dtype=float
)
_MEN = np.array([51, 51, 51, 51, 51, 50, 49, 49, 49, 49, 49, 49, 48, 48, 47, 45, 42, 37, 30, 22]) / 100
_GROWTH = 0.004
_FIRST_YEAR_OF_MAYOTTE = 2014


def write_age_sex(path: Path, territory: Territory, delivery: Delivery, seed: int) -> None:
    """Write the workbook: ``À savoir``, then the vintage's year, the two before and the one after.

    Département totals of the vintage's year are the sums of the communes' legal populations; other years
    grow by 0.4 % a year. Mayotte is there from 2014 on, as in the true file.

    Args:
        path: the file to write.
        territory: whose communes are summed.
        delivery: its vintage, a sheet that must be there.
        seed: seed of the départements' age structure.
    """
    table, tilt = _structure(territory, delivery.vintage, seed)
    write_workbook(path, _sheets(table, tilt, delivery.vintage))


def estimated_counts(territory: Territory, delivery: Delivery, seed: int) -> pd.DataFrame:
    """The groups of the sheet of the vintage.

    Args:
        territory: whose communes are summed.
        delivery: of the workbook.
        seed: as for the workbook.

    Returns:
        ``departement_code``, ``sex`` (M, F), ``band`` (of five years, from 0), ``population``.
    """
    table, tilt = _structure(territory, delivery.vintage, seed)
    counts = _counts(table["population"].to_numpy(), tilt)[:, 1:, : len(BANDS)]
    codes, sexes, bands = np.meshgrid(table["departement_code"], ["M", "F"], range(len(BANDS)), indexing="ij")
    return pd.DataFrame(
        {
            "departement_code": codes.ravel(),
            "sex": sexes.ravel(),
            "band": bands.ravel().astype("int64"),
            "population": counts.ravel(),
        }
    )


def _structure(territory: Territory, vintage: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Population of each département, and how much older it is than a département of middle age."""
    table = departement_populations(territory)
    generator = np.random.default_rng([seed, vintage, 2])
    overseas = table["departement_code"].str.startswith("97").to_numpy(dtype=float)
    return table, generator.normal(0.0, 0.10, len(table)) - 0.35 * overseas


def _sheets(table: pd.DataFrame, tilt: np.ndarray, vintage: int) -> Iterator[Sheet]:
    yield "À savoir", _notes(vintage)
    for year in range(vintage + 1, vintage - 3, -1):
        there = table["departement_code"].ne(MAYOTTE) | (year >= _FIRST_YEAR_OF_MAYOTTE)
        total = np.rint(table["population"] * (1 + _GROWTH) ** (year - vintage)).astype("int64")
        counts = _counts(total.to_numpy(), tilt)
        yield str(year), _year_rows(table[there], counts[there.to_numpy()], year)


def _counts(total: np.ndarray, tilt: np.ndarray) -> np.ndarray:
    """Inhabitants by département, sex (T, M, F) and band (20, then the total): (d, 3, 21) integers."""
    age = np.linspace(-1, 1, len(BANDS))
    weight = _PYRAMID * np.exp(tilt[:, None] * 2 * age)
    exact = total[:, None] * weight / weight.sum(axis=1, keepdims=True)
    everyone = np.floor(exact).astype("int64")
    # What rounding leaves goes to the bands with the largest remainders.
    order = np.argsort(-(exact - everyone), axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")
    everyone += rank < (total - everyone.sum(axis=1))[:, None]
    men = np.rint(everyone * _MEN).astype("int64")
    blocks = np.stack([everyone, men, everyone - men], axis=1)
    return np.concatenate([blocks, blocks.sum(axis=2, keepdims=True)], axis=2)


def _year_rows(table: pd.DataFrame, counts: np.ndarray, year: int) -> Iterator[list[Cell]]:
    width = len(BANDS) + 1
    yield ["Estimation de population au 1er janvier, par département, sexe et âge quinquennal"]
    yield [f"Année {year}"]
    yield []
    yield ["Départements", None, *(cell for sex in SEXES for cell in (sex, *[None] * (width - 1)))]
    yield [None, None, *([*BANDS, "Total"] * len(SEXES))]
    flat = counts.reshape(len(counts), -1)
    overseas = table["departement_code"].str.startswith("97").to_numpy()
    names = table[["departement_code", "departement_name"]].to_numpy(dtype=object)
    for (code, name), row in zip(names[~overseas], flat[~overseas], strict=True):
        yield [code, name, *row.tolist()]
    yield ["France métropolitaine ", None, *flat[~overseas].sum(axis=0).tolist()]
    for (code, name), row in zip(names[overseas], flat[overseas], strict=True):
        yield [int(code), name, *row.tolist()]  # numbers, as in the true file
    yield ["DOM", None, *flat[overseas].sum(axis=0).tolist()]
    yield ["France métropolitaine et DOM", None, *flat.sum(axis=0).tolist()]
    yield []
    yield ["Source : données de démonstration, inventées (mise en forme : Insee, Estimations de population)"]


def _notes(vintage: int) -> Iterator[list[Cell]]:
    yield ["Quelques remarques"]
    yield []
    yield ["Estimation de population au 1er janvier, par département, sexe et âge quinquennal"]
    yield ["Données de démonstration, inventées : ce classeur n'est pas de l'Insee"]
    yield []
    yield [f"Les totaux de {vintage} par département sont les sommes des populations des communes."]
    yield ["L'âge s'entend comme l'âge atteint au 1er janvier de l'année."]
