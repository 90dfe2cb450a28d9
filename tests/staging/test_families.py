"""Families with children, counted from the census individuals: a couple once, a single parent once."""

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
MODEL = "stg_census__families"
GROUPS = [
    ("01", "M", "40_44", "couple_with_children", 3000.0),
    ("01", "F", "40_44", "couple_with_children", 3200.0),
    ("01", "F", "40_44", "single_parent", 900.5),
    ("01", "M", "05_09", "child_of_couple", 5000.0),
    ("01", "F", "75_79", "alone", 700.0),
    ("2A", "M", "75_79", "alone", 1.0),
]


def modelled(folder: Path, individuals: pd.DataFrame) -> pd.DataFrame:
    places = Places(folder)
    with open_database(places.database(WAVE.wave)) as database:
        write_table(database, "raw_insee__census_individuals", individuals)
    (result,) = build([MODEL], wave=WAVE, places=places)
    assert result.status == "success", result.message
    with open_database(places.database(WAVE.wave), read_only=True) as database:
        return read_table(database, MODEL)


def test_a_couple_is_one_family_and_a_single_parent_one(tmp_path: Path) -> None:
    names = ["departement_code", "sex", "age_band", "living", "population"]
    found = modelled(tmp_path, pd.DataFrame(GROUPS, columns=names).assign(year=2014))
    found = found.set_index("departement_code")
    one = found.loc["01"]
    assert (one["couples_with_children"], one["single_parent_families"]) == (3100.0, 900.5)
    assert one["families_with_children"] == 4000.5
    assert one["share_single_parent"] == 900.5 / 4000.5
    assert one["census_year"] == 2014
    assert found.loc["2A", "families_with_children"] == 0
    assert pd.isna(found.loc["2A", "share_single_parent"])
    assert validate(load_suite(MODEL), found.reset_index(), WAVE).closed  # no département is without a family


def test_a_wave_without_the_file_has_an_empty_table(tmp_path: Path) -> None:
    found = modelled(tmp_path, no_individuals())
    assert found.empty
    assert not validate(load_suite(MODEL), found, WAVE).closed
