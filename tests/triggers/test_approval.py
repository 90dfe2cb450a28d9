"""A candidate is approved by the job of Dagster's pages and by the command; who waits for it is told once."""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import StepMaterializationData
from typer.testing import CliRunner

from asco_dagster.cli.release import release
from asco_dagster.definitions import build_definitions
from asco_dagster.errors import ReleaseError
from asco_dagster.operations.monitoring import notices
from asco_dagster.operations.monitoring.metrics import exposition
from asco_dagster.operations.monitoring.operator_page import operator_page
from asco_dagster.operations.monitoring.overview import wave_status
from asco_dagster.operations.monitoring.releases import list_releases
from asco_dagster.operations.monitoring.wave_state import wave_state
from asco_dagster.orchestration.tags import APPROVE, CANDIDATE, CANDIDATE_IS_NEW, DIFFERENCES, PARTITION_TAG
from asco_dagster.releases.approval import approvals
from asco_dagster.releases.candidate import PAGE
from asco_dagster.releases.contract import ReleasedFile
from asco_dagster.releases.release import Provenance, Published, publish
from asco_dagster.releases.store import ReleaseStore, latest_release, read_manifest
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.triggers.schedules import release_calendar
from asco_dagster.waves import load_wave
from asco_testing.home_instances import home_instance

pytestmark = pytest.mark.slow

