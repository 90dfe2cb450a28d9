"""``asco prune``: superseded runs go with all that is theirs; what the present rests on stays."""

import subprocess
import sys
from collections.abc import Iterator

import dagster as dg
import pytest
import sqlalchemy

from asco_dagster.gates.history.store import Judgement, judgements, keep_judgement, now
from asco_dagster.operations.upkeep.pruning import prune
from asco_dagster.orchestration.checks import gate_name, gate_spec
from asco_dagster.orchestration.partitions import WAVES
from asco_dagster.orchestration.release_guard import materialization, require_open_gates
from asco_dagster.orchestration.tags import PARTITION_TAG
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.triggers.jobs import prune_job
from asco_dagster.triggers.schedules import prune_schedule
from asco_testing.home_instances import home_instance

pytestmark = pytest.mark.slow

OFTEN, ONCE = "stg_x__often", "stg_x__once"


def _gated(name: str) -> dg.AssetsDefinition:
    @dg.asset(name=name, partitions_def=WAVES, check_specs=[gate_spec(name)])
    def step(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        print("something that a library prints", flush=True)
        yield dg.MaterializeResult(
            check_results=[dg.AssetCheckResult(check_name=gate_name(name), passed=True)]
        )

    return step


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with home_instance(settings.home) as instance:
        yield instance


def _run(instance: dg.DagsterInstance, *names: str, wave: str = "2014") -> str:
    assets = [_gated(name) for name in names]
    return dg.materialize(assets, instance=instance, partition_key=wave).run_id


def _count(instance: dg.DagsterInstance, table: str, runs: list[str]) -> int:
    query = sqlalchemy.text(f"select count(*) from {table} where run_id = any(:runs)")
    with instance.event_log_storage.index_connection() as connection:
        return int(connection.execute(query, {"runs": runs}).scalar_one())


def test_superseded_runs_go_and_what_the_present_rests_on_stays(
    instance: dg.DagsterInstance, settings: Settings, places: Places
) -> None:
    first = _run(instance, OFTEN, ONCE)  # the only run in which the second asset was made
    old = [_run(instance, OFTEN) for _ in range(3)]
    other = _run(instance, OFTEN, wave="2025")
    new = [_run(instance, OFTEN) for _ in range(2)]
    waiting = dg.DagsterRun("job", tags={PARTITION_TAG: "2014"}, status=dg.DagsterRunStatus.STARTED)
    instance.add_run(waiting)
    for run in (first, *old, *new):
        keep_judgement(places.wave("2014"), OFTEN, Judgement("2014", run, now(), "open", 1, 0, 9, None))
    release = places.releases("2014") / "1.0.0" / "manifest.json"
    release.parent.mkdir(parents=True)
    release.write_text("{}")
    before = {name: materialization(instance, "2014", name) for name in (OFTEN, ONCE)}
    logs = places.dagster_home / "compute_logs"
    assert {path.name for path in logs.iterdir()} >= {first, *old, *new}

    told = prune(instance, settings, places, keep=2)
    assert (told.runs, told.kept) == (len(old), 5)
    assert told.freed > 0
    assert {run.run_id for run in instance.get_runs()} == {first, other, *new, waiting.run_id}
    for table in ("event_logs", "asset_check_executions", "run_tags"):
        assert _count(instance, table, old) == 0
        assert _count(instance, table, [first, other, *new]) > 0
    assert {path.name for path in logs.iterdir()} == {first, other, *new}
    assert {one.run for one in judgements(places.home / "waves")[OFTEN]} == {first, *new}
    assert release.read_text() == "{}"
    # what the release guard and the next run ask for is as it was
    assert {name: materialization(instance, "2014", name) for name in (OFTEN, ONCE)} == before
    assert set(require_open_gates(instance, "2014", [OFTEN, ONCE], []).values()) == {"passed"}
    assert require_open_gates(instance, "2025", [OFTEN], []) == {OFTEN: "passed"}
    assert prune(instance, settings, places, keep=2).runs == 0


def test_the_space_of_pruned_runs_is_given_back(
    instance: dg.DagsterInstance, settings: Settings, places: Places
) -> None:
    for _ in range(4):
        _run(instance, OFTEN)
    size = sqlalchemy.text("select pg_total_relation_size('event_logs')")
    with instance.event_log_storage.index_connection() as connection:
        connection.execute(
            sqlalchemy.text(
                "insert into event_logs (run_id, event, dagster_event_type, timestamp)"
                " select run_id, repeat(md5(n::varchar), 300), 'ENGINE_EVENT', now()"
                " from runs, generate_series(1, 500) numbers(n)"
            )
        )
        before = connection.execute(size).scalar_one()
    prune(instance, settings, places, keep=1)
    with instance.event_log_storage.index_connection() as connection:
        assert connection.execute(size).scalar_one() < before / 2


def test_the_former_observations_go_with_the_runs(
    instance: dg.DagsterInstance, settings: Settings, places: Places
) -> None:
    for _ in range(3):
        instance.report_runless_asset_event(dg.AssetObservation(OFTEN, partition="2014"))
    for _ in range(2):
        _run(instance, OFTEN)
    for _ in range(2):
        instance.report_runless_asset_event(dg.AssetObservation(OFTEN, partition="2014"))
    prune(instance, settings, places, keep=1)
    left = instance.fetch_observations(dg.AssetKey(OFTEN), limit=10).records
    assert len(left) == 2


def test_the_schedule_prunes_under_the_instance_of_the_home(
    instance: dg.DagsterInstance, settings: Settings
) -> None:
    runs = [_run(instance, OFTEN) for _ in range(3)]
    with dg.build_schedule_context(instance=instance) as context:
        (request,) = prune_schedule.evaluate_tick(
            dg.build_schedule_context(instance=context.instance, scheduled_execution_time=_sunday())
        ).run_requests
    assert request.run_key == "2026-W48"
    done = prune_job.execute_in_process(
        instance=instance,
        resources={"settings": settings},
        run_config={"ops": {"prune_runs": {"config": {"runs": 1}}}},
    )
    assert done.success
    assert {run.run_id for run in instance.get_runs()} == {runs[-1], done.run_id}


def test_the_command_line_says_what_went(instance: dg.DagsterInstance, settings: Settings) -> None:
    for _ in range(3):
        _run(instance, OFTEN)
    command = [sys.executable, "-m", "asco_dagster.cli.main", "prune"]
    done = subprocess.run([*command, "--keep", "1"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("2 runs deleted, 1 kept; ")
    refused = subprocess.run([*command, "--keep", "0"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert len(instance.get_runs()) == 1


def _sunday() -> "object":
    import datetime as dt

    return dt.datetime(2026, 11, 29, 2, 30, tzinfo=dt.UTC)
