"""Two workers with homes of their own: waves side by side, and a machine that is lost in the middle of one.

The waves are small ones of a workspace of this test, owned, brought and stored as the true ones are; two
true waves are compared with one machine's by ``whole_waves.py``.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from asco_dagster.storage.shared_store.claim import look
from asco_dagster.storage.shared_store.contents import index_key
from asco_dagster.storage.shared_store.objects import Store
from asco_dagster.storage.shared_store.state import read_state
from asco_testing.workers.cluster import Cluster, cluster

pytestmark = pytest.mark.slow

DEFINITIONS = """
import os, time
import dagster as dg
from asco_dagster.orchestration.wave_executor import wave_executor
from asco_dagster.storage.places import Places
from asco_dagster.settings import Settings
from asco_dagster.storage.shared_store.held import upload_releases
from asco_dagster.storage.warehouse import open_database

WAVES = dg.StaticPartitionsDefinition(["2001", "2002", "2003"])

@dg.asset(partitions_def=WAVES)
def raw_small__rows(context):
    wave = context.partition_key
    places = Places.of(Settings.from_environment())
    with open_database(places.database(wave)) as database:
        database.execute("create or replace table sources.raw_small__rows as select 1 as one")
        time.sleep(1.0)
        while os.path.exists(os.environ["HOLD"] + wave):  # a wave that is long, for as long as the test wants
            time.sleep(0.1)

@dg.asset(partitions_def=WAVES, deps=[raw_small__rows])
def pub_small__release(context):
    wave, settings = context.partition_key, Settings.from_environment()
    places = Places.of(settings)
    (places.home / f"late-{wave}").touch()
    while os.path.exists(os.environ["HOLD"] + "late-" + wave):
        time.sleep(0.1)
    with open_database(places.database(wave)) as database:
        (rows,) = database.execute("select count(*) from sources.raw_small__rows").fetchone()
    release = places.releases(wave) / "1.0.0"
    if not release.exists():
        release.mkdir(parents=True)
        (release / "table.csv").write_text(f"wave {wave}: {rows} row")
        (release / "manifest.json").write_text("{}")
        (places.releases(wave) / "latest").symlink_to("1.0.0")
    upload_releases(settings, wave)

wave_job = dg.define_asset_job("wave_job", executor_def=wave_executor)
defs = dg.Definitions(assets=[raw_small__rows, pub_small__release], jobs=[wave_job])
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "small.py").write_text(DEFINITIONS)
    workspace = folder / "workspace.yaml"
    workspace.write_text(
        "load_from: [{python_file: {relative_path: small.py, attribute: defs, location_name: small}}]"
    )
    with cluster(folder, {"HOLD": str(folder / "hold-")}, workspace) as own:
        own.start_worker("one")
        own.start_worker("two")
        yield own


def of(found: list[dict], wave: str) -> set[str]:
    return {run["status"] for run in found if run["wave"] == wave}


def test_two_workers_run_two_waves_at_once_and_store_both(small: Cluster) -> None:
    holds = [Path(small.environment["HOLD"] + wave) for wave in ("2001", "2002")]
    for hold in holds:
        hold.touch()
    for wave in ("2001", "2002"):
        small.launch(wave, "small")
    both = lambda found: all("STARTED" in of(found, wave) for wave in ("2001", "2002"))  # noqa: E731
    small.follow(both)
    homes = [name for wave in ("2001", "2002") for name in homes_with(small, wave)]
    assert sorted(homes) == ["one", "two"], "each worker runs one of them, in its own home"
    for hold in holds:
        hold.unlink()
    small.follow(lambda found: all(of(found, wave) == {"SUCCESS"} for wave in ("2001", "2002")))
    store = Store(small.store)
    for wave in ("2001", "2002"):
        assert f"waves/{wave}/asco.duckdb" in read_state(store, wave).files
        listed = json.loads(store.get(index_key(wave)).body)
        folder = f"public/releases/{wave}/{listed['versions'][listed['latest']]['folder']}"
        assert store.get(f"{folder}/table.csv").body.decode() == f"wave {wave}: 1 row"


def test_a_canceled_run_gives_its_wave_back(small: Cluster) -> None:
    hold = Path(small.environment["HOLD"] + "2001")
    hold.touch()
    before = len(small.runs())
    small.launch("2001", "small")
    small.follow(lambda found: len(found) > before and found[0]["status"] == "STARTED")
    run = small.runs()[0]["runId"]
    small.follow(lambda _: look(Store(small.store), "2001")[0].run == run)
    told = small.ask(f'mutation {{terminateRun(runId: "{run}") {{__typename}}}}')
    assert told["terminateRun"]["__typename"] == "TerminateRunSuccess", told
    small.follow(lambda found: found[0]["status"] == "CANCELED")
    hold.unlink()
    lease, over = look(Store(small.store), "2001")
    assert (lease.released, over) == (True, True)


def test_a_lost_machine_is_noticed_and_another_worker_finishes_its_wave(small: Cluster) -> None:
    hold = Path(small.environment["HOLD"] + "late-2003")  # the first step is done, on the lost machine alone
    hold.touch()
    small.launch("2003", "small")
    small.follow(lambda found: "STARTED" in of(found, "2003"))
    (lost,) = homes_with(small, "2003")
    end = time.monotonic() + 30
    while not (small.home(lost) / "late-2003").exists() and time.monotonic() < end:
        time.sleep(0.1)
    lease, over = look(Store(small.store), "2003")
    assert not over
    small.lose(lost)
    hold.unlink()
    small.follow(lambda found: of(found, "2003") == {"FAILURE", "SUCCESS"})
    (other,) = {"one", "two"} - {lost}
    assert (small.home(other) / "releases" / "2003" / "1.0.0" / "manifest.json").exists()
    heir, _ = look(Store(small.store), "2003")
    assert (heir.fence, heir.released) == (lease.fence + 1, True)
    small.start_worker(lost)


def test_no_password_reaches_a_file_of_any_home(small: Cluster) -> None:
    for name in ("office", "one", "two"):
        for path in small.home(name).rglob("*"):
            if path.is_file() and not path.is_symlink():
                assert b"planted-redis-password" not in path.read_bytes(), path
    assert "planted-redis-password" not in small.told()


def homes_with(small: Cluster, wave: str) -> list[str]:
    """Workers in whose home a wave has a database, once there is one."""
    end, found = time.monotonic() + 30, []
    while not found and time.monotonic() < end:
        found = [n for n in ("one", "two") if (small.home(n) / "waves" / wave / "asco.duckdb").exists()]
        time.sleep(0.1)
    return found
