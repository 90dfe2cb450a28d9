"""A retry that Dagster's daemon overlooks is asked for again: a real one that looks at the wrong moment."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, MAX_RETRIES_TAG

from asco_dagster.operations.instance import open_instance
from asco_dagster.operations.services import retries
from asco_dagster.operations.services.retries import Reminders
from asco_dagster.orchestration.tags import PARTITION_TAG
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_testing.dagster_api import ask

pytestmark = pytest.mark.slow

Script = Callable[..., "subprocess.Popen[str]"]
Eventually = Callable[..., bool]

DEFINITIONS = """
import os, pathlib, time
import dagster as dg

@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["2001"]))
def est_small__table():
    once = pathlib.Path(os.environ["ONCE"])
    if not once.exists():
        once.write_text(str(os.getpid()))
        time.sleep(600)

job = dg.define_asset_job("wave_job", executor_def=dg.in_process_executor)
defs = dg.Definitions(assets=[est_small__table], jobs=[job])
"""

# Dagster stores the event of a failure first, the run's state and its tag “will retry” behind it. The daemon
# looks for such events every 5 s, and here it always looks between.
BETWEEN = """
import sys
if "-m" in sys.orig_argv:  # each of Dagster's processes: the one that started a run reports its death
    import time
    from dagster._core.storage.runs.sql_run_storage import SqlRunStorage
    at_once = SqlRunStorage.handle_run_event
    delayed = []
    def late(self, run_id, event, *more):
        if event.is_run_failure and run_id not in delayed:
            delayed.append(run_id)
            time.sleep(12)
        return at_once(self, run_id, event, *more)
    SqlRunStorage.handle_run_event = late
"""

LAUNCH = """mutation {launchRun(executionParams: {
    selector: {repositoryLocationName: "small", repositoryName: "__repository__", jobName: "wave_job"}
    executionMetadata: {tags: [{key: "dagster/partition", value: "2001"}]}
}) {__typename}}"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A workspace whose run waits until it is killed, and whose second run ends at once."""
    (tmp_path / "between").mkdir()
    (tmp_path / "between" / "sitecustomize.py").write_text(BETWEEN)
    (tmp_path / "small.py").write_text(DEFINITIONS)
    workspace = tmp_path / "workspace.yaml"
    workspace.write_text(
        "load_from: [{python_file: {relative_path: small.py, attribute: defs, location_name: small}}]"
    )
    return workspace


@pytest.mark.long
def test_a_retry_that_the_daemon_overlooked_still_comes(
    script: Script,
    serving: Callable[[Path], str],
    small: Path,
    port: int,
    tmp_path: Path,
    eventually: Eventually,
) -> None:
    once, base = tmp_path / "once", f"http://127.0.0.1:{port}"
    up = script(
        serving(small),
        env={**os.environ, "PYTHONPATH": str(tmp_path / "between"), "ONCE": str(once)},
    )
    assert up.stdout
    while "Ctrl-C" not in (line := up.stdout.readline()):
        assert line, "asco up ended"
    told = ask(base, LAUNCH)["launchRun"]
    assert told["__typename"] == "LaunchRunSuccess", told
    assert eventually(lambda: once.exists() and bool(once.read_text()), seconds=180)
    os.kill(int(once.read_text()), signal.SIGKILL)

    def states() -> list[str]:
        found = ask(base, "{runsOrError {...on Runs {results {status}}}}")["runsOrError"]["results"]
        return [run["status"] for run in found]

    assert eventually(lambda: states() == ["SUCCESS", "FAILURE"], seconds=180), states()
    up.send_signal(signal.SIGINT)
    assert up.wait(timeout=40) == 0


@pytest.fixture
def instance(settings: Settings, places: Places) -> Iterator[DagsterInstance]:
    with open_instance(settings, places) as opened:
        yield opened


def failed(instance: DagsterInstance, *, launched: bool = True, **tags: str) -> str:
    """A run of wave 2014 that lost its process; Dagster says of it that it will be retried."""
    location = RegisteredCodeLocationOrigin("small")
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), "wave_job")
    run = DagsterRun(
        "wave_job",
        tags={PARTITION_TAG: "2014", **tags},
        status=DagsterRunStatus.STARTED,
        remote_job_origin=origin if launched else None,
    )
    instance.add_run(run)
    instance.report_run_failed(run, "its process is gone")
    return run.run_id


def test_a_missing_retry_is_asked_for_at_the_second_look_and_twice_at_most(instance: DagsterInstance) -> None:
    run, reminders = failed(instance), Reminders(instance)
    assert [reminders.look() for _ in range(6)] == [[], [run], [], [run], [], []]
    told = [entry.message for entry in instance.all_logs(run)]
    assert sum("is requested again" in message for message in told) == 2


def test_a_retry_that_came_is_not_asked_for(instance: DagsterInstance) -> None:
    run, reminders = failed(instance), Reminders(instance)
    assert reminders.look() == []
    instance.add_run_tags(run, {AUTO_RETRY_RUN_ID_TAG: "another"})
    assert reminders.look() == []


def test_no_retry_is_asked_for_that_dagster_does_not_owe(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed(instance, **{MAX_RETRIES_TAG: "0"})
    reminders = Reminders(instance)
    assert [reminders.look() for _ in range(2)] == [[], []], "it says that it will not be retried"
    failed(instance, launched=False)
    assert [reminders.look() for _ in range(2)] == [[], []], "the daemon cannot launch what asco run ran"
    failed(instance)
    failed(instance, **{MAX_RETRIES_TAG: "0"})
    assert [reminders.look() for _ in range(2)] == [[], []], "the wave was run again meanwhile"
    failed(instance)
    monkeypatch.setattr(retries, "_AGE", -1.0)
    assert [reminders.look() for _ in range(2)] == [[], []], "it failed long ago"
    monkeypatch.undo()
    assert [bool(reminders.look()) for _ in range(2)] == [False, True], "and else it is asked for"
