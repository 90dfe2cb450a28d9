"""The profile of a département takes from the census who lives alone and which families have children."""

from pathlib import Path

import pandas as pd
import pytest

from asco_dagster.orchestration.dbt_run import build
from asco_dagster.storage.places import Places
from asco_dagster.storage.warehouse import open_database, read_table, write_table
from asco_dagster.waves import load_wave

pytestmark = pytest.mark.slow

WAVE = load_wave("2014")
INDIVIDUALS = [
    ("01", "M", "70_74", "alone", 900.0),
    ("01", "M", "75_79", "alone", 100.5),
    ("01", "F", "95_plus", "alone", 200.0),
    ("01", "F", "75_79", "couple_without_children", 300.0),
    ("01", "F", "90_94", "outside_household", 1.5),
    ("01", "M", "40_44", "couple_with_children", 3000.0),
    ("01", "F", "40_44", "couple_with_children", 3000.0),
    ("01", "F", "35_39", "single_parent", 1000.0),
]
TABLES = {
    "stg_census__population": [
        {"departement_code": code, "sex": "T", "age_band": "total", "population": 600000}
        for code in ("01", "976")
    ],
    "stg_territory__departements": [
        {"departement_code": code, "departement_name": name, "region_code": region, "region_name": region}
        for code, name, region in (("01", "Ain", "84"), ("976", "Mayotte", "06"))
    ],
    "est_profile__aid": [
        {
            "departement_code": "01", "domain": "elderly", "is_own": True, "beneficiaries": 10.0,
            "spending_keur": 1.0, "beneficiaries_per_concerned": 0.1, "spending_eur_per_concerned": 5.0,
            "aid_area_code": "01", "aid_year": 2014, "spending_year": 2014,
        }
    ],
    "stg_aid__departements": [
        {"departement_code": "01", "year": 2014, "indicator": "etp - total general hors AF", "value": 7.0}
    ],
    "est_asco__estimates": [
        {
            "unit_type": "commune", "indicator": "ccas", "statistic": "share", "geography": "departement",
            "area_code": "01", "size_class": "total", "estimate": 0.5,
        }
    ],
}  # fmt: skip


def test_the_profile_counts_who_lives_alone_and_families_with_children(tmp_path: Path) -> None:
    places = Places(tmp_path)
    names = ["departement_code", "sex", "age_band", "living", "population"]
    with open_database(places.database(WAVE.wave)) as database:
        individuals = pd.DataFrame(INDIVIDUALS, columns=names).assign(year=2014)
        write_table(database, "raw_insee__census_individuals", individuals)
        for name, rows in TABLES.items():
            write_table(database, name, pd.DataFrame(rows))
    models = ["stg_census__living_alone", "stg_census__families", "est_profile__departements"]
    for result in build(models, wave=WAVE, places=places):
        assert result.status == "success", result.message
    with open_database(places.database(WAVE.wave), read_only=True) as database:
        profile = read_table(database, "est_profile__departements").set_index("departement_code")
    ain = profile.loc["01"]
    assert ain["people_75_plus_alone"] == 300.5
    assert ain["share_75_plus_alone"] == pytest.approx(300.5 / 602)  # those in communities are among the 602
    assert ain["families_with_children"] == 4000
    assert ain["share_single_parent_families"] == 0.25
    assert ain["census_year"] == 2014
    census = ["people_75_plus_alone", "share_75_plus_alone", "families_with_children", "census_year"]
    assert profile.loc["976", census].isna().all()  # of which the census has no individuals
