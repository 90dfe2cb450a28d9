"""The demonstration's census individuals: INSEE's layout, the estimated population, plausible lives."""

from pathlib import Path

import pandas as pd
import pytest

from asco_dagster.demonstration.age_sex_file import estimated_counts
from asco_dagster.demonstration.census_file import WEIGHT, write_census
from asco_dagster.demonstration.frame import invented_territory
from asco_dagster.sources.census_individuals import tabulate_individuals
from asco_dagster.waves import load_wave

pytestmark = pytest.mark.slow

WAVE = load_wave("2014")
SEED = 7


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    folder = tmp_path_factory.mktemp("census")
    territory = invented_territory(WAVE, SEED)
    (delivery,), (estimates,) = WAVE.sources.census_individuals, WAVE.sources.population_age_sex
    paths = [folder / name for name in ("one.parquet", "again.parquet")]
    for path in paths:
        write_census(path, territory=territory, delivery=delivery, estimates=estimates, seed=SEED)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    return paths[0], estimated_counts(territory, estimates, SEED)


def test_it_has_the_layout_and_fits(written: tuple[Path, pd.DataFrame]) -> None:
    rows = pd.read_parquet(written[0])
    assert list(rows.columns) == [
        *(
            "CANTVILLE",
            "NUMMI",
            "AGED",
            "AGEREV",
            "AGEREVQ",
            "DEPT",
            "IPONDI",
            "LPRM",
            "MOCO",
            "NPERR",
            "SEXE",
        )
    ]
    assert 200_000 < len(rows) < 400_000
    assert written[0].stat().st_size < 8 * 1024 * 1024
    assert rows["IPONDI"].between(0, WEIGHT, inclusive="right").all()
    assert set(rows.loc[rows["MOCO"] == "32", "NPERR"]) == {"1"}
    assert "976" not in set(rows["DEPT"])


def test_its_weights_make_the_estimated_population_of_each_group(written: tuple[Path, pd.DataFrame]) -> None:
    path, counts = written
    found = tabulate_individuals(path, vintage=2014)
    by_group = found.groupby(["departement_code", "sex", "age_band"])["population"].sum()
    bands = [f"{5 * band:02d}_{5 * band + 4:02d}" if band < 19 else "95_plus" for band in counts["band"]]
    expected = counts.assign(age_band=bands)
    expected = expected[expected["departement_code"].ne("976") & expected["population"].gt(0)]
    wanted = expected.set_index(["departement_code", "sex", "age_band"])["population"].astype(float)
    pd.testing.assert_series_equal(
        by_group.sort_index(), wanted.sort_index(), check_names=False, rtol=1e-9, check_index_type=False
    )


def test_people_live_as_they_do_in_france(written: tuple[Path, pd.DataFrame]) -> None:
    found = tabulate_individuals(written[0], vintage=2014)
    of = found.groupby("living")["population"].sum()
    old = found[found["age_band"].isin(["75_79", "80_84", "85_89", "90_94", "95_plus"])]
    alone = old.loc[old["living"] == "alone", "population"].sum() / old["population"].sum()
    families = of["single_parent"] + of["couple_with_children"] / 2
    assert 0.10 < of["alone"] / of.sum() < 0.20
    assert 0.30 < alone < 0.50
    assert 0.15 < of["single_parent"] / families < 0.35
