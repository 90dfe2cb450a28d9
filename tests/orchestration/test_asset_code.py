"""A change of code makes those assets out of date that are made by it, and no other."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from asco_dagster.installation import CHECKOUT
from asco_dagster.orchestration.asset_code import dbt_code_hash, module_hash
from asco_dagster.orchestration.dbt_manifest import read_manifest
from asco_dagster.storage.places import Places

pytestmark = pytest.mark.slow

HASHES = """
import json
from asco_dagster.orchestration.asset_code import python_code_hash
made_by = {
    "raw_asco__answers": "asco_dagster.sources.returns.assets",
    "est_asco__weights": "asco_dagster.estimation.weights",
    "est_asco__estimates": "asco_dagster.estimation.estimates",
    "sec_asco__cells": "asco_dagster.confidentiality.assets",
    "pub_asco__release": "asco_dagster.publication.assets",
}
print(json.dumps({asset: python_code_hash(asset, module) for asset, module in made_by.items()}))
"""
CHANGES = {
    "asco_dagster/cli/status.py": set(),
    "asco_dagster/operations/monitoring/notices.py": set(),
    "asco_dagster/demonstration/answers.py": set(),
    # their values are part of every fingerprint of the wave
    "asco_dagster/waves/2014.yaml": set(),
    "asco_dagster/questionnaires/2014/commune.yaml": set(),
    "asco_dagster/methods/calibration.py": {"est_asco__weights", "est_asco__estimates"},
    "asco_dagster/methods/disclosure/masks.py": {"sec_asco__cells"},
    "asco_dagster/releases/shapes/departements.json": {"pub_asco__release"},
    "expectations/estimation/est_asco__estimates.json": {"est_asco__estimates"},
    "asco_dagster/sources/returns/refusals.yaml": {"raw_asco__answers"},
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout that may be edited."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("asco_dagster", "expectations", "dbt_project"):
        shutil.copytree(
            CHECKOUT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "target")
        )
    return folder


def hashes(checkout: Path) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", HASHES], cwd=checkout, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_a_change_reaches_the_assets_that_are_made_by_it(checkout: Path) -> None:
    before = hashes(checkout)
    for name, expected in CHANGES.items():
        path = checkout / name
        content = path.read_bytes()
        path.write_bytes(content + b"\n")
        after = hashes(checkout)
        path.write_bytes(content)
        assert {asset for asset in before if before[asset] != after[asset]} == expected, name
    assert hashes(checkout) == before


def test_a_function_outside_the_package_depends_on_all_of_it() -> None:
    assert module_hash(__name__) not in (
        module_hash("asco_dagster.cli.main"),
        module_hash("asco_dagster.layers"),
    )


def test_a_model_depends_on_its_own_sql_columns_tests_and_macros(tmp_path: Path) -> None:
    manifest = read_manifest(Places(tmp_path))
    model = manifest["nodes"]["model.asco.stg_asco__answers"]
    before = dbt_code_hash(manifest, model, "asco_dagster.orchestration.dbt_layer")

    def changed(unique_id: str, **content: object) -> bool:
        nodes = manifest["nodes"] | {unique_id: manifest["nodes"][unique_id] | content}
        return before != dbt_code_hash(
            manifest | {"nodes": nodes},
            nodes["model.asco.stg_asco__answers"],
            "asco_dagster.orchestration.dbt_layer",
        )

    test = next(k for k, n in manifest["nodes"].items() if n.get("attached_node") == model["unique_id"])
    assert changed(model["unique_id"], raw_code="select 1")
    assert changed(model["unique_id"], columns={})
    assert changed(test, test_metadata={})
    assert not changed(model["unique_id"], created_at=0.0)
    assert not changed("model.asco.stg_territory__communes", raw_code="select 1")
