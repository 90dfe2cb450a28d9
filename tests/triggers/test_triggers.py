"""What starts a wave: its inbox, and the month; and what does not."""

import datetime as dt
import os
import shutil
from pathlib import Path

import dagster as dg
import pytest

from asco_dagster.settings import Settings
from asco_dagster.storage.inbox import Seen, absent, content_hash, look
from asco_dagster.storage.places import Places
from asco_dagster.triggers.schedules import remote_yearly, yearly_sources_schedule
from asco_dagster.triggers.sensors import inbox_sensor, wave_state_sensor
from asco_dagster.waves import Readable, load_wave, wave
from asco_dagster.waves.wave import SHIPPED

WAVE = load_wave("2014")


@pytest.fixture
def inbox(places: Places) -> Path:
    folder = places.inbox("2014")
    folder.mkdir(parents=True)
    for delivery in WAVE.deliveries():
        (folder / delivery.address).write_text(f"{delivery.address} as delivered")
    return folder


def test_a_whole_and_settled_inbox_is_taken_once(inbox: Path) -> None:
    first = look(WAVE, inbox, Seen())
    assert first.content is None
    assert "may still be copied" in first.reason
    second = look(WAVE, inbox, first.seen)
    assert second.content == content_hash(inbox)
    third = look(WAVE, inbox, second.seen)
    assert (third.content, third.reason) == (None, "no file changed since the last run")


def test_a_delivery_that_grows_is_not_taken_until_it_rests(inbox: Path) -> None:
    path = inbox / WAVE.deliveries()[0].address
    seen = look(WAVE, inbox, Seen()).seen
    for number in range(3):
        with path.open("a") as file:
            file.write(f"more {number}")
        grown = look(WAVE, inbox, seen)
        assert grown.content is None
        seen = grown.seen
    assert look(WAVE, inbox, seen).content == content_hash(inbox)


def test_a_missing_delivery_is_waited_for_and_named(inbox: Path) -> None:
    late = WAVE.deliveries()[-1].address
    (inbox / late).rename(inbox / f"{late}.part")
    assert absent(WAVE, inbox) == [late]
    seen = Seen()
    for _ in range(3):
        found = look(WAVE, inbox, seen)
        assert (found.content, found.reason) == (None, f"missing: {late}")
        seen = found.seen


def test_a_new_date_is_no_new_content_and_hidden_files_do_not_count(inbox: Path) -> None:
    seen = look(WAVE, inbox, look(WAVE, inbox, Seen()).seen).seen
    os.utime(inbox / WAVE.deliveries()[0].address, (1, 1))
    (inbox / ".rsync-x").write_text("on its way")
    for _ in range(3):
        found = look(WAVE, inbox, seen)
        assert found.content is None
        seen = found.seen
    assert found.reason == "no file changed since the last run"


def test_a_former_content_that_comes_back_is_new_again(inbox: Path) -> None:
    path = inbox / WAVE.deliveries()[0].address
    former, contents, seen = path.read_text(), [], Seen()
    for text in (former, "corrected", former):
        path.write_text(text)
        found = look(WAVE, inbox, look(WAVE, inbox, seen).seen)
        seen = found.seen
        contents.append((found.content, seen.turn))
    assert contents[0][0] == contents[2][0] != contents[1][0]
    assert [turn for _, turn in contents] == [1, 2, 3]


def test_the_sensor_asks_for_one_run_a_wave_with_the_content_in_its_key(
    inbox: Path, places: Places, settings: Settings
) -> None:
    def tick(cursor: str | None) -> dg.SensorResult:
        context = dg.build_sensor_context(cursor=cursor, resources={"settings": settings})
        told = inbox_sensor(context)
        assert isinstance(told, dg.SensorResult)
        return told

    first = tick(None)
    assert not first.run_requests
    assert "2025: the inbox is empty" in first.skip_reason.skip_message
    second = tick(first.cursor)
    [request] = second.run_requests
    assert request.partition_key == "2014"
    assert request.run_key == f"2014:{content_hash(inbox)}:1"
    # the daemon died before it kept the cursor: the same key, so Dagster launches nothing twice
    assert tick(first.cursor).run_requests[0].run_key == request.run_key
    assert not tick(second.cursor).run_requests
    shutil.rmtree(inbox)
    assert not tick(second.cursor).run_requests


def test_the_schedule_asks_for_waves_with_remote_yearly_sources_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked() -> list[dg.RunRequest | dg.SkipReason]:
        import datetime as dt

        moment = dt.datetime(2026, 2, 2, 4, 15, tzinfo=dt.UTC)
        return list(yearly_sources_schedule(dg.build_schedule_context(scheduled_execution_time=moment)))

    assert [type(told) for told in asked()] == [dg.SkipReason]
    address = "https://publisher.example/epci.csv"
    members = [WAVE.sources.epci_members[0].model_copy(update={"address": address})]
    remote = WAVE.model_copy(update={"sources": WAVE.sources.model_copy(update={"epci_members": members})})
    assert remote_yearly(remote) == [address]
    monkeypatch.setattr(
        "asco_dagster.triggers.schedules.waves_to_start",
        lambda: Readable([remote, load_wave("2025")], {}),
    )
    [request] = asked()
    assert (request.partition_key, request.run_key) == ("2014", "2014:2026-02")


@pytest.fixture
def strays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two waves, a stray file beside them, and a wave file that someone is still writing."""
    folder = tmp_path / "waves"
    folder.mkdir()
    for name in ("2014", "2025"):
        shutil.copy(SHIPPED / f"{name}.yaml", folder)
    shutil.copy(SHIPPED / "2014.yaml", folder / "2014-copie.yaml")
    shutil.copy(SHIPPED / "2025.yaml", folder / "2025,v2.yaml")
    (folder / "2026.yaml").write_text("wave: '2026'\n")
    monkeypatch.setattr(wave, "FOLDER", folder)
    return ["2014-copie.yaml", "2025,v2.yaml", "2026.yaml"]


def test_a_bad_wave_file_is_named_once_and_the_others_start(
    inbox: Path, settings: Settings, strays: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    cursor, runs, said = None, [], []
    for _ in range(3):
        caplog.clear()
        context = dg.build_sensor_context(cursor=cursor, resources={"settings": settings})
        context.log.addHandler(caplog.handler)
        found = inbox_sensor(context)
        cursor = found.cursor
        runs += [request.partition_key for request in found.run_requests or []]
        said.append([file for file in strays if any(file in text for text in caplog.messages)])
    assert runs == ["2014"]  # whose inbox is whole
    assert said == [strays, [], []]


def test_a_bad_wave_file_leaves_state_and_schedule_of_the_others(
    settings: Settings, strays: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with dg.instance_for_test() as instance:
        cursor = None
        for expected in ({"2014", "2025"}, set()):
            context = dg.build_sensor_context(
                cursor=cursor, instance=instance, resources={"settings": settings}
            )
            context.log.addHandler(caplog.handler)
            found = wave_state_sensor(context)
            cursor = found.cursor
            assert {event.partition for event in found.asset_events} == expected
    for file in strays:
        assert sum(file in text for text in caplog.messages) == 1
    context = dg.build_schedule_context(scheduled_execution_time=dt.datetime(2026, 3, 2, 4, 15))
    (skipped,) = list(yearly_sources_schedule(context))
    assert isinstance(skipped, dg.SkipReason)
