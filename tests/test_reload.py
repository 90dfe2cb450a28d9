"""Reload after a mistake: a broken suite fails the location with its sentence, a broken wave only itself."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from asco_dagster.definitions import build_definitions
from asco_dagster.errors import ConfigurationError
from asco_dagster.gates import suite as suites
from asco_dagster.orchestration import partitions
from asco_dagster.settings import Settings
from asco_dagster.triggers.sensors import inbox_sensor
from asco_dagster.waves import Readable, load_wave
from asco_dagster.waves.wave import FOLDER

BROKEN = "est_asco__sample"


def _twice(content: dict) -> None:
    content["expectations"].append(content["expectations"][0])


def _unknown_type(content: dict) -> None:
    content["expectations"][0]["type"] = "expect_column_values_to_be_uniqe"


def _without_reason(content: dict) -> None:
    del content["expectations"][0]["meta"]["reason"]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_twice, "repeats expectation 1"),
        (_unknown_type, "is of an unknown type; expected expect_column_values_to_be_unique"),
        (_without_reason, "has no meta.reason"),
    ],
)
def test_a_broken_suite_fails_the_load_of_the_location_with_its_sentence(
    spoil: Callable[[dict], None], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path_of = suites.suite_path
    content = json.loads(path_of(BROKEN).read_text())
    spoil(content)
    broken = tmp_path / f"{BROKEN}.json"
    broken.write_text(json.dumps(content))
    monkeypatch.setattr(
        suites, "suite_path", lambda asset, *folder: broken if asset == BROKEN else path_of(asset, *folder)
    )
    with pytest.raises(ConfigurationError) as error:
        build_definitions()
    assert f"file {BROKEN}.json" in str(error.value)
    assert told in str(error.value)


LOADED = """
from asco_dagster.definitions import defs
from asco_dagster.orchestration.partitions import WAVES
print(WAVES.get_partition_keys())
print(defs.metadata["wave files left out"].value)
"""


@pytest.mark.slow
def test_a_broken_wave_is_left_out_and_named_and_the_others_live(tmp_path: Path) -> None:
    for name in ("2014.yaml", "2025.yaml"):
        shutil.copyfile(FOLDER / name, tmp_path / name)
    with (tmp_path / "2025.yaml").open("a") as file:
        file.write("unknown_key: 3\n")
    environment = {**os.environ, "ASCO_WAVES": str(tmp_path), "ASCO_HOME": str(tmp_path / "home")}
    done = subprocess.run([sys.executable, "-c", LOADED], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == [
        "['2014']",
        f"file 2025.yaml: key unknown_key: unknown key. Correct this key of {tmp_path.name}/2025.yaml.",
    ]


def test_a_wave_that_is_corrected_later_waits_for_the_reload_and_stops_no_sensor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = load_wave("2014").model_copy(update={"wave": "2030"})
    monkeypatch.setattr(partitions, "readable_waves", lambda: Readable([load_wave("2014"), later], {}))
    settings = Settings(home=tmp_path)
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance, resources={"settings": settings})
        told = inbox_sensor(context)
    assert isinstance(told, dg.SensorResult)
    assert "2030.yaml is left out" in str(told.skip_reason)
    assert "2014: the inbox is empty" in str(told.skip_reason)
