"""Kept results of gates: a damaged one is named and made again, and nothing is released over it."""

import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pandas as pd
import pytest

from asco_dagster.errors import GateError
from asco_dagster.gates import suite as suites
from asco_dagster.gates.results import JUDGED_IN, mark_unjudged, read_result, unjudged
from asco_dagster.orchestration.checks import run_gate
from asco_dagster.orchestration.release_guard import (
    latest_evaluation,
    require_kept_results,
    require_open_gates,
)
from asco_dagster.orchestration.tags import UNCHANGED
from asco_dagster.orchestration.wave_step import wave_asset
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.waves import load_wave
from asco_testing.home_instances import home_instance
from asco_testing.security.broken_gate_files import GATE_FILES
from asco_testing.security.broken_input import Broken

pytestmark = pytest.mark.slow

ASSET, WAVE = "raw_x__y", "2014"


@wave_asset()
def raw_x__y(step):
    return pd.DataFrame({"code": ["a", "b"]})


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    asked = {
        "type": "expect_column_values_to_be_unique",
        "kwargs": {"column": "code"},
        "severity": "critical",
        "meta": {"reason": "because"},
    }
    suite = {"name": ASSET, "meta": {"key": ["code"]}, "expectations": [asked]}
    (tmp_path / f"{ASSET}.json").write_text(json.dumps(suite))
    monkeypatch.setattr(suites, "suite_path", lambda asset, folder=None: tmp_path / f"{asset}.json")
    return Places.of(Settings(home=tmp_path / "home"))


@pytest.fixture
def instance(places: Places) -> Iterator[dg.DagsterInstance]:
    with home_instance(places.home) as instance:
        yield instance


def _run(instance: dg.DagsterInstance, places: Places) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [raw_x__y],
        partition_key=WAVE,
        instance=instance,
        resources={"settings": Settings(home=places.home)},
        raise_on_error=False,
    )


def _is_unchanged(run: dg.ExecuteInProcessResult) -> bool:
    (event,) = run.get_asset_materialization_events()
    return UNCHANGED in event.step_materialization_data.materialization.metadata


def _of_another_run(file: Path) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), "run": "7" * 36}))


OF_ANOTHER_RUN = Broken(
    "of another run", _of_another_run, ("it is of run 77777777, and Dagster's check of run ",)
)


@pytest.mark.parametrize("damage", [*GATE_FILES, OF_ANOTHER_RUN], ids=lambda damage: damage.name)
def test_a_damaged_result_is_not_judged_is_named_and_is_made_again(
    damage: Broken, places: Places, instance: dg.DagsterInstance
) -> None:
    (told,) = damage.told
    assert _run(instance, places).success
    assert _is_unchanged(_run(instance, places))
    require_kept_results(instance, WAVE, [ASSET], places.gates(WAVE))
    file = places.gates(WAVE) / f"{ASSET}.json"
    before = json.loads(file.read_text())
    damage.make(file)
    with pytest.raises(GateError) as error:
        require_kept_results(instance, WAVE, [ASSET], places.gates(WAVE))
    assert f"the gate of {ASSET} is not judged: {told}" in str(error.value)
    assert f"(file {ASSET}.json)" in str(error.value)
    again = _run(instance, places)
    assert again.success and not _is_unchanged(again)
    logged = [entry.user_message for entry in instance.all_logs(again.run_id)]
    assert any(f"the gate of {ASSET} is not judged: {told}" in message for message in logged)
    new = {"run": "", "at": ""}
    assert {**json.loads(file.read_text()), **new} == {**before, **new}
    assert read_result(places.gates(WAVE), ASSET, WAVE).run == again.run_id
    require_kept_results(instance, WAVE, [ASSET], places.gates(WAVE))
    assert _is_unchanged(_run(instance, places))


def test_a_table_that_was_made_and_not_judged_is_not_released(
    places: Places, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster knows only the judgement of the table before it, which was open."""
    assert _run(instance, places).success

    def falls_over(*arguments):
        raise MemoryError("while judging")

    with monkeypatch.context() as patch:
        patch.setattr("asco_dagster.orchestration.checks.run_suite", falls_over)
        (places.gates(WAVE) / f"{ASSET}.json").unlink()  # so that it is made again
        died = _run(instance, places)
    assert not died.success
    assert latest_evaluation(instance, WAVE, ASSET, f"gx__{ASSET}").passed
    assert require_open_gates(instance, WAVE, [ASSET], []) == {ASSET: "passed"}
    told = f"the gate of {ASSET} is not judged: run {died.run_id[:8]} began to make its table"
    with pytest.raises(GateError, match=told):
        require_kept_results(instance, WAVE, [ASSET], places.gates(WAVE))
    assert [told in str(fault) for fault in unjudged(places.gates(WAVE), WAVE)] == [True]
    assert _run(instance, places).success
    require_kept_results(instance, WAVE, [ASSET], places.gates(WAVE))
    assert not list(unjudged(places.gates(WAVE), WAVE))


def test_a_reused_check_keeps_the_run_that_judged(places: Places, instance: dg.DagsterInstance) -> None:
    first, second = _run(instance, places), _run(instance, places)
    found = latest_evaluation(instance, WAVE, ASSET, f"gx__{ASSET}")
    assert found.metadata[JUDGED_IN].value == first.run_id != second.run_id


def test_damage_while_a_wave_is_judged_stops_nothing(places: Places) -> None:
    """One torn file stopped every gate of the wave, since each wrote an index of all."""
    folder = places.gates(WAVE)
    for name, content in (("raw_asco__sample", b""), ("stg_asco__units", b"\0\0"), ("note", b"{")):
        (folder / f"{name}.json").write_bytes(content)
    mark_unjudged(folder, "raw_asco__answers", WAVE, "7" * 36)
    with duckdb.connect() as database:
        database.execute(f"create schema sources; create table sources.{ASSET} as select 'a' as code")
        assert run_gate(database, ASSET, load_wave(WAVE), places, Settings(home=places.home), "run").passed
    index = (places.quality(WAVE) / "index.html").read_text()
    for asset, why in (
        ("raw_asco__sample", "the file is empty"),
        ("stg_asco__units", "it holds null bytes"),
        ("raw_asco__answers", "run 77777777 began to make its table and did not judge it"),
    ):
        line = next(line for line in index.splitlines() if f"<code>{asset}</code>" in line)
        assert "not judged" in line and why in line
