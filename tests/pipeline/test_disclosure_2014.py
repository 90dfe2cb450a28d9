"""The demonstration at full size and the real territory: nothing is recovered, and the attack could have.

How long it takes is told by ``make bench-disclosure``, never asserted here.
"""

from pathlib import Path
from types import SimpleNamespace

import duckdb
import pandas as pd
import pytest

import asco_dagster.confidentiality.assets as assets
from asco_dagster.confidentiality.released import is_released, regions_of, rounding_steps, rules_of
from asco_dagster.methods.disclosure import attack, primary, protect, released
from asco_dagster.methods.disclosure.rules import AUXILIARY, KEYS
from asco_dagster.publication.verify import examine
from asco_dagster.questionnaires.codebook import families
from asco_dagster.waves import load_wave


@pytest.fixture(
    params=[
        "demonstration",
        pytest.param("real territory", marks=pytest.mark.xdist_group("released_real")),
    ]
)
def home(request: pytest.FixtureRequest) -> Path:
    """A home where wave 2014 ran to a release."""
    if request.param == "demonstration":
        return request.getfixturevalue("released")[0]
    return request.getfixturevalue("released_real")


def _wave_of(home: Path) -> tuple[SimpleNamespace, pd.DataFrame]:
    database = duckdb.connect(str(home / "waves" / "2014" / "asco.duckdb"), read_only=True)
    step = SimpleNamespace(wave=load_wave("2014"), database=database)
    estimates = database.sql("select * from estimation.est_asco__estimates").df()
    cells = estimates[is_released(estimates) & (estimates["respondents"] > 0)]
    made = assets._composition(step, cells)
    return step, cells.merge(made[[*KEYS, *AUXILIARY]], on=list(KEYS), validate="one_to_one")


def test_all_tables_of_a_wave_hold_and_primary_suppression_alone_does_not(home: Path) -> None:
    step, cells = _wave_of(home)
    rules, regions = rules_of(step.wave), regions_of(step.database)
    judged = {
        unit_type: primary(rows, rules, assets._magnitudes(unit_type))
        for unit_type, rows in cells.groupby("unit_type")
    }
    done = pd.concat(
        [protect(rows, regions, rules, together=families(unit_type)) for unit_type, rows in judged.items()],
        ignore_index=True,
    )
    found = attack(released(done), regions, rules, truth=done)
    print(len(done), done["status"].value_counts().to_dict(), found.summary())
    found.demand_safe()
    assert not done["reason"].str.startswith("withheld").any()
    national = done[(done["geography"] == "france") & (done["size_class"] == "total")]
    assert national["status"].eq("V").all(), national.loc[national["status"] != "V", list(KEYS)].to_string()
    kept = step.database.sql("select * from confidentiality.sec_asco__cells").df()
    same = kept.merge(done, on=list(KEYS), suffixes=("", "_again"), validate="one_to_one")
    assert len(same) == len(done)
    assert (same["status"] == same["status_again"]).all()
    bare = pd.concat(judged.values(), ignore_index=True)
    broken = attack(released(bare), regions, rules, truth=bare, steps={})
    assert broken.summary()["exact"] > 200
    assert set(broken.breaches()["unit_type"]) == {"commune", "epci"}


def test_every_table_of_the_folder_is_attacked_from_the_folder_alone(home: Path) -> None:
    release = (home / "releases" / "2014" / "latest").resolve()
    found = examine(release)
    assert found.faults == []
    assert found.figures["skipped"] == 0
    assert found.figures["tables"] > 240
    assert found.figures["suppressed"] > 5000


def test_a_folder_with_primary_suppression_alone_is_refused(home: Path) -> None:
    step, _ = _wave_of(home)
    cells = step.database.sql("select * from confidentiality.sec_asco__cells").df()
    opened = cells.assign(status=cells["status"].where(cells["status"] != "D", "V"))
    public = released(opened)
    order = opened.sort_values(list(KEYS), ignore_index=True)["denominator"].astype("Float64")
    public["denominator"] = order.mask(public["status"] != "V")
    found = attack(public, regions_of(step.database), rules_of(step.wave), steps=rounding_steps(step.wave))
    assert found.skipped == ()
    assert found.summary()["exact"] > 200
