"""The demonstration at full size and the real territory: nothing is recovered, and the attack could have.

How long it takes is measured by ``make bench-disclosure``, never asserted here.
"""

from pathlib import Path
from types import SimpleNamespace

import duckdb
import pandas as pd
import pytest

import asco_dagster.confidentiality.assets as assets
from asco_dagster.methods.disclosure.attack import Attack, attack
from asco_dagster.methods.disclosure.links import linked
from asco_dagster.methods.disclosure.primary import primary
from asco_dagster.methods.disclosure.protect import protect, released
from asco_dagster.methods.disclosure.rules import KEYS
from asco_dagster.releases.disclosure import areas_of, links_of, rules_of, share_steps
from asco_dagster.releases.verify import examine
from asco_dagster.waves import load_wave

pytestmark = pytest.mark.long


@pytest.fixture(
    params=[
        "demonstration",
        pytest.param("real territory", marks=pytest.mark.xdist_group("disclosure_real")),
    ]
)
def home(request: pytest.FixtureRequest) -> Path:
    """A home where wave 2014 ran to a release."""
    if request.param == "demonstration":
        return request.getfixturevalue("released")[0]
    return request.getfixturevalue("released_real")


def _wave_of(home: Path) -> SimpleNamespace:
    database = duckdb.connect(str(home / "waves" / "2014" / "asco.duckdb"), read_only=True)
    return SimpleNamespace(wave=load_wave("2014"), database=database)


def test_all_tables_of_a_wave_hold_and_primary_suppression_alone_does_not(home: Path) -> None:
    step = _wave_of(home)
    rules, areas, links = rules_of(step.wave), areas_of(step.database, step.wave), links_of(step.wave)
    kept = step.database.sql("select * from confidentiality.sec_asco__cells").df()
    judged = primary(assets._composition(step, areas), rules)
    done = protect(judged, areas, rules, links=links, steps=share_steps(step.wave)).cells
    same = kept.merge(done, on=list(KEYS), suffixes=("", "_again"), validate="one_to_one")
    assert len(same) == len(done) == len(kept)
    assert (same["status"] == same["status_again"]).all()

    def attacked(cells: pd.DataFrame) -> Attack:
        measured = cells.merge(kept[[*KEYS, "estimate"]], on=list(KEYS), validate="one_to_one")
        rounding = share_steps(step.wave)
        return attack(released(measured), areas, rules, links=links, rounding=rounding, truth=measured)

    found = attacked(done)
    print(len(done), done["status"].value_counts().to_dict(), found.summary())
    found.require_safe()
    assert found.summary()["answers"] == 0
    broken = attacked(judged)
    assert broken.summary()["exact"] > 200
    assert set(broken.breaches()["unit_type"]) == {"commune", "epci"}


def test_figures_of_france_are_open(home: Path) -> None:
    cells = _wave_of(home).database.sql("select * from confidentiality.sec_asco__cells").df()
    shares = cells[(cells["geography"] == "france") & (cells["statistic"] == "share")]
    of_epci_by_size = (shares["unit_type"] == "epci") & (shares["size_class"] != "total")
    wanted = shares[~of_epci_by_size]
    assert wanted["status"].eq("V").all(), wanted.loc[wanted["status"] != "V", list(KEYS)].to_string()
    assert shares.loc[of_epci_by_size, "status"].eq("V").mean() >= 0.98


@pytest.mark.parametrize("home", ["demonstration"], indirect=True)
def test_shares_of_the_demonstration_are_open(home: Path) -> None:
    cells = pd.read_parquet(home / "releases" / "2014" / "latest" / "tables" / "asco_cells.parquet")
    shares = cells[(cells["statistic"] == "share") & (cells["unit_type"] == "commune")]
    by_size = shares["size_class"].ne("total").map({True: " × size", False: ""})
    opened = shares["status"].eq("V").groupby(shares["geography"] + by_size).mean()
    print(opened.to_dict())
    assert opened["france"] == 1
    assert opened["france × size"] == 1
    assert opened["departement"] >= 0.99
    assert opened["region × size"] >= 0.9
    epci = cells[(cells["statistic"] == "share") & (cells["unit_type"] == "epci")]
    assert epci.loc[epci["geography"] == "departement", "status"].eq("V").mean() >= 0.89


def test_every_table_of_the_folder_is_attacked_from_the_folder_alone(home: Path) -> None:
    release = (home / "releases" / "2014" / "latest").resolve()
    found = examine(release)
    assert found.faults == []
    assert found.figures["answers"] == 0
    cells, links = pd.read_parquet(release / "tables" / "asco_cells.parquet"), links_of(load_wave("2014"))
    assert found.figures["systems"] == sum(
        len(linked(sorted(set(rows["indicator"])), [] if statistic == "total" else links[str(unit_type)]))
        for (unit_type, statistic), rows in cells.groupby(["unit_type", "statistic"])
    )
    assert found.figures["suppressed"] == (cells["status"] != "V").sum() > 500


def test_a_folder_with_primary_suppression_alone_is_refused(home: Path) -> None:
    step = _wave_of(home)
    cells = step.database.sql("select * from confidentiality.sec_asco__cells").df()
    public = released(cells.assign(status=cells["status"].where(cells["status"] != "D", "V")))
    found = attack(
        public,
        areas_of(step.database, step.wave),
        rules_of(step.wave),
        links=links_of(step.wave),
        rounding=share_steps(step.wave),
    )
    assert found.summary()["exact"] > 200
