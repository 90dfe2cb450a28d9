"""What a failed or cancelled run leaves: the sentence first, and no table without its verdict."""

import json
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from asco_dagster.errors import SourceError
from asco_dagster.gates import suite as suites
from asco_dagster.orchestration.release_guard import require_open_gates
from asco_dagster.orchestration.tags import CLOSED, PARTITION_TAG
from asco_dagster.orchestration.wave_executor import wave_executor
from asco_dagster.orchestration.wave_step import Table, wave_asset, wave_assets
from asco_dagster.settings import Settings
from asco_dagster.storage.inbox import expected, require_deliveries
from asco_dagster.storage.places import Places
from asco_dagster.waves import load_wave
from asco_testing.home_instances import home_instance

pytestmark = pytest.mark.slow

WAVE = "2014"
CODES = ["a", "b"]
ASSETS = ("raw_x__one", "raw_x__two", "est_x__last")


@wave_assets(["raw_x__one: One.", "raw_x__two: Two."])
def both(step: Any) -> dict[str, Table]:
    if not CODES:
        raise SourceError("it has no row", file="delivered.csv", remedy="Ask for it again")
    return {name: Table(pd.DataFrame({"code": CODES}), {}) for name in ASSETS[:2]}


@wave_asset(deps=ASSETS[:2])
def est_x__last(step: Any) -> pd.DataFrame:
    return pd.DataFrame({"code": ["a"]})


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    rows = {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1, "max_value": 2}}
    meta = {"severity": "critical", "meta": {"reason": "Every code is listed"}}
    for asset in ASSETS:
        suite = {"name": asset, "meta": {"key": ["code"]}, "expectations": [{**rows, **meta}]}
        (tmp_path / f"{asset}.json").write_text(json.dumps(suite))
    monkeypatch.setattr(suites, "suite_path", lambda asset, folder=None: tmp_path / f"{asset}.json")
    monkeypatch.setenv("ASCO_HOME", str(tmp_path / "home"))
    return Places.of(Settings(home=tmp_path / "home"))


@pytest.fixture
def instance(places: Places) -> Iterator[dg.DagsterInstance]:
    with home_instance(places.home) as instance:
        yield instance


def _run(instance: dg.DagsterInstance, places: Places, *assets: Any, interrupted_at: int = 0) -> list[Any]:
    """Run in this process as the UI's runs do; its events, in order. At one of them comes Ctrl-C."""
    job = dg.define_asset_job("job", executor_def=wave_executor)
    definitions = dg.Definitions(
        assets=[both, est_x__last], jobs=[job], resources={"settings": Settings(home=places.home)}
    )
    made = definitions.resolve_job_def("job")
    if assets:
        made = made.get_subset(asset_selection={dg.AssetKey(name) for name in assets})
    run = instance.create_run_for_job(made, run_id=str(uuid.uuid4()), tags={PARTITION_TAG: WAVE})
    seen = 0

    def follow(_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == interrupted_at:
            signal.raise_signal(signal.SIGINT)

    instance.add_event_listener(run.run_id, follow)
    execute_run(InMemoryJob(made), run, instance)
    return [one.dagster_event for one in instance.all_logs(run.run_id) if one.dagster_event]


def _reported(events: list[Any]) -> tuple[list[str], list[str]]:
    """The tables and the verdicts that a run reported."""
    tables = [e.asset_key.path[-1] for e in events if e.event_type_value == "ASSET_MATERIALIZATION"]
    checks = [
        e.asset_check_evaluation_data.asset_key.path[-1]
        for e in events
        if e.event_type_value == "ASSET_CHECK_EVALUATION"
    ]
    return tables, checks


def test_a_run_that_is_cancelled_at_any_instant_has_no_table_without_its_verdict(
    instance: dg.DagsterInstance, places: Places
) -> None:
    """Dagster resumes from the tables that were not made; whatever the instant, the release is then open."""
    whole = len(_run(instance, places))
    tried = 0
    for instant in range(2, whole, 2):
        (places.gates(WAVE) / "raw_x__one.json").unlink(missing_ok=True)  # so that it is made again
        tables, checks = _reported(_run(instance, places, interrupted_at=instant))
        assert set(tables) == set(checks), instant
        lacking = {name for name in ASSETS if name not in tables}
        lacking |= set(ASSETS[:2]) if lacking & set(ASSETS[:2]) else set()  # made in one step
        if lacking:
            _run(instance, places, *lacking)
        require_open_gates(instance, WAVE, ASSETS, [])
        tried += 1
    assert tried >= 10


def test_the_failure_of_a_step_and_the_end_of_the_run_are_the_sentence(
    instance: dg.DagsterInstance, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "CODES", [])
    events = _run(instance, places)
    (failed,) = [event for event in events if event.is_step_failure]
    said = failed.step_failure_data.user_failure_data
    sentence = "file delivered.csv: it has no row. Ask for it again."
    assert said.description == sentence
    assert said.metadata["what to do"].value == "Ask for it again"
    assert f"Why this run failed: {sentence}" in [event.message for event in events]
    assert failed.step_failure_data.error.message.endswith(f"Failure: {sentence}\n")


def test_a_closed_gate_fails_its_step_with_reason_bound_what_was_seen_and_link(
    instance: dg.DagsterInstance, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "CODES", ["a", "b", "c"])
    events = _run(instance, places)
    (failed,) = [event for event in events if event.is_step_failure]
    said = failed.step_failure_data.user_failure_data
    for text in ("gx__raw_x__one", "Every code is listed", "expected at least 1 and at most 2", "observed 3"):
        assert text in said.description, text
    assert said.metadata[CLOSED].value == "gx__raw_x__one, gx__raw_x__two"
    assert said.metadata["gx__raw_x__one"].value == "/quality/2014/sources/raw_x__one.html"
    (end,) = [event for event in events if event.event_type_value == "PIPELINE_FAILURE"]
    assert end.job_failure_data.first_step_failure_event.step_failure_data.error.message == (
        failed.step_failure_data.error.message
    )
    assert set(_reported(events)[1]) == set(ASSETS[:2])


def test_a_run_without_a_wave_says_which_button_to_press(
    instance: dg.DagsterInstance, places: Places
) -> None:
    made = dg.Definitions(
        assets=[both, est_x__last],
        jobs=[dg.define_asset_job("job")],
        resources={"settings": Settings(home=places.home)},
    ).resolve_job_def("job")
    run = made.execute_in_process(instance=instance, raise_on_error=False)
    (failed,) = [event for event in run.all_events if event.is_step_failure]
    assert "Press “Materialize…” and choose a wave" in failed.step_failure_data.user_failure_data.description


def test_every_delivery_that_is_missing_is_named_at_once_by_its_path(tmp_path: Path) -> None:
    wave = load_wave(WAVE)
    names = expected(wave)
    for name in names[3:]:
        (tmp_path / name).write_text("delivered")
    require_deliveries(wave, tmp_path, names[3:])
    with pytest.raises(SourceError) as error:
        require_deliveries(wave, tmp_path, names[:1])
    assert all(str(tmp_path / name) in str(error.value) for name in names[:3])
    assert f"3 of the {len(names)} deliveries of wave {WAVE} are not available" in str(error.value)
