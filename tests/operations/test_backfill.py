"""Several waves at once, through GraphQL, the queue and the daemon: side by side, never one wave twice.

The waves are small ones of a workspace of this test, which open their databases as the true ones do; the true
ones are run in ``tests/asco_testing/faults``.
"""

import inspect
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asco_dagster.cli.up import up as up_command
from asco_dagster.storage.places import Places
from asco_testing.dagster_api import ask

pytestmark = pytest.mark.long

DEFINITIONS = """
import time
import dagster as dg
from asco_dagster.storage.places import Places
from asco_dagster.settings import Settings
from asco_dagster.storage.warehouse import open_database

WAVES = dg.StaticPartitionsDefinition([str(year) for year in range(2001, 2011)])

@dg.asset(partitions_def=WAVES)
def raw_small__rows(context):
    places = Places.of(Settings.from_environment())
    with open_database(places.database(context.partition_key)) as database:
        database.execute("create or replace table sources.raw_small__rows as select 1 as one")
        time.sleep(1.5)
        while (places.home / "hold").exists():  # a wave that is long, for as long as the test wants
            time.sleep(0.1)

@dg.asset(partitions_def=WAVES, deps=[raw_small__rows])
def stg_small__rows(context):
    places = Places.of(Settings.from_environment())
    with open_database(places.database(context.partition_key)) as database:
        database.execute("create or replace table staging.stg_small__rows as from sources.raw_small__rows")

wave_job = dg.define_asset_job("wave_job", executor_def=dg.in_process_executor)
defs = dg.Definitions(assets=[raw_small__rows, stg_small__rows], jobs=[wave_job])
"""
WAVES = [str(year) for year in range(2001, 2011)]
SELECTOR = '{repositoryLocationName: "small", repositoryName: "__repository__"'
ASSETS = '{path: ["raw_small__rows"]}, {path: ["stg_small__rows"]}'
PATIENCE = 300.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def serve(script, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Start ``asco up`` on the small workspace; gives the address of its pages."""
    (tmp_path / "small.py").write_text(DEFINITIONS)
    workspace = tmp_path / "workspace.yaml"
    workspace.write_text(
        "load_from: [{python_file: {relative_path: small.py, attribute: defs, location_name: small}}]"
    )
    started: list[subprocess.Popen[str]] = []

    def start(**options: object) -> str:
        port = free_port()
        process = script(f"""
            import functools, pathlib
            from asco_dagster.operations.services.servers import serve
            say, workspace = functools.partial(print, flush=True), pathlib.Path({str(workspace)!r})
            raise SystemExit(serve(
                settings, places, host="127.0.0.1", port={port}, workspace=workspace, say=say, **{options!r}
            ))
        """)
        started.append(process)
        while "Ctrl-C" not in (line := process.stdout.readline()):
            assert line, "it ended"
        return f"http://127.0.0.1:{port}"

    yield start
    for process in started:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


def launch_backfill(base: str, waves: list[str]) -> str:
    told = ask(
        base,
        "mutation {launchPartitionBackfill(backfillParams: {"
        f"assetSelection: [{ASSETS}], partitionNames: {json.dumps(waves)}}}) "
        "{__typename ...on LaunchBackfillSuccess {backfillId} "
        "...on PythonError {message}}}",
    )["launchPartitionBackfill"]
    assert told["__typename"] == "LaunchBackfillSuccess", told
    return told["backfillId"]


def launch_run(base: str, wave: str) -> str:
    told = ask(
        base,
        f'mutation {{launchRun(executionParams: {{selector: {SELECTOR}, jobName: "wave_job"}}, '
        f'executionMetadata: {{tags: [{{key: "dagster/partition", value: "{wave}"}}]}}}}) '
        "{__typename ...on LaunchRunSuccess {run {runId}} ...on PythonError {message}}}",
    )["launchRun"]
    assert told["__typename"] == "LaunchRunSuccess", told
    return told["run"]["runId"]


def runs(base: str) -> list[dict]:
    query = "{runsOrError(limit: 100) {...on Runs {results {runId status tags {key value}}}}}"
    found = ask(base, query)["runsOrError"]["results"]
    for run in found:
        run["wave"] = next((tag["value"] for tag in run["tags"] if tag["key"] == "dagster/partition"), "")
    return found


def follow(base: str, until: Callable[[list[dict]], bool]) -> list[list[dict]]:
    """Look until something holds; every look is given back."""
    looks, end = [], time.monotonic() + PATIENCE
    while not looks or not until(looks[-1]):
        assert time.monotonic() < end, looks[-1]
        looks.append(runs(base))
        time.sleep(0.3)
    return looks


def over(found: list[dict]) -> bool:
    return bool(found) and all(run["status"] in {"SUCCESS", "FAILURE", "CANCELED"} for run in found)


TEN = pytest.param(
    10,
    marks=pytest.mark.skipif("TEN_WAVES" not in os.environ, reason="ten runs take minutes: make test-faults"),
)


@pytest.mark.parametrize("count", [3, TEN])
def test_waves_run_side_by_side_without_a_lock_error(serve, places: Places, count: int) -> None:
    base, waves = serve(), WAVES[:count]
    backfill = launch_backfill(base, waves)
    follow(base, lambda found: any(run["status"] == "STARTED" for run in found))
    running = next(run["wave"] for run in runs(base) if run["status"] != "SUCCESS")
    launch_run(base, running)  # a second launch of a wave: it queues behind the first
    looks = follow(base, lambda found: len(found) == count + 1 and over(found))
    assert {run["status"] for run in looks[-1]} == {"SUCCESS"}
    assert sorted(run["wave"] for run in looks[-1]) == sorted([*waves, running])
    busy = [[run["wave"] for run in look if run["status"] in {"STARTED", "STARTING"}] for look in looks]
    assert max(len(set(own)) for own in busy) > 1, "no two waves ran at once"
    assert all(len(own) == len(set(own)) for own in busy), "one wave ran twice at once"
    query = f'{{partitionBackfillOrError(backfillId: "{backfill}") {{...on PartitionBackfill {{status}}}}}}'
    end = time.monotonic() + 60
    while ask(base, query)["partitionBackfillOrError"]["status"] == "REQUESTED":
        assert time.monotonic() < end
        time.sleep(1)
    assert ask(base, query)["partitionBackfillOrError"]["status"].startswith("COMPLETED")
    assert all(places.database(wave).exists() for wave in waves)


def test_a_backfill_is_canceled_and_a_new_one_takes_what_is_left(serve, places: Places) -> None:
    base, hold = serve(), places.home / "hold"
    hold.touch()
    backfill = launch_backfill(base, WAVES[:3])
    follow(base, lambda found: any(run["status"] == "STARTED" for run in found))
    told = ask(base, f'mutation {{cancelPartitionBackfill(backfillId: "{backfill}") {{__typename}}}}')
    assert told["cancelPartitionBackfill"]["__typename"] == "CancelBackfillSuccess"
    stopped = follow(base, over)[-1]
    hold.unlink()
    left = sorted(set(WAVES[:3]) - {run["wave"] for run in stopped if run["status"] == "SUCCESS"})
    assert left, "nothing was left to cancel"
    launch_backfill(base, left)
    done = follow(base, lambda found: len(found) >= len(stopped) + len(left) and over(found))[-1]
    assert {run["wave"] for run in done if run["status"] == "SUCCESS"} == set(WAVES[:3])


def test_the_read_only_pages_launch_nothing(serve) -> None:
    base = serve(read_only=True)
    told = ask(
        base,
        f'mutation {{launchRun(executionParams: {{selector: {SELECTOR}, jobName: "wave_job"}}, '
        'executionMetadata: {tags: [{key: "dagster/partition", value: "2001"}]}}) {__typename}}',
    )
    assert "UnauthorizedError" in json.dumps(told)
    assert runs(base) == []


def test_the_pages_bind_to_this_machine_by_default() -> None:
    assert inspect.signature(up_command).parameters["host"].default == "127.0.0.1"
