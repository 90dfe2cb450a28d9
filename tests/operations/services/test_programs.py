"""Dagster's own programs: on a home's instance where asco starts them, else they write nothing."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from asco_dagster.operations.services import programs
from asco_dagster.operations.services.programs import run_program
from asco_dagster.orchestration.release_guard import materialization
from asco_dagster.settings import CHECKOUT, Settings
from asco_dagster.storage.places import Places
from asco_testing.home_instances import home_instance

pytestmark = pytest.mark.slow

ASCO = (sys.executable, "-m", "asco_dagster.cli.main")
ASSET = "raw_asco__edits"  # of the code, so that nothing has to be delivered
MATERIALIZE = ("asset", "materialize", "--select", ASSET, "--partition", "2014")


def call(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)


def test_what_dagsters_programs_materialize_is_known_to_the_home(settings: Settings, places: Places) -> None:
    for program, arguments in {
        "dagster": MATERIALIZE,
        "dg": ("launch", "--assets", ASSET, "--partition", "2014"),
    }.items():
        done = call(*ASCO, program, "--", *arguments)
        assert done.returncode == 0, done.stderr[-2000:]
        with home_instance(settings.home) as instance:
            (run, *_) = instance.get_runs(limit=1)
            assert run.status == dg.DagsterRunStatus.SUCCESS
            made = materialization(instance, "2014", ASSET)
            assert made is not None and made.run_id == run.run_id


def test_dagster_by_hand_writes_nothing_into_a_home(settings: Settings, places: Places) -> None:
    done = call(sys.executable, "-m", "dagster", *MATERIALIZE, "-m", "asco_dagster.definitions")
    assert done.returncode != 0
    assert f"not to that of the home {places.home}; nothing was written" in done.stderr
    assert not places.database("2014").exists()


def test_the_exit_code_is_the_programs(settings: Settings, places: Places) -> None:
    assert run_program("dagster", ["no-such-command"], settings, places) == 2
    assert run_program("dagster", ["--version"], settings, places) == 0


def test_a_program_that_is_not_installed_is_reported(
    settings: Settings, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(programs.ConfigurationError, match=r"dg is not installed. Install it: pip install"):
        run_program("dg", ["--version"], settings, places)
    assert not Path(places.postgres).exists()