NAME = "Camille Martin"
LATER = dt.datetime(2999, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("ASCO_HOME", str(tmp_path))
    return Settings(home=tmp_path)


@pytest.fixture
def store(settings: Settings) -> ReleaseStore:
    return ReleaseStore.of(Places.of(settings), "2014")


@pytest.fixture
def candidate(store: ReleaseStore, settings: Settings) -> Published:
    """2.0.0 waits for an approval, 1.0.0 is public; the candidate has a page."""
    assert _publish(store, 1).is_public
    page = Places.of(settings).quality("2014") / PAGE
    page.write_text("differences")
    made = _publish(store, 2)
    assert made.unapproved
    return made


@pytest.fixture
def instance(candidate: Published, settings: Settings) -> Iterator[dg.DagsterInstance]:
    with home_instance(settings.home) as instance:
        yield instance


def _publish(store: ReleaseStore, number: int, **options) -> Published:
    def write(draft: Path) -> list[ReleasedFile]:
        (draft / "tables").mkdir()
        (draft / "tables" / "a.csv").write_text(f"x\r\n{number}\r\n")
        return [ReleasedFile("tables/a.csv", 1)]

    provenance = Provenance("code", [], {}, {}, {})
    return publish("2014", store, write, provenance, approval_required=True, **options)


def _call(*arguments: str) -> str:
    done = CliRunner().invoke(release, arguments)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def test_the_job_of_the_pages_approves_and_publishes(
    instance: dg.DagsterInstance, candidate: Published, store: ReleaseStore, settings: Settings
) -> None:
    job = build_definitions(settings=settings).resolve_job_def("approve_job")
    assert "public numbers" in (job.description or "")
    config = {"wave": "2014", "version": candidate.folder.name, "by": NAME}
    elsewhere = job.execute_in_process(
        run_config={"ops": {"approve_candidate": {"config": config}}}, raise_on_error=False
    )
    assert not elsewhere.success, "an instance that is not the home's published"
    for wrong, name in (("2.0.0-000000000000", NAME), (candidate.folder.name, " ")):
        refused = job.execute_in_process(
            run_config={"ops": {"approve_candidate": {"config": {**config, "version": wrong, "by": name}}}},
            instance=instance,
            raise_on_error=False,
        )
        assert not refused.success
    assert latest_release(store.releases).name == "1.0.0"
    done = job.execute_in_process(
        run_config={"ops": {"approve_candidate": {"config": config}}}, instance=instance
    )
    assert done.success
    assert latest_release(store.releases).name == "2.0.0"
    assert [one.by for one in approvals(store)] == [NAME]
    assert not (Places.of(settings).quality("2014") / PAGE).exists()


def test_the_command_approves_and_the_list_names_who_did(candidate: Published, settings: Settings) -> None:
    (_, waiting) = list_releases(Places.of(settings), ["2014"])
    assert (waiting.version, waiting.state, waiting.latest) == ("2.0.0", "candidate", False)
    with pytest.raises(ReleaseError, match="asco release approve 2014 2"):
        _call("publish", "2014", "2.0.0")
    assert "Missing option" in CliRunner().invoke(release, ["approve", "2014", "2.0.0"]).output
    assert "2014 2.0.0 published: " in _call("approve", "2014", "2.0.0", "--by", NAME)
    assert "was already public" in _call("approve", "2014", "2.0.0", "--by", "someone else")
    (_, public) = list_releases(Places.of(settings), ["2014"])
    assert (public.state, public.latest, public.approved_by) == ("public", True, NAME)


def test_an_approved_version_under_embargo_is_published_by_the_calendar(
    candidate: Published, store: ReleaseStore, settings: Settings
) -> None:
    _publish(store, 3, public_from=LATER)
    assert "asco up publishes it at 2999-01-01T01:00:00+01:00" in _call(
        "approve", "2014", "2.0.0", "--by", NAME
    )
    assert latest_release(store.releases).name == "1.0.0"
    (sealed,) = [one for one in list_releases(Places.of(settings), ["2014"]) if one.state == "sealed"]
    assert sealed.approved_by == NAME
    context = dg.build_schedule_context(
        resources={"settings": settings}, scheduled_execution_time=dt.datetime.now(dt.UTC)
    )
    (waits,) = release_calendar(context)
    assert isinstance(waits, dg.SkipReason)


def test_what_waits_is_in_the_status_the_state_and_the_metrics(
    instance: dg.DagsterInstance, candidate: Published, settings: Settings
) -> None:
    places = Places.of(settings)
    status = wave_status(instance, places, "2014")
    assert status.release == "1.0.0"
    assert status.candidate is not None
    told = json.loads(json.dumps(status.as_json()))["candidate"]
    assert (told["version"], told["name"], told["changes"]["changed"]) == ("2.0.0", candidate.folder.name, 1)
    state = wave_state(instance, places, load_wave("2014"), dt.date(2026, 1, 1))
    assert state.phase == "waits for approval: 2.0.0 (1 number changed)"
    assert f"asco release approve 2014 {candidate.folder.name}" in dict(state.facts)["candidate"]
    page = operator_page(instance, places, {"wave": "2014"})
    for text in (
        "2.0.0 waits for approval: 1 number changed",
        "/quality/2014/candidate.html",
        candidate.folder.name,
    ):
        assert text in page
    assert "waits for approval" not in operator_page(instance, places, {"wave": "2025"})
    metrics = exposition(instance, places).decode()
    assert 'asco_releases{wave="2014"} 1.0' in metrics  # a candidate is no release
    assert 'asco_candidate_numbers{change="changed",wave="2014"} 1.0' in metrics
    assert 'asco_candidate_numbers{change="changed",wave="2025"}' not in metrics


@pytest.mark.parametrize("is_new", [True, False])
def test_a_notice_says_what_waits_once(
    instance: dg.DagsterInstance, settings: Settings, monkeypatch: pytest.MonkeyPatch, is_new: bool
) -> None:
    sent: list[notices.Notice] = []
    monkeypatch.setattr(notices, "send", lambda found, _: sent.extend(found))
    run = dg.DagsterRun("wave_job", tags={PARTITION_TAG: "2014"}, status=dg.DagsterRunStatus.SUCCESS)
    instance.add_run(run)
    metadata = {
        "version": "2.0.0",
        "state": "candidate, waits for approval: 27,664 numbers changed",
        CANDIDATE: "2.0.0-3f2a1b9c0d12",
        CANDIDATE_IS_NEW: is_new,
        DIFFERENCES: dg.MetadataValue.url("/quality/2014/candidate.html"),
        APPROVE: "asco release approve 2014 2.0.0-3f2a1b9c0d12 --by NAME",
    }
    made = dg.AssetMaterialization("pub_asco__release", partition="2014", metadata=metadata)
    event = dg.DagsterEvent(
        dg.DagsterEventType.ASSET_MATERIALIZATION.value,
        run.job_name,
        event_specific_data=StepMaterializationData(made),
    )
    instance.report_dagster_event(event, run.run_id)
    assert notices.send_candidate(instance, run, settings) == []  # no channel
    configured = replace(settings, webhook_url="http://127.0.0.1:9/hook", ui_url="http://here")
    found = notices.send_candidate(instance, run, configured)
    assert found == sent
    assert len(found) == is_new
    for notice in found:
        assert notice.link == "http://here/quality/2014/candidate.html"
        assert notice.sentence() == (
            "wave 2014: version 2.0.0: candidate, waits for approval: 27,664 numbers changed; "
            "asco release approve 2014 2.0.0-3f2a1b9c0d12 --by NAME"
        )
    assert notices.send_candidate(instance, run, configured) == []


def test_the_sensor_of_candidates_waits_for_a_channel(settings: Settings) -> None:
    sensors = {one.name: one for one in build_definitions(settings=settings).sensors or []}
    assert sensors["candidate_sensor"].default_status == dg.DefaultSensorStatus.STOPPED
    configured = replace(settings, webhook_url="https://office.example/hook")
    sensors = {one.name: one for one in build_definitions(settings=configured).sensors or []}
    assert sensors["candidate_sensor"].default_status == dg.DefaultSensorStatus.RUNNING


def test_the_manifest_of_an_approved_version_is_as_any_other(
    candidate: Published, store: ReleaseStore
) -> None:
    _call("approve", "2014", "2.0.0", "--by", NAME)
    manifest = read_manifest(latest_release(store.releases))
    assert NAME not in json.dumps(manifest)
    assert manifest["changes"]["changed"] == 1
