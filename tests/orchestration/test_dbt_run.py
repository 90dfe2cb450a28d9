"""dbt in this process: what it may spill, and what a killed run of it leaves in a wave's folder."""

from pathlib import Path

import pytest

from asco_dagster.encryption import SPILL
from asco_dagster.orchestration.dbt_manifest import common_arguments
from asco_dagster.orchestration.dbt_run import sweep
from asco_dagster.places import DBT_PROJECT

SORTED = "select i, md5(i::varchar) as text from range(2000000) numbers(i) order by text"


def test_models_go_on_after_one_that_did_not_fit_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two at once, each with a connection of its own: after the first spill DuckDB takes no folder for it."""
    from dbt.cli.main import dbtRunner

    project = tmp_path / "project"
    (project / "models").mkdir(parents=True)
    (project / "dbt_project.yml").write_text("{name: asco, profile: asco, version: 1.0.0}")
    (project / "profiles.yml").write_bytes((DBT_PROJECT / "profiles.yml").read_bytes())
    for name in ("first", "second", "third"):
        (project / "models" / f"{name}.sql").write_text(f"{{{{ config(materialized='table') }}}} {SORTED}")
    for name, value in {"DATABASE": "wave.duckdb", "SPILL": SPILL}.items():
        monkeypatch.setenv(f"WAVE_{name}", str(tmp_path / value))
    monkeypatch.setenv("WAVE_MEMORY", "100MB")
    arguments = ["build", "--quiet", "--target", "wave"]
    outcome = dbtRunner().invoke([*arguments, *common_arguments(project, tmp_path / "target")])
    assert [str(result.status) for result in outcome.result.results] == ["success"] * 3


def test_the_targets_of_killed_runs_are_swept_and_nothing_else_is(tmp_path: Path) -> None:
    (tmp_path / "dbt-x1" / "run").mkdir(parents=True)
    (tmp_path / "dbt-x1" / "run" / "model.sql").write_text("select 1")
    (tmp_path / "gates").mkdir()
    (tmp_path / "asco.duckdb").write_bytes(b"")
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["asco.duckdb", "gates"]
