"""``asco status`` and ``asco releases``: what they tell, before the first run and after."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from dagster import (
    AssetCheckEvaluation,
    AssetCheckSeverity,
    AssetKey,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
)
from typer import Typer
from typer.testing import CliRunner

from asco_dagster.cli.releases import releases
from asco_dagster.cli.status import status
from asco_dagster.errors import ConfigurationError, ReleaseError
from asco_dagster.gates.suite import suite_assets
from asco_dagster.operations.instance import open_instance
from asco_dagster.operations.monitoring.overview import overview
from asco_dagster.orchestration.tags import PARTITION_TAG
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.waves import wave_names

pytestmark = pytest.mark.slow


@pytest.fixture
def expectations(tmp_path: Path) -> Path:
    for asset in ("stg_a__passed", "stg_b__warned", "stg_c__failed", "stg_d__never"):
        path = tmp_path / "expectations" / "staging" / f"{asset}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    return tmp_path / "expectations"


@pytest.fixture
def released(places: Places) -> Path:
    folder = places.releases("2014")
    for version, day in (("1.0.0", "2026-01-01T00:00:00Z"), ("2.0.0", "2026-02-01T00:00:00Z")):
        (folder / version).mkdir(parents=True)
        manifest = {"wave": "2014", "version": version, "released_at": day, "content_sha256": version * 12}
        (folder / version / "manifest.json").write_text(json.dumps(manifest | {"rules": []}))
    (folder / ".v3.draft").mkdir()
    (folder / "latest").symlink_to("2.0.0")
    return folder


def call(command: object, *arguments: str) -> str:
    app = Typer()
    app.command()(command)  # type: ignore[type-var]
    result = CliRunner().invoke(app, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def judge(
    instance: DagsterInstance, run: DagsterRun, asset: str, passed: bool, severity: AssetCheckSeverity
) -> None:
    evaluation = AssetCheckEvaluation(
        AssetKey(asset), f"gx__{asset}", passed, {}, severity=severity, partition=run.tags[PARTITION_TAG]
    )
    event = DagsterEvent(
        DagsterEventType.ASSET_CHECK_EVALUATION.value, run.job_name, event_specific_data=evaluation
    )
    instance.report_dagster_event(event, run.run_id)


def test_before_the_first_run_nothing_is_started(places: Places) -> None:
    waves = json.loads(call(status, "--json"))
    assert [wave["wave"] for wave in waves] == wave_names()
    assert all(wave["run"] is None and wave["release"] is None for wave in waves)
    assert all(set(wave["gates"]["by_asset"].values()) <= {"never"} for wave in waves)
    assert not places.postgres.exists()
    assert "never" in call(status)


def test_the_state_of_a_wave_is_its_own(
    settings: Settings,
    places: Places,
    expectations: Path,
    released: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with open_instance(settings, places) as instance:
        runs = [
            DagsterRun("wave_job", tags={PARTITION_TAG: wave}, status=DagsterRunStatus.STARTED)
            for wave in ("2025", "2014")
        ]
        for run in runs:
            instance.add_run(run)
        # The other wave has the gates the other way round, and 2014's first gate failed once before.
        error, warn = AssetCheckSeverity.ERROR, AssetCheckSeverity.WARN
        judge(instance, runs[0], "stg_a__passed", False, error)
        judge(instance, runs[0], "stg_d__never", True, error)
        judge(instance, runs[1], "stg_a__passed", False, error)
        judge(instance, runs[1], "stg_a__passed", True, error)
        judge(instance, runs[1], "stg_b__warned", False, warn)
        judge(instance, runs[1], "stg_c__failed", False, error)
        instance.report_run_failed(runs[1])

    assets = suite_assets(expectations)
    monkeypatch.setattr("asco_dagster.operations.monitoring.overview.suite_assets", lambda: assets)
    first, second = overview(settings, places)
    with monkeypatch.context() as patch:  # a gate whose latest result is older than all recent ones
        patch.setattr("asco_dagster.orchestration.release_guard._RECENT", 1)
        assert overview(settings, places) == [first, second]
    assert first.gates == {
        "stg_a__passed": "passed",
        "stg_b__warned": "warned",
        "stg_c__failed": "failed",
        "stg_d__never": "never",
    }
    assert first.as_json()["gates"]["counts"] == {"passed": 1, "warned": 1, "failed": 1, "never": 1}
    assert first.run is not None and first.run.run_id == runs[1].run_id and first.run.status == "FAILURE"
    assert first.release == "2.0.0"
    assert second.gates["stg_a__passed"] == "failed"
    assert second.gates["stg_d__never"] == "passed"
    assert second.run is not None and second.run.status == "STARTED"
    assert second.release is None
    assert "2.0.0" in call(status)


def test_status_loads_nothing_heavy(settings: Settings) -> None:
    code = (
        "import sys, asco_dagster.operations.monitoring.overview as o, asco_dagster.storage.places as p\n"
        "from asco_dagster.settings import Settings\n"
        "s = Settings.from_environment(); o.overview(s, p.Places.of(s))\n"
        "print(*[m for m in ('pandas', 'great_expectations', 'dbt', 'duckdb') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
    assert done.stderr == ""


def test_releases_are_listed_in_order_and_the_latest_marked(released: Path) -> None:
    lines = call(releases).splitlines()
    assert [line.split()[:2] for line in lines] == [["2014", "1.0.0"], ["*", "2014"]]
    assert lines[1].split() == ["*", "2014", "2.0.0", "2026-02-01T00:00:00Z", "2.0.0" * 12]
    told = json.loads(call(releases, "2014", "--json"))
    assert [(release["version"], release["latest"]) for release in told] == [
        ("1.0.0", False),
        ("2.0.0", True),
    ]


def test_no_release_is_no_error_but_no_wave_is(settings: Settings) -> None:
    assert json.loads(call(releases, "--json")) == []
    assert "No release of wave 2025 yet" in call(releases, "2025")
    with pytest.raises(ConfigurationError, match="there is no wave “1999”"):
        call(releases, "1999")


@pytest.mark.parametrize("text", ["{", "[]", '{"wave": "2014"}'])
def test_a_release_that_cannot_be_read_is_reported(released: Path, text: str) -> None:
    (released / "1.0.0" / "manifest.json").write_text(text)
    with pytest.raises(ReleaseError, match=r"release 2014/1.0.0 has no readable manifest"):
        call(releases)
