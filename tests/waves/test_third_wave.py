"""A third wave is a folder: a wave file and a version of the questionnaire, and not a line of code.

Against wave 2025, wave 2028 drops a question and its indicator, adds one of each, renames a choice, and takes
a later geography.
"""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pandas as pd
import pytest
import yaml

from asco_dagster.questionnaires.ddi import NAMESPACE
from asco_dagster.waves.wave import SHIPPED_QUESTIONNAIRES
from asco_testing.worlds.small_france import write_waves

pytestmark = pytest.mark.slow

WAVE, MODEL = "2028", "2025"
PROTECTED = ("competence", "digital", "ccas_shared")
DROPPED, ADDED = "PART_PENSION_FUND", "ORG_DIGITAL"
LABEL = {"fr": "Accompagne les démarches en ligne", "en": "Helps with online procedures"}
SOURCES = {
    "epci_members": [{"address": "dgcl-epci-membres-2027.xlsx", "vintage": 2027}],
    "legal_populations": [{"address": "insee-populations-legales-2024.csv", "vintage": 2024}],
    "population_age_sex": [{"address": "insee-estim-pop-dep-sexe-aq-1975-2026.xlsx", "vintage": 2025}],
    "sample": [{"address": "asco-sample-2028.csv", "vintage": 2028}],
    "commune_returns": [{"address": "asco-returns-communes-2028.csv", "vintage": 2028}],
    "epci_returns": [{"address": "asco-returns-epci-2028.csv", "vintage": 2028}],
}


def write_folder(folder: Path) -> Path:
    """The folder of the third wave: that of the small world with its other waves taken out."""
    write_waves(folder)
    wave = read(folder / f"{MODEL}.yaml")
    wave |= {"wave": WAVE, "reference_year": 2027, "questionnaire": WAVE}
    wave["collection"] = {"start": "2028-09-01", "end": "2029-01-31"}
    wave["sources"] |= SOURCES
    wave["sampling"]["seed"] = int(WAVE)
    for path in folder.iterdir():
        path.unlink()
    write(folder / f"{WAVE}.yaml", wave)
    version = folder / "questionnaires" / WAVE
    version.mkdir(parents=True)
    write(version / "commune.yaml", communes_questions())
    write(version / "epci.yaml", {"based_on": "2014", "version": "2028.1"})
    write(version / "indicators.yaml", {"based_on": "2014", "commune": indicators()})
    return folder


def read(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def write(path: Path, content: dict) -> None:
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")


def communes_questions() -> dict:
    content = read(SHIPPED_QUESTIONNAIRES / "2014" / "commune.yaml") | {"version": "2028.1"}
    for module in content["modules"]:
        module["questions"] = [one for one in module["questions"] if one["code"] != DROPPED]
        for question in module["questions"]:
            if question["code"] == "ORG_CCAS_ROLE":
                (shared,) = (choice for choice in question["choices"] if choice["code"] == "shared")
                shared["code"] = "joint"
    content["modules"][0]["questions"].append({"code": ADDED, "type": "boolean", "label": LABEL})
    return content


def indicators() -> list[dict]:
    found = read(SHIPPED_QUESTIONNAIRES / "2014" / "indicators.yaml")["commune"]
    kept = [one for one in found if one.get("questions") != [DROPPED]]
    for one in kept:
        if one.get("choice") == "shared":
            one["choice"] = "joint"
    new = {"code": "digital", "kind": "binary", "rule": "value", "questions": [ADDED], "label": LABEL}
    return [*kept, new]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> Iterator[Path]:
    """The home in which the third wave was released."""
    root = tmp_path_factory.mktemp("third")
    waves = write_folder(root / "waves")
    assert {path.suffix for path in waves.rglob("*") if path.is_file()} == {".yaml"}
    done = subprocess.run(
        [sys.executable, "-m", "asco_testing.worlds.small_france_run", WAVE, *PROTECTED],
        env={**os.environ, "ASCO_HOME": str(root / "home"), "ASCO_WAVES": str(waves)},
        cwd=checkout,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout
    yield root / "home"


@pytest.fixture(scope="module")
def release(home: Path) -> Path:
    return home / "releases" / WAVE / "1.0.0"


def test_the_release_has_the_indicators_of_its_questionnaire(release: Path) -> None:
    cells = pd.read_parquet(release / "tables" / "asco_cells.parquet")
    national = cells[(cells["geography"] == "france") & (cells["size_class"] == "total")]
    shares = national[(national["unit_type"] == "commune") & (national["statistic"] == "share")]
    estimates = shares.set_index("indicator")["estimate"]
    assert 0 < estimates["digital"] < 1
    # the three choices are drawn alike, since the demonstration does not know the renamed one
    assert estimates["ccas_shared"] == pytest.approx(1 / 3, abs=0.1)
    labels = pd.read_parquet(release / "tables" / "indicators.parquet").set_index(["unit_type", "indicator"])
    assert labels.loc[("commune", "digital"), "label_fr"] == LABEL["fr"]
    assert ("commune", "partner_pension_fund") not in labels.index
    assert ("epci", "partner_pension_fund") in labels.index


def test_the_release_describes_its_questionnaire(release: Path) -> None:
    spaces = {"d": NAMESPACE}
    root = ET.parse(release / "ddi" / f"commune_{WAVE}.xml").getroot()  # noqa: S314
    variables = {one.get("name"): one for one in root.findall("d:dataDscr/d:var", spaces)}
    assert ADDED in variables
    assert DROPPED not in variables
    values = [value.text for value in variables["ORG_CCAS_ROLE"].findall("d:catgry/d:catValu", spaces)]
    assert values == ["all", "joint", "none"]
    assert (release / "ddi" / f"epci_{WAVE}.xml").is_file()


def test_the_answers_follow_its_questionnaire(home: Path) -> None:
    with duckdb.connect(str(home / "waves" / WAVE / "asco.duckdb"), read_only=True) as database:
        answers = database.sql(
            "select question, value from staging.stg_asco__answers where unit_type = 'commune'"
        ).df()
    assert ADDED in set(answers["question"])
    assert DROPPED not in set(answers["question"])
    roles = answers.loc[answers["question"] == "ORG_CCAS_ROLE", "value"].dropna()
    assert set(roles) == {"all", "joint", "none"}


def test_the_release_names_the_files_of_its_geography(release: Path) -> None:
    manifest = (release / "manifest.json").read_text(encoding="utf-8")
    assert json.loads(manifest)["wave"] == WAVE
    assert SOURCES["epci_members"][0]["address"] in manifest
    assert SOURCES["legal_populations"][0]["address"] in manifest
