"""Dagster's instance on the real storage: runs seen by other processes, dead ones reported."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from dagster import DagsterInstance, DagsterRunStatus

from asco_dagster.errors import AscoError, ConfigurationError
from asco_dagster.operations.instance import (
    UP_LOCK,
    instance_of,
    is_unserved,
    mark_dead_runs,
    open_instance,
    prepare,
    process_started,
    run_tags,
    running_run,
)
from asco_dagster.orchestration.run_guard import require_home_instance, require_no_other_run
from asco_dagster.orchestration.tags import PARTITION_TAG
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.postgres.cluster import Cluster

pytestmark = pytest.mark.slow

Script = Callable[..., "subprocess.Popen[str]"]
Living = Callable[[Path], list[str]]
RUN = """
    from dagster import DagsterRun, DagsterRunStatus
    from asco_dagster.operations.instance import open_instance, run_tags
    from asco_dagster.orchestration.tags import PARTITION_TAG
    with open_instance(settings, places) as instance:
        run = DagsterRun("job", tags={PARTITION_TAG: "2014", **run_tags()}, status=DagsterRunStatus.STARTED)
        instance.add_run(run)
        print(run.run_id, flush=True)
        input()
"""


def test_runs_are_in_postgresql_and_a_killed_one_is_marked(
    script: Script, settings: Settings, places: Places
) -> None:
    process = script(RUN)
    assert process.stdout
    run_id = process.stdout.readline().strip()
    with open_instance(settings, places) as instance:
        assert type(instance.run_storage).__module__.startswith("dagster_postgres")
        assert type(instance.event_log_storage).__module__.startswith("dagster_postgres")
        assert type(instance.schedule_storage).__module__.startswith("dagster_postgres")
        running = running_run(instance, "2014")
        assert running is not None and running.run_id == run_id
        assert running_run(instance, "2025") is None
        assert mark_dead_runs(instance) == []

        process.kill()
        process.wait()
        assert mark_dead_runs(instance) == [run_id]
        assert running_run(instance, "2014") is None
        assert status_of(instance, run_id) == DagsterRunStatus.FAILURE
        assert mark_dead_runs(instance) == []
    assert "DAGSTER_PG_URL" not in os.environ


def test_what_is_done_while_the_server_starts_may_fail_and_leaves_none(
    settings: Settings, places: Places
) -> None:
    def fail() -> None:
        raise RuntimeError("no pipeline")

    with pytest.raises(RuntimeError, match="no pipeline"), open_instance(settings, places, meanwhile=fail):
        pass
    assert not Cluster(places.postgres.resolve()).answers()
    assert "DAGSTER_PG_URL" not in os.environ


def test_connections_to_the_own_server_are_held(settings: Settings, places: Places) -> None:
    with open_instance(settings, places) as instance:
        instance.get_runs_count()
        held = instance.run_storage._engine.pool.status()  # what Dagster gives no door to
        assert "Pool size: 1" in held and "Connections in pool: 1" in held
    assert not Cluster(places.postgres.resolve()).answers()


def test_a_reused_process_number_is_no_living_run(settings: Settings, places: Places) -> None:
    from dagster import DagsterRun

    ours = run_tags()
    cases = {
        "ours": (ours, DagsterRunStatus.STARTED),
        "reused": (ours | {"asco/pid_started": "before"}, DagsterRunStatus.STARTING),
        "elsewhere": (ours | {"asco/host": "another", "asco/pid": "1"}, DagsterRunStatus.STARTED),
        "launched by Dagster": ({}, DagsterRunStatus.STARTED),
        "over": (ours | {"asco/pid_started": "before"}, DagsterRunStatus.SUCCESS),
    }
    with open_instance(settings, places) as instance:
        runs = {name: DagsterRun("job", tags=tags, status=state) for name, (tags, state) in cases.items()}
        for run in runs.values():
            instance.add_run(run)
        assert mark_dead_runs(instance) == [runs["reused"].run_id]
        assert status_of(instance, runs["ours"].run_id) == DagsterRunStatus.STARTED
        assert status_of(instance, runs["over"].run_id) == DagsterRunStatus.SUCCESS


def test_a_run_that_a_killed_server_left_is_over_once_nobody_serves_the_home(
    settings: Settings, places: Places
) -> None:
    import fcntl

    from dagster import DagsterRun

    with open_instance(settings, places) as instance:
        run = DagsterRun("job", tags={PARTITION_TAG: "2014"}, status=DagsterRunStatus.STARTED)
        waiting = DagsterRun("job", tags={PARTITION_TAG: "2014"}, status=DagsterRunStatus.NOT_STARTED)
        for own in (run, waiting):
            instance.add_run(own)
        with (places.dagster_home / UP_LOCK).open("w") as lock:  # as asco up holds it
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert not is_unserved(settings, places)
        assert is_unserved(settings, places)
        assert not is_unserved(replace(settings, postgres_url="postgresql://h/d"), places)
        assert mark_dead_runs(instance) == []
        assert mark_dead_runs(instance, unserved=True) == [run.run_id]
        assert status_of(instance, run.run_id) == DagsterRunStatus.FAILURE
        assert status_of(instance, waiting.run_id) == DagsterRunStatus.NOT_STARTED


@pytest.mark.parametrize("name", ["[x]", "a * b?", "[!plain]"])
def test_a_home_whose_path_is_a_pattern_is_configured_as_any_other(tmp_path: Path, name: str) -> None:
    """Dagster takes the path of its configuration for a pattern, finds no file, and falls back on SQLite."""
    settings = Settings(home=tmp_path / name)
    places = Places.of(settings)
    with open_instance(settings, places) as instance:
        assert type(instance.run_storage).__module__.startswith("dagster_postgres")
        assert Path(instance.root_directory) == places.dagster_home
        (limit,) = instance.get_settings("concurrency")["runs"]["tag_concurrency_limits"]
        assert limit["key"] == PARTITION_TAG
        assert instance.telemetry_enabled is False
        require_home_instance(instance, settings, places)
        # what “asco up” starts finds its configuration in the environment alone
        code = (
            "from dagster import DagsterInstance\n"
            "with DagsterInstance.get() as instance: print(type(instance.run_storage).__name__)"
        )
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert told == "PostgresRunStorage\n"
    assert not list(places.home.rglob("*.db"))


def test_a_storage_that_is_not_postgresql_is_refused(settings: Settings, places: Places) -> None:
    with open_instance(settings, places):
        (places.dagster_home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        with (
            pytest.raises(ConfigurationError, match="its storage is SqliteRunStorage; expected PostgreSQL"),
            instance_of(places),
        ):
            pass


def test_dagster_home_alone_is_enough(settings: Settings, places: Places, living: Living) -> None:
    """A process that asco did not start: it has the home's runs, and starts the home's server itself."""
    with open_instance(settings, places) as instance:
        from dagster import DagsterRun

        instance.add_run(DagsterRun("job", tags={PARTITION_TAG: "2014"}, status=DagsterRunStatus.SUCCESS))
    code = (
        "from dagster import DagsterInstance\nfrom asco_dagster.settings import Settings\n"
        "with DagsterInstance.get() as instance:\n"
        "    print(instance.get_runs_count(), Settings.from_environment().home)"
    )
    alone = {name: value for name, value in os.environ.items() if not name.startswith(("ASCO_", "DAGSTER_"))}
    alone["DAGSTER_HOME"] = str(places.dagster_home)
    done = subprocess.run([sys.executable, "-c", code], env=alone, capture_output=True, text=True, check=True)
    assert done.stdout == f"1 {places.home}\n"
    assert living(places.home) == []


def test_a_step_runs_under_the_instance_of_its_home_alone(
    settings: Settings, places: Places, tmp_path: Path
) -> None:
    other = Settings(home=tmp_path / "other")
    with open_instance(other, Places.of(other)) as instance:
        require_home_instance(instance, other, Places.of(other))
        with pytest.raises(ConfigurationError) as refused:
            require_home_instance(instance, settings, places)
    assert str(refused.value) == (
        f"this run belongs to the Dagster instance at {tmp_path / 'other' / 'dagster'}, not to that of "
        f"the home {places.home}; nothing was written. Start it with asco dagster -- … or asco dg -- …, "
        f"or with DAGSTER_HOME={places.dagster_home} and ASCO_HOME={places.home}."
    )


def test_the_later_of_two_runs_of_a_wave_refuses(settings: Settings, places: Places) -> None:
    from dagster import DagsterRun

    with open_instance(settings, places) as instance:
        tags = {PARTITION_TAG: "2014"}
        first, later = (DagsterRun("job", tags=tags, status=DagsterRunStatus.STARTED) for _ in range(2))
        instance.add_run(first)
        instance.add_run(later)
        require_no_other_run(instance, "2014", first.run_id)
        require_no_other_run(instance, "2025", later.run_id)
        with pytest.raises(AscoError, match=f"wave 2014 is running already .run {first.run_id[:8]}."):
            require_no_other_run(instance, "2014", later.run_id)
        instance.report_run_failed(first)
        require_no_other_run(instance, "2014", later.run_id)


def test_only_a_run_in_progress_is_running(settings: Settings, places: Places) -> None:
    from dagster import DagsterRun

    with open_instance(settings, places) as instance:
        for state in (DagsterRunStatus.NOT_STARTED, DagsterRunStatus.SUCCESS, DagsterRunStatus.CANCELED):
            instance.add_run(DagsterRun("job", tags={PARTITION_TAG: "2014"}, status=state))
        assert running_run(instance, "2014") is None
        for state in (DagsterRunStatus.STARTING, DagsterRunStatus.CANCELING):
            instance.add_run(DagsterRun("job", tags={PARTITION_TAG: state.value}, status=state))
            assert running_run(instance, state.value) is not None


def test_an_unreaped_process_counts_as_gone() -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert process_started(process.pid) is None
    process.wait()
    assert process_started(os.getpid()) == process_started(os.getpid()) is not None


def test_no_secret_is_written_and_children_get_what_they_need(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ASCO_UI_TOKEN", raising=False)  # of the tests that open pages
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    settings = Settings(
        home=places.home,
        postgres_url="postgresql://u:hunter2@h/d",
        pseudonym_key="k" * 32,
        quality_url="http://here/quality",
    )
    environment = prepare(settings, places, "postgresql+psycopg2://u:hunter2@h/d")
    told = (places.dagster_home / "dagster.yaml").read_text()
    assert "hunter2" not in told
    assert [path.name for path in places.dagster_home.iterdir()] == ["dagster.yaml"]
    limits = yaml.safe_load(told)["concurrency"]["runs"]["tag_concurrency_limits"]
    assert limits == [{"key": "dagster/partition", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}]
    assert Settings.from_environment(environment) == settings
    assert environment["DAGSTER_PG_URL"].endswith("hunter2@h/d")
    assert environment["GX_ANALYTICS_ENABLED"] == "false"
    assert environment["DAGSTER_DISABLE_TELEMETRY"] == "1"
    assert "PYTHONDONTWRITEBYTECODE" not in environment


def status_of(instance: DagsterInstance, run_id: str) -> DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status
