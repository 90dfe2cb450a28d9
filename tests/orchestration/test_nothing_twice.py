"""A part of the real graph on small deliveries: only what changed is rebuilt, the rest reported unchanged."""

import dataclasses
import subprocess
import sys

import dagster as dg
import duckdb
import pandas as pd
import pytest

from asco_dagster.definitions import build_definitions
from asco_dagster.layers import layer_of
from asco_dagster.orchestration import dbt_layer
from asco_dagster.orchestration.checks import run_gate
from asco_dagster.orchestration.contents import ALTERED
from asco_dagster.orchestration.release_guard import latest_evaluation, require_open_gates
from asco_dagster.orchestration.tags import FRESH, REBUILT, UNCHANGED
from asco_dagster.orchestration.wave_step import wave_asset
from asco_dagster.settings import Settings
from asco_testing.home_instances import home_instance
from asco_testing.worlds.rare_rows import SOUND

pytestmark = pytest.mark.slow

POPULATIONS = "insee-populations-legales-2013-metropole.csv"
ASKED = ("stg_territory__communes", "stg_territory__epci", "stg_aid__departements")
# the files of the territory are put together in one step, which is run whole
WANTED = dg.AssetSelection.assets(*ASKED).upstream().required_multi_asset_neighbors()


@pytest.fixture(scope="module")
def home(checkout, tmp_path_factory):
    """Deliveries of wave 2014 at a fiftieth of the sample."""
    home = tmp_path_factory.mktemp("home")
    command = [sys.executable, "-m", "asco_dagster.cli.main", "demo", "--wave", "2014", "--scale", "0.02"]
    subprocess.run(command, env={"PATH": "/usr/bin:/bin", "ASCO_HOME": str(home)}, cwd=checkout, check=True)
    return home


@pytest.fixture(scope="module")
def job(home):
    definitions = build_definitions(settings=Settings(home=home))
    assets = list(definitions.assets)
    return dg.Definitions(
        assets=assets,
        jobs=[dg.define_asset_job("part", selection=WANTED, executor_def=dg.in_process_executor)],
        resources={"settings": Settings(home=home)},
    ).resolve_job_def("part")


@pytest.fixture(scope="module")
def instance(home):
    with home_instance(home) as instance:
        yield instance


def _unchanged(job, instance, **tags) -> dict[str, bool]:
    """Of each asset whether it was reported as unchanged."""
    done = job.execute_in_process(instance=instance, partition_key="2014", tags=tags, raise_on_error=False)
    made = [
        event.step_materialization_data.materialization for event in done.get_asset_materialization_events()
    ]
    return {m.asset_key.path[-1]: UNCHANGED in m.metadata for m in made}


def test_only_what_changed_is_made_again(job, instance, home):
    assert set(_unchanged(job, instance).values()) == {False}
    again = _unchanged(job, instance)
    assert set(again.values()) == {True}
    assert set(require_open_gates(instance, "2014", again, []).values()) <= {"passed", "warned"}

    path = home / "inbox" / "2014" / POPULATIONS
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*lines[:5000], lines[5001], lines[5000], *lines[5002:]]), encoding="utf-8")
    changed = {name for name, stands in _unchanged(job, instance).items() if not stands}
    assert {"raw_insee__legal_populations", "stg_territory__communes"} <= changed
    assert not changed & {"raw_dgcl__epci_members", "raw_drees__aid_staff", "stg_aid__departements"}

    assert set(_unchanged(job, instance).values()) == {True}
    assert set(_unchanged(job, instance, **{FRESH: "true"}).values()) == {False}


BY_HAND = {
    "sources.raw_insee__legal_populations": "update {} set population = 0 where population > 100000",
    "staging.stg_territory__communes": "create or replace table {} as from {} order by commune_name",
    "staging.stg_aid__departements": "drop table {}",
}


def test_a_table_written_by_hand_is_found_out_and_made_again(job, instance, home):
    """Whatever wrote it: the rows of its step stand again, and nothing else is made."""
    path = home / "waves" / "2014" / "asco.duckdb"
    _unchanged(job, instance)
    with duckdb.connect(str(path)) as database:
        before = {table: database.table(table).fetchall() for table in BY_HAND}
        for table, statement in BY_HAND.items():
            database.execute(statement.format(table, table))
    done = job.execute_in_process(instance=instance, partition_key="2014", raise_on_error=False)
    assert done.success
    made = [
        event.step_materialization_data.materialization for event in done.get_asset_materialization_events()
    ]
    told = {m.asset_key.path[-1]: m.metadata.get(REBUILT) for m in made if UNCHANGED not in m.metadata}
    assert {f"{layer_of(name)}.{name}" for name in told} == set(BY_HAND)
    assert {reason.value for reason in told.values()} == {ALTERED}
    with duckdb.connect(str(path), read_only=True) as database:
        assert {table: database.table(table).fetchall() for table in BY_HAND} == before
    assert set(_unchanged(job, instance).values()) == {True}


