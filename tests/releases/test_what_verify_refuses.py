"""What earlier releases published and no release may: the rule of a closed cell, populations below France."""

import itertools

import numpy as np
import pandas as pd

from asco_dagster.methods.disclosure.rules import KEYS
from asco_dagster.releases import contract
from asco_dagster.releases.contract import contract_of
from asco_dagster.releases.format import ReleaseFolder
from asco_dagster.releases.verify import _disclosed, _suppressed_in_models
from asco_testing.worlds import tiny_content
from asco_testing.worlds.true_size_respondents import table

CELLS, PROFILES = (contract_of(name).parquet for name in (contract.CELLS, contract.PROFILES))
NUMBERS = contract_of(contract.CELLS).named("measure")

RULES = {
    "recoding": [{"code": "OM", "geography": "region", "areas": ["r1", "r2"], "unit_types": ["commune"]}]
}


def first_faults(folder, cells, count):
    """The first sentences about a release of these cells."""
    for name in (CELLS, PROFILES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    cells.to_parquet(folder / CELLS)
    places = {"departement_code": ["00", "10"], "region_code": ["r0", "r1"]}
    pd.DataFrame(places).to_parquet(folder / PROFILES)
    return list(itertools.islice(_disclosed(folder, {"rules": RULES}, {}), count))


def cells_of(statistic):
    made = table(np.full((3, 3), 20.0), statistic=statistic, regions={0: [(60.0, 150, 300.0)]})
    made = made.assign(status="V", quality_flag="ok")
    return made[[*KEYS, *NUMBERS, "status", "quality_flag"]]


def test_the_rule_of_a_closed_cell_is_refused(tmp_path):
    cells = cells_of("share")
    cells.loc[[0, 1], "status"] = ["A", "D"]
    faults = first_faults(tmp_path, cells, 2)
    assert faults[0] == f"{CELLS}: status A, D shows by which rule a cell was suppressed."
    assert faults[1] == "2 suppressed cells carry a number or a quality flag."


def test_shares_of_population_below_france_are_refused(tmp_path):
    people = cells_of("population_share")
    below = (people["geography"] != "france").sum()
    assert below == 13
    assert first_faults(tmp_path, people, 1) == [f"{below} cells are of a breakdown that is not released."]


def test_areas_that_are_shown_together_are_refused_one_by_one(tmp_path):
    shares = cells_of("share")
    single = shares["area_code"].isin(["r1", "r2"]) & (shares["size_class"] != "total")
    assert first_faults(tmp_path, shares, 1) == [
        f"{single.sum()} cells are of a breakdown that is not released."
    ]


def faults_of_models(folder, models):
    """The sentences about modelled estimates beside the cells of the tiny content."""
    path = contract_of(contract.MODELLED).parquet
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    models.to_parquet(folder / path)
    return list(_suppressed_in_models(ReleaseFolder(folder, {"files": {path: {}}}), tiny_content.cells()))


def test_modelled_estimates_that_use_or_show_a_suppressed_cell_are_refused(tmp_path):
    models = tiny_content.models()
    assert faults_of_models(tmp_path, models) == []
    hidden = models["direct_estimate"].isna()
    assert hidden.sum() > 5
    path = contract_of(contract.MODELLED).parquet
    used = models.assign(method=models["method"].mask(hidden, "model"))
    assert faults_of_models(tmp_path, used) == [
        f"{path}: {hidden.sum()} estimates use answers that {CELLS} does not show."
    ]
    shown = models.assign(direct_estimate=models["direct_estimate"].mask(hidden, 0.4))
    assert faults_of_models(tmp_path, shown) == [
        f"{path}: {hidden.sum()} direct estimates are not those of {CELLS}."
    ]
