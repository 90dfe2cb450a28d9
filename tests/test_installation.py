"""The wheel holds what the code reads, and the code finds it there: without a checkout around it."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from asco_dagster.installation import CHECKOUT, DBT_PROJECT, EXPECTATIONS
from asco_dagster.settings import DECLARED

FOUND = """
from asco_dagster import installation
from asco_dagster.gates.suite import suite_assets
from asco_dagster.settings import Settings
from asco_dagster.waves import load_wave

assert not installation.IN_CHECKOUT
assert installation.WORKSPACE.is_file()
print(len(suite_assets()), len(list(installation.DBT_PROJECT.rglob("*.sql"))))
print(load_wave("2014").wave, Settings.from_environment().home)
print("duckdb==" in installation.libraries())
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the checkout, unpacked as an installer does."""
    folder = tmp_path_factory.mktemp("wheel")
    build = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(folder)], cwd=CHECKOUT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_an_installed_package_reads_what_its_wheel_carries(unpacked: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ASCO_")}
    environment |= {"PYTHONPATH": str(unpacked), "HOME": "/home/someone", "XDG_DATA_HOME": "/data"}
    done = subprocess.run(
        [sys.executable, "-c", FOUND],
        cwd=unpacked,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    suites, models = len(list(EXPECTATIONS.rglob("*.json"))), len(list(DBT_PROJECT.rglob("*.sql")))
    assert done.stdout.splitlines() == [f"{suites} {models}", "2014 /data/asco", "True"]


def test_the_wheel_carries_the_code_and_no_tests(unpacked: Path) -> None:
    packages = {path.name for path in unpacked.iterdir() if not path.name.endswith(".dist-info")}
    assert packages == {"asco_dagster"}
    for folder in ("dbt_project", "expectations"):
        names = {path.relative_to(CHECKOUT) for path in (CHECKOUT / folder).rglob("*.*") if path.is_file()}
        assert names == {
            path.relative_to(unpacked / "asco_dagster")
            for path in (unpacked / "asco_dagster" / folder).rglob("*.*")
            if path.is_file()
        }


def test_the_image_copies_files_that_exist_and_reach_docker() -> None:
    dockerfile = (CHECKOUT / "Dockerfile").read_text(encoding="utf-8")
    kept = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [
        name for line in re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.M) for name in line.split()
    ]
    assert "dbt_project" in copied
    for name in copied:
        assert (CHECKOUT / name).exists(), name
        assert f"!{name}" in kept, name


def test_the_sample_of_env_lists_every_setting() -> None:
    sample = (CHECKOUT / ".env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"^#?([A-Z_]+)=$", sample, re.M)) == {*DECLARED, "POSTGRES_PASSWORD"}
