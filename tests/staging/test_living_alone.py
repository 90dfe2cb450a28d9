"""The census individuals beside INSEE's estimates: totals, shares, and the gate that compares the two."""

from pathlib import Path

import pandas as pd
import pytest

from asco_dagster.gates.suite import load_suite
from asco_dagster.orchestration.dbt_run import build
from asco_dagster.sources.census_individuals import no_individuals
from asco_dagster.storage.places import Places
from asco_dagster.storage.warehouse import open_database, read_table, write_table
from asco_dagster.waves import load_wave
from asco_testing.gates.judged_frame import validate

pytestmark = pytest.mark.slow

WAVE = load_wave("2014")
MODEL = "stg_census__living_alone"
GROUPS = [
    ("01", "M", "70_74", "alone", 10.5),
    ("01", "M", "70_74", "couple_without_children", 20.0),
    ("01", "F", "70_74", "alone", 30.0),
    ("01", "F", "95_plus", "outside_household", 4.0),
]
ESTIMATES = [
    ("M", "70_74", 30),
    ("F", "70_74", 30),
    ("F", "95_plus", 4),
    ("M", "total", 30),
    ("F", "total", 34),
]
ESTIMATES += [("T", "70_74", 60), ("T", "95_plus", 4), ("T", "total", 64)]


def modelled(folder: Path, individuals: pd.DataFrame) -> pd.DataFrame:
    places = Places(folder)
    estimates = pd.DataFrame(ESTIMATES, columns=["sex", "age_band", "population"])
    with open_database(places.database(WAVE.wave)) as database:
        write_table(database, "raw_insee__census_individuals", individuals)
        write_table(database, "stg_census__population", estimates.assign(departement_code="01"))
    (result,) = build([MODEL], wave=WAVE, places=places)
    assert result.status == "success", result.message
    with open_database(places.database(WAVE.wave), read_only=True) as database:
        return read_table(database, MODEL)


def individuals(groups: list[tuple]) -> pd.DataFrame:
    names = ["departement_code", "sex", "age_band", "living", "population"]
    return pd.DataFrame(groups, columns=names)


def test_groups_and_totals_are_compared_with_the_estimates(tmp_path: Path) -> None:
    found = modelled(tmp_path, individuals(GROUPS)).set_index(["sex", "age_band"])
    assert set(found.index) == {(sex, band) for sex, band, _ in ESTIMATES}
    total = found.loc[("T", "total")]
    assert (total["population"], total["alone"], total["outside_household"]) == (64.5, 40.5, 4.0)
    assert total["share_alone"] == 40.5 / 64.5
    assert total["relative_difference"] == pytest.approx(64.5 / 64 - 1)
    assert found.loc[("M", "70_74"), "share_alone"] == 10.5 / 30.5


@pytest.mark.parametrize(
    ("groups", "closes"),
    [
        (GROUPS, False),
        ([(*group[:4], 2 * group[4]) for group in GROUPS], True),  # two zones delivered twice
        ([(*group[:2], "05_09", *group[3:]) for group in GROUPS[:1]] + GROUPS[1:], True),  # no such estimate
    ],
)
def test_the_gate_compares_the_two(tmp_path: Path, groups: list[tuple], closes: bool) -> None:
    found = modelled(tmp_path, individuals(groups))
    assert validate(load_suite(MODEL), found, WAVE).closed == closes


def test_a_wave_without_the_file_has_an_empty_table(tmp_path: Path) -> None:
    found = modelled(tmp_path, no_individuals())
    assert found.empty
    assert not validate(load_suite(MODEL), found, WAVE).closed
