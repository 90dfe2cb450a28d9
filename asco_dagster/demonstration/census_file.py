"""INSEE's census file of individuals, invented, in its layout: Parquet, one row per person with a weight.

Each group of département, sex and five-year age has the inhabitants of the population estimates, spread over
some dozens of records with one weight each, so that the file is a hundredth of the true one. How people of an
age live (``MOCO``) follows round figures of France today. Records are of separate households: ``NUMMI`` links
no two of them. Mayotte is not in it, as in the true file. Source of the layout: see
``sources/census_individuals``.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from asco_dagster.demonstration.age_sex_file import BANDS, estimated_counts
from asco_dagster.demonstration.frame import MAYOTTE, Territory
from asco_dagster.sources.readers.insee_age_sex import read_population_by_age_and_sex
from asco_dagster.waves.wave import Delivery

WEIGHT = 250.0
"""Inhabitants that a record stands for, at most; in the true file it is from one to five."""

_MOCO = ("11", "12", "21", "22", "23", "31", "32", "40")
# How many of a hundred people of each band of age live as each code of MOCO says.
_LIVING = np.array(
    [
        *([80, 18, 0, 0, 0, 2, 0, 0], [78, 20, 0, 0, 0, 2, 0, 0], [75, 22, 0, 0, 0, 2, 0, 1]),
        *([66, 25, 1, 0, 0, 3, 3, 2], [36, 14, 13, 5, 2, 10, 16, 4], [13, 6, 28, 22, 3, 9, 17, 2]),
        *([5, 3, 20, 47, 6, 5, 13, 1], [3, 2, 12, 60, 9, 3, 10, 1], [2, 2, 11, 61, 10, 3, 10, 1]),
        *([2, 2, 15, 55, 10, 3, 12, 1], [1, 1, 27, 42, 8, 4, 16, 1], [1, 1, 45, 25, 5, 4, 18, 1]),
        *([0, 1, 57, 13, 3, 4, 21, 1], [0, 0, 62, 7, 2, 4, 24, 1], [0, 0, 61, 5, 2, 4, 27, 1]),
        *([0, 0, 56, 4, 2, 5, 31, 2], [0, 0, 45, 3, 2, 6, 39, 5], [0, 0, 31, 2, 2, 7, 46, 12]),
        *([0, 0, 16, 1, 2, 8, 48, 25], [0, 0, 7, 0, 2, 10, 40, 41]),
    ],
    dtype=float,
)
_WOMEN = np.array([1, 1, 1, 1, 1.7, 1, 1.2, 1])
_MEN = np.array([1, 1, 1, 1, 0.3, 1, 0.8, 1])
_PERSONS = {"11": 4, "12": 3, "21": 2, "22": 4, "23": 3, "31": 2, "32": 1, "40": 0}
_OLDEST = 99


def write_census(
    path: Path,
    territory: Territory,
    delivery: Delivery,
    estimates: Delivery,
    seed: int,
    real: Path | None = None,
) -> None:
    """Write the file.

    Args:
        path: the file to write.
        territory: whose communes make the population of a département.
        delivery: its vintage goes into the seed.
        estimates: the population estimates of the wave, whose groups it agrees with.
        seed: seed of the ages and households.
        real: folder of the publishers' files; without the population estimates in it, the invented ones.
    """
    groups = age_groups(territory, estimates, seed, real)
    groups = groups[groups["departement_code"].ne(MAYOTTE) & groups["population"].gt(0)]
    generator = np.random.default_rng([seed, delivery.vintage, 7])
    _records(groups, generator).to_parquet(path, compression="zstd", index=False)


def age_groups(territory: Territory, estimates: Delivery, seed: int, real: Path | None) -> pd.DataFrame:
    """Inhabitants by département, sex (M, F) and band (of five years, from 0), in ``population``.

    Args:
        territory: whose communes make the population of a département.
        estimates: the population estimates of the wave.
        seed: seed of the invented ones.
        real: folder of the publishers' files; without the population estimates in it, the invented ones.
    """
    if real is None or not (real / estimates.address).is_file():
        return estimated_counts(territory, estimates, seed)
    return _of_workbook(real / estimates.address, estimates.vintage)


def _of_workbook(path: Path, year: int) -> pd.DataFrame:
    """Inhabitants by département, sex (``M``, ``F``) and band (from 0) of INSEE's workbook."""
    read = read_population_by_age_and_sex(path, year=year)
    read = read[read["row_kind"].eq("departement") & read["sex"].ne("T") & read["age_band"].isin(BANDS)]
    return pd.DataFrame(
        {
            "departement_code": read["departement_code"].astype(str),
            "sex": read["sex"].astype(str),
            "band": [BANDS.index(band) for band in read["age_band"]],
            "population": read["population"].astype("int64"),
        }
    )


def _records(groups: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    """The individuals of all groups, in the order of départements."""
    groups = groups.sort_values(["departement_code", "sex", "band"]).reset_index(drop=True)
    counts = np.maximum(np.ceil(groups["population"] / WEIGHT).astype("int64"), 12).to_numpy()
    of_group = np.repeat(np.arange(len(groups)), counts)
    band = groups["band"].to_numpy()[of_group]
    departement = groups["departement_code"].to_numpy(dtype=object)[of_group]
    of_band, of_sex = groups["band"].tolist(), groups["sex"].tolist()
    living = np.concatenate([_spread(*group) for group in zip(of_band, of_sex, counts.tolist(), strict=True)])
    age = np.minimum(5 * band + generator.integers(0, 5, len(band)), _OLDEST)
    household = 1 + np.arange(len(band)) - np.searchsorted(of_group, of_group)
    persons = pd.Series(living).map(_PERSONS).to_numpy()
    reference = np.isin(living, ("23", "32")) | (generator.random(len(living)) < 0.5) & np.isin(
        living, ("21", "22")
    )
    return pd.DataFrame(
        {
            "CANTVILLE": departement + np.where(generator.random(len(band)) < 0.5, "01", "02"),
            "NUMMI": household.astype(str),
            "AGED": _three(age),
            "AGEREV": _three(age),
            "AGEREVQ": _three(5 * band),
            "DEPT": departement,
            "IPONDI": (groups["population"] / counts).to_numpy()[of_group],
            "LPRM": np.where(living == "40", "Z", np.where(reference, "1", "2")),
            "MOCO": living,
            "NPERR": np.where(persons == 0, "Z", persons.astype(str)),
            "SEXE": np.where(groups["sex"].to_numpy()[of_group] == "M", "1", "2"),
        }
    )


def _spread(band: int, sex: str, records: int) -> np.ndarray:
    """Codes of MOCO of a group's records, as near to the shares of their age as whole records allow."""
    share = _LIVING[band] * (_WOMEN if sex == "F" else _MEN)
    exact = records * share / share.sum()
    whole = np.floor(exact).astype("int64")
    rest = np.argsort(whole - exact, kind="stable")[: records - whole.sum()]
    whole[rest] += 1
    return np.repeat(np.array(_MOCO, dtype=object), whole)


def _three(numbers: np.ndarray) -> list[str]:
    return [f"{number:03d}" for number in numbers]
