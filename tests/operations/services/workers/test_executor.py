"""The executor owns a run's wave: of two processes one runs it, and a run that cannot store is no success."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from asco_testing.s3_server import s3_server

pytestmark = pytest.mark.slow

RUN = """
import pathlib, sys, time
import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from asco_dagster.orchestration.wave_executor import wave_executor
from asco_dagster.storage.places import Places
from asco_dagster.settings import Settings
from asco_dagster.storage.shared_store.objects import Store

@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["2001"]))
def raw_small__rows(context):
    print("running", flush=True)
    (Places.of(Settings.from_environment()).wave("2001") / "asco.duckdb").write_text("rows")
    while pathlib.Path(sys.argv[1]).exists():  # a wave that is long, for as long as the test wants
        time.sleep(0.1)
    if "broken" in sys.argv:
        Store.add = lambda *_: (_ for _ in ()).throw(ValueError("the store is full"))

job = dg.Definitions(assets=[raw_small__rows], jobs=[
    dg.define_asset_job("job", executor_def=wave_executor)]).resolve_job_def("job")
with dg.DagsterInstance.ephemeral() as instance:
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    run = instance.create_run_for_job(job, tags={"dagster/partition": "2001"}, run_config=quiet)
    done = execute_run(InMemoryJob(job), run, instance)
    told = [event.job_failure_data.error.message for event in done.all_events
            if event.event_type_value == "PIPELINE_FAILURE"]
    print(instance.get_run_by_id(run.run_id).status.value, *told, flush=True)
"""


@pytest.fixture(scope="module")
def shared() -> Iterator[dict[str, str]]:
    with s3_server() as (address, reach):
        yield {**reach, "ASCO_STORE": address, "ASCO_PSEUDONYM_KEY": "k" * 40, "ASCO_LEASE": "5"}


def start(home: Path, shared: dict[str, str], *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments],
        env={**os.environ, **shared, "ASCO_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_of_two_processes_that_run_one_wave_one_owns_it(tmp_path: Path, shared: dict[str, str]) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    first = start(tmp_path / "first", shared, str(hold))
    assert first.stdout.readline() == "running\n"
    second, _ = start(tmp_path / "second", shared, "no hold").communicate(timeout=120)
    assert "running" not in second
    assert second.startswith("FAILURE")
    assert "wave 2001 is owned by another worker" in second
    hold.unlink()
    assert first.communicate(timeout=120)[0].startswith("SUCCESS")
    after, _ = start(tmp_path / "second", shared, "no hold").communicate(timeout=120)
    assert after == "running\nSUCCESS\n"


def test_a_run_whose_results_cannot_be_stored_is_no_success(tmp_path: Path, shared: dict[str, str]) -> None:
    own = {**shared, "ASCO_STORE": f"{shared['ASCO_STORE']}/full"}
    told, _ = start(tmp_path / "home", own, "no hold", "broken").communicate(timeout=120)
    assert told.startswith("running\nFAILURE")
    assert "the store is full" in told
