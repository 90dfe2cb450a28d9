"""The state of a wave: known from its deliveries, its last run, its gates and its versions."""

import datetime as dt
import os
from pathlib import Path

import dagster as dg
import pytest

from asco_dagster.operations.monitoring import wave_state as module
from asco_dagster.operations.monitoring.overview import LastRun, WaveStatus
from asco_dagster.operations.monitoring.wave_state import newest_delivery, wave_state
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.triggers.sensors import wave_state_sensor
from asco_dagster.waves import load_wave, wave_names

WAVE = load_wave("2014")
LATER = WAVE.collection.end + dt.timedelta(days=30)
RUN = LastRun("abc", "SUCCESS", "2026-01-02T00:00:00+00:00", 90.0)
OPEN = {"raw_a__b": "passed", "raw_a__c": "warned"}


def _delivered(places: Places, instant: str) -> None:
    path = places.inbox("2014") / "deep" / "file.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    second = dt.datetime.fromisoformat(instant).timestamp()
    os.utime(path, (second, second))


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


@pytest.mark.parametrize(
    ("status", "delivered", "today", "phase"),
    [
        (WaveStatus("2014"), None, LATER, "no deliveries"),
        (WaveStatus("2014"), None, WAVE.collection.start, f"in collection until {WAVE.collection.end}"),
        (WaveStatus("2014"), "2026-01-01T00:00:00+00:00", LATER, "delivered, not released"),
        (WaveStatus("2014", RUN, OPEN, "1.0.0"), "2026-01-01T00:00:00+00:00", LATER, "released: 1.0.0"),
        (
            WaveStatus("2014", RUN, OPEN, "1.0.0"),
            "2026-01-03T00:00:00+00:00",
            LATER,
            "deliveries are newer than the last run: run the wave again",
        ),
        (
            WaveStatus("2014", RUN, {"raw_a__b": "failed"}, "1.0.0"),
            "2026-01-01T00:00:00+00:00",
            LATER,
            "not released: 1 gate(s) closed in the last run",
        ),
        (
            WaveStatus("2014", LastRun("abc", "STARTED", RUN.start, 3.0), OPEN, "1.0.0"),
            "2026-01-03T00:00:00+00:00",
            LATER,
            "running",
        ),
    ],
)
def test_the_phase_is_what_matters_most(
    places: Places, monkeypatch: pytest.MonkeyPatch, status, delivered, today, phase
) -> None:
    monkeypatch.setattr(module, "wave_status", lambda *_: status)
    if delivered:
        _delivered(places, delivered)
    assert wave_state(None, places, WAVE, today).phase == phase


def test_facts_say_what_the_phase_rests_on(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "wave_status", lambda *_: WaveStatus("2014", RUN, OPEN))
    _delivered(places, "2026-01-01T12:00:00+00:00")
    facts = dict(wave_state(None, places, WAVE, LATER).facts)
    assert facts["collection"] == f"{WAVE.collection.start} to {WAVE.collection.end}"
    assert facts["newest delivery"] == "2026-01-01T12:00:00+00:00"
    assert facts["newer deliveries"] == "no"
    assert facts["gates"] == "1 open, 1 open with warnings, 0 closed, 0 not checked"
    assert facts["release"] == "none"
    assert newest_delivery(places.inbox("2025")) is None


def test_the_sensor_observes_each_wave_once_until_its_state_changes(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with dg.DagsterInstance.ephemeral() as instance:

        def look(cursor: str | None) -> dg.SensorResult:
            context = dg.build_sensor_context(
                instance=instance, cursor=cursor, resources={"settings": settings}
            )
            return wave_state_sensor(context)

        first = look(None)
        assert [event.partition for event in first.asset_events] == wave_names()
        assert first.asset_events[0].asset_key == dg.AssetKey("pub_asco__release")
        assert "wave" in first.asset_events[0].metadata
        assert not look(first.cursor).asset_events
        _delivered(Places.of(settings), "2026-01-01T00:00:00+00:00")
        assert [event.partition for event in look(first.cursor).asset_events] == ["2014"]
