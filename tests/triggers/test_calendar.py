"""The schedule moves latest at the hour of the calendar; the command line does it by hand, or plans it."""

import datetime as dt
import json
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from asco_dagster.cli.release import release
from asco_dagster.errors import ReleaseError
from asco_dagster.operations.monitoring.releases import list_releases
from asco_dagster.releases import embargo
from asco_dagster.releases.contract import ReleasedFile
from asco_dagster.releases.release import Provenance, publish
from asco_dagster.releases.store import MANIFEST, ReleaseStore, latest_release, read_manifest
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.triggers.jobs import publish_due_job
from asco_dagster.triggers.schedules import release_calendar
from asco_dagster.waves import load_wave
from asco_testing.home_instances import home_instance

pytestmark = pytest.mark.slow


@pytest.fixture
def store(tmp_path: Path, monkeypatch) -> ReleaseStore:
    """A home in which a version of 2014 is sealed until 2999."""
    monkeypatch.setenv("ASCO_HOME", str(tmp_path))
    store = ReleaseStore.of(Places(tmp_path), "2014")

    def write(draft: Path) -> list[ReleasedFile]:
        (draft / "tables").mkdir()
        (draft / "tables" / "a.csv").write_text("x\r\n1\r\n")
        return [ReleasedFile("tables/a.csv", 1)]

    later = dt.datetime(2999, 1, 1, tzinfo=dt.UTC)
    publish("2014", store, write, Provenance("code", [], {}, {}, {}), public_from=later)
    return store


def _tick(home: Path) -> list:
    context = dg.build_schedule_context(
        resources={"settings": Settings(home=home)}, scheduled_execution_time=dt.datetime.now(dt.UTC)
    )
    return list(release_calendar(context))


def _let_the_day_come(store: ReleaseStore) -> None:
    manifest = embargo.waiting(store) / MANIFEST
    told = json.loads(manifest.read_text()) | {"public_from": "2020-01-01T00:00:00+00:00"}
    manifest.chmod(0o644)
    manifest.write_text(json.dumps(told))


def test_before_the_hour_a_tick_starts_no_run(store: ReleaseStore, tmp_path: Path) -> None:
    (told,) = _tick(tmp_path)
    assert isinstance(told, dg.SkipReason)
    assert latest_release(store.releases) is None


def test_at_the_hour_the_run_of_a_tick_publishes(store: ReleaseStore, tmp_path: Path) -> None:
    _let_the_day_come(store)
    (request,) = _tick(tmp_path)
    assert request.tags["dagster/partition"] == "2014"
    elsewhere = publish_due_job.execute_in_process(
        run_config=request.run_config,
        resources={"settings": Settings(home=tmp_path)},
        raise_on_error=False,
    )
    assert not elsewhere.success, "an instance that is not the home's published"
    assert latest_release(store.releases) is None
    with home_instance(tmp_path) as instance:
        done = publish_due_job.execute_in_process(
            run_config=request.run_config, resources={"settings": Settings(home=tmp_path)}, instance=instance
        )
    assert done.success
    assert latest_release(store.releases).name == "1.0.0"
    assert read_manifest(latest_release(store.releases))["released_at"]
    (told,) = _tick(tmp_path)
    assert isinstance(told, dg.SkipReason)


def test_a_sealed_version_is_listed_and_published_withdrawn_by_hand(
    store: ReleaseStore, tmp_path: Path
) -> None:
    def call(*arguments: str) -> str:
        done = CliRunner().invoke(release, arguments)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.output

    (listed,) = list_releases(Places(tmp_path), ["2014"])
    assert (listed.state, listed.latest) == ("sealed", False)
    with pytest.raises(ReleaseError, match="under embargo"):
        call("publish", "2014", "1.0.0")
    assert "will be published at 2999-02-01" in call(
        "publish", "2014", "1.0.0", "--when", "2999-02-01T08:45:00+01:00"
    )
    (store.sealed / embargo.PLAN).unlink()
    _let_the_day_come(store)
    assert "1.0.0 published: " in call("publish", "2014", "1.0.0")
    assert "2 files sent" in call("push", "2014", "1.0.0", "--to", str(tmp_path / "elsewhere"))
    assert "latest is no version" in call("withdraw", "2014", "1.0.0", "--reason", "wrong")
    (listed,) = list_releases(Places(tmp_path), ["2014"])
    assert listed.state == "withdrawn"


def test_waves_without_a_day_are_released_at_once() -> None:
    assert embargo.public_from(load_wave("2014")) is None
    wave = load_wave("2014")
    dated = wave.model_copy(
        update={
            "release": wave.release.model_copy(
                update={"embargo": dt.date(2017, 2, 21), "hour": dt.time(8, 45)}
            )
        }
    )
    assert embargo.public_from(dated).isoformat() == "2017-02-21T08:45:00+01:00"