def test_nothing_is_made_of_a_table_written_by_hand(job, instance, home):
    """One asset alone, over a table that its step did not write: the step that reads it refuses."""
    path, table = home / "waves" / "2014" / "asco.duckdb", "stg_territory__populations"
    with duckdb.connect(str(path)) as database:
        database.execute(f"delete from staging.{table} where population > 100000")
        before = database.table("staging.stg_territory__communes").fetchall()
    alone = job.execute_in_process(
        instance=instance,
        partition_key="2014",
        asset_selection=[dg.AssetKey("stg_territory__communes")],
        tags={FRESH: "true"},
        raise_on_error=False,
    )
    (failed,) = [event for event in alone.all_events if event.is_step_failure]
    assert f"table {table} was written by something other than its step" in str(
        failed.step_failure_data.error
    )
    with duckdb.connect(str(path), read_only=True) as database:
        assert database.table("staging.stg_territory__communes").fetchall() == before
    made_again = {name for name, unchanged in _unchanged(job, instance).items() if not unchanged}
    assert made_again == {table, "stg_territory__cases", "stg_territory__former_communes"}, "of one step"


def test_a_step_under_another_instance_refuses_before_it_writes(job, instance, home):
    path = home / "waves" / "2014" / "asco.duckdb"
    _unchanged(job, instance)
    before = path.read_bytes()
    with dg.DagsterInstance.ephemeral() as other:
        done = job.execute_in_process(
            instance=other, partition_key="2014", tags={FRESH: "true"}, raise_on_error=False
        )
        assert not done.success and not done.get_asset_materialization_events()
        (failed, *_) = [event for event in done.all_events if event.is_step_failure]
        told = str(failed.step_failure_data.error)
        assert (
            f"this run belongs to the Dagster instance at {other.root_directory}, not to that of the home"
            in told
        )
        assert f"DAGSTER_HOME={home / 'dagster'} and ASCO_HOME={home}" in told
    assert path.read_bytes() == before


def test_a_closed_gate_stays_closed_while_its_cause_stands(job, instance, home):
    path = home / "inbox" / "2014" / POPULATIONS
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:1] + lines[4000:]))
    for _ in range(2):
        done = job.execute_in_process(instance=instance, partition_key="2014", raise_on_error=False)
        assert not done.success
        closed = {check.check_name for check in done.get_asset_check_evaluations() if not check.passed}
        assert "gx__raw_insee__legal_populations" in closed
        made = {
            event.step_materialization_data.materialization.asset_key.path[-1]: UNCHANGED
            not in event.step_materialization_data.materialization.metadata
            for event in done.get_asset_materialization_events()
        }
        assert made["raw_insee__legal_populations"], (
            "what a gate refused was reported again instead of tried again"
        )
    path.write_bytes(whole)
    assert set(_unchanged(job, instance).values()) >= {True}


def test_a_dbt_test_that_could_not_be_run_is_run_again_by_the_next_run(job, instance, monkeypatch):
    test, built = "unique_stg_territory__communes_commune_code", dbt_layer.build

    def on_a_full_disk(*arguments, **named):
        return [
            dataclasses.replace(result, status="error", message="[Errno 28] No space left on device")
            if f".{test}." in result.unique_id
            else result
            for result in built(*arguments, **named)
        ]

    with monkeypatch.context() as patched:
        patched.setattr(dbt_layer, "build", on_a_full_disk)
        assert set(_unchanged(job, instance, **{FRESH: "true"}).values()) == {False}
    said = latest_evaluation(instance, "2014", "stg_territory__communes", test)
    assert not said.passed
    assert said.description == (
        "the test could not be run: [Errno 28] No space left on device."
        " Fix the cause and run the wave again: the test is run again."
    )
    again = _unchanged(job, instance)
    assert [name for name, stands in again.items() if not stands] == ["stg_territory__communes"]
    assert latest_evaluation(instance, "2014", "stg_territory__communes", test).passed


def test_what_is_made_in_every_run_is_judged_again_when_its_rows_changed_or_its_gate_is_closed(
    tmp_path, monkeypatch
):
    rows, judged = list(SOUND["raw_insee__commune_passage"]), []

    @wave_asset(always=True)
    def raw_insee__commune_passage(step):
        return pd.DataFrame(rows)

    def gate(database, asset, *others):
        judged.append(asset)
        return run_gate(database, asset, *others)

    monkeypatch.setattr("asco_dagster.orchestration.wave_step.run_gate", gate)
    with home_instance(tmp_path) as instance:
        for expected, broken in ((1, False), (1, False), (2, True), (3, True)):
            if broken and len(rows) == len(SOUND["raw_insee__commune_passage"]):
                rows.append(rows[0])  # a row that stands twice
            done = dg.materialize(
                [raw_insee__commune_passage],
                partition_key="2014",
                instance=instance,
                resources={"settings": Settings(home=tmp_path)},
                raise_on_error=False,
            )
            (check,) = done.get_asset_check_evaluations()
            assert (check.passed, len(judged)) == (not broken, expected)
            assert done.success == (not broken)
            (made,) = instance.fetch_materializations(
                dg.AssetKey("raw_insee__commune_passage"), limit=1
            ).records
            assert check.target_materialization_data.storage_id == made.storage_id
