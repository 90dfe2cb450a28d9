"""What became of the communes: each kind of movement on a hand-made territory, its counts, the evolution."""

from pathlib import Path

import pandas as pd
import pytest

from asco_dagster.orchestration.dbt_run import build
from asco_dagster.publication.evolution import counted, with_movements
from asco_dagster.storage.places import Places
from asco_dagster.storage.warehouse import open_database, read_table, write_table
from asco_dagster.waves import load_wave

pytestmark = pytest.mark.slow

WAVE = load_wave("2025")
# Former code, code of today, movement. 44 and 49 lie in one région, 02 and 51 in two; 976 was not listed.
MOVEMENTS = [
    ("44001", "44001", "unchanged"),
    ("44002", "44099", "recoded"),
    ("49010", "49010", "merged"),
    ("49011", "49010", "merged"),
    ("49144", "44180", "merged"),
    ("44180", "44180", "merged"),
    ("02344", "51171", "merged"),
    ("51171", "51171", "merged"),
    ("51200", "51201", "split"),
    ("51200", "51202", "split"),
    ("02500", None, "unmapped"),
]
SPLIT_OFF, NOT_LISTED = "44500", "97601"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    places = Places(tmp_path_factory.mktemp("movements"))
    today = sorted({code for _, code, _ in MOVEMENTS if code} | {SPLIT_OFF, NOT_LISTED})
    regions = {"44": "52", "49": "52", "02": "32", "51": "44", "97": "06"}
    communes = pd.DataFrame({"commune_code": today})
    communes["departement_code"] = [code[:3] if code.startswith("97") else code[:2] for code in today]
    communes["region_code"] = communes["commune_code"].str[:2].map(regions)
    departements = pd.DataFrame(regions.items(), columns=["departement_code", "region_code"])
    passage = [(former, code) for former, code, _ in MOVEMENTS if code]
    names = ["stg_territory__movements", "est_territory__movements", "sec_territory__movements"]
    with open_database(places.database("2025")) as database:
        write_table(database, "stg_territory__communes", communes)
        write_table(database, "stg_territory__departements", departements)
        former = sorted({former for former, _, _ in MOVEMENTS})
        write_table(database, "stg_territory__former_communes", pd.DataFrame({"commune_code": former}))
        write_table(
            database,
            "raw_insee__commune_passage",
            pd.DataFrame(passage, columns=["former_code", "commune_code"]),
        )
    results = build(names, wave=WAVE, places=places)
    assert not [result for result in results if result.status in ("error", "fail")]
    with open_database(places.database("2025"), read_only=True) as database:
        return {name: read_table(database, name) for name in names}


def test_each_commune_has_its_movement(tables: dict[str, pd.DataFrame]) -> None:
    found = tables["stg_territory__movements"]
    rows = found[["former_code", "commune_code", "movement"]].astype(object)
    told = {tuple(None if pd.isna(cell) else cell for cell in row) for row in rows.to_numpy()}
    assert told == {*MOVEMENTS, (None, SPLIT_OFF, "split_off")}


def test_what_the_former_list_leaves_out_is_no_movement(tables: dict[str, pd.DataFrame]) -> None:
    assert NOT_LISTED not in tables["stg_territory__movements"]["commune_code"].to_list()


def area(tables: dict[str, pd.DataFrame], geography: str, code: str) -> dict[str, int]:
    rows = tables["sec_territory__movements"].set_index(["geography", "area_code"])
    return {str(name): int(value) for name, value in rows.loc[(geography, code)].items()}


def test_areas_count_their_communes_then_and_now(tables: dict[str, pd.DataFrame]) -> None:
    france = area(tables, "france", "FR")
    assert france["former_communes"] == 10
    assert (france["unchanged"], france["recoded"], france["merged"], france["split"]) == (1, 1, 6, 1)
    assert (france["moved_in"], france["moved_out"], france["split_off"]) == (0, 0, 1)
    assert france["communes"] == 8
    loire = area(tables, "departement", "44")
    assert (loire["former_communes"], loire["communes"], loire["moved_in"], loire["moved_out"]) == (
        3,
        4,
        1,
        0,
    )
    assert area(tables, "departement", "49")["moved_out"] == 1
    assert area(tables, "region", "52")["moved_in"] == area(tables, "region", "52")["moved_out"] == 0
    assert area(tables, "region", "44")["moved_in"] == 1
    assert area(tables, "region", "32")["moved_out"] == 1


def test_the_evolution_says_where_the_territory_is_not_the_same(tables: dict[str, pd.DataFrame]) -> None:
    rows = pd.DataFrame(
        {
            "geography": ["france", "departement", "departement", "departement"],
            "area_code": ["FR", "44", "51", "976"],
        }
    )
    found = with_movements(rows, tables["sec_territory__movements"])
    assert found["same_territory"].tolist()[:3] == [1, 0, 0]
    assert pd.isna(found["same_territory"][3])
    assert found["merged"].tolist()[:3] == [6, 1, 1]
    told = counted(tables["sec_territory__movements"])
    areas = [(row["geography"], row["area_code"]) for row in told]
    assert ("departement", "49") in areas
    assert ("region", "52") not in areas


def test_a_wave_without_passage_says_so(tables: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    none = tables["sec_territory__movements"].iloc[:0]
    rows = with_movements(pd.DataFrame({"geography": ["france"], "area_code": ["FR"]}), none)
    assert rows["same_territory"].isna().all()
    assert counted(none) == []
