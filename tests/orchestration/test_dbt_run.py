"""dbt in this process: what it may spill, and what a killed run of it leaves in a wave's folder."""

from pathlib import Path

import pytest

from asco_dagster.installation import DBT_PROJECT
from asco_dagster.orchestration.dbt_manifest import common_arguments
from asco_dagster.orchestration.dbt_run import sweep
from asco_dagster.storage.encryption import SPILL

pytestmark = pytest.mark.slow

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
    arguments = ["build", "--quiet", "--target", "wave", "--vars", "{wave: small}"]
    outcome = dbtRunner().invoke([*arguments, *common_arguments(project, tmp_path / "target")])
    assert [str(result.status) for result in outcome.result.results] == ["success"] * 3


PROFILES = ("wave", "encrypted")


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    "command", [["build", "--select", "staging"], ["seed"], ["show", "--inline", "select 1"]]
)
def test_dbt_without_a_wave_refuses_in_one_sentence_and_opens_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], profile: str
) -> None:
    from dbt.cli.main import dbtRunner

    database = tmp_path / "asco.duckdb"
    monkeypatch.setenv("WAVE_DATABASE", str(database))
    arguments = [*command, "--target", profile, *common_arguments(DBT_PROJECT, tmp_path / "target")]
    outcome = dbtRunner().invoke(arguments)
    assert not outcome.success
    told = " ".join(str(outcome.exception).split())
    assert told.endswith(
        "dbt was started without a wave's values, so that it opens no database."
        " Run it with asco dbt WAVE -- ARGUMENTS, for example asco dbt 2014 -- build."
    )
    assert not database.exists()


def test_a_value_of_the_wave_that_is_not_given_is_named_and_not_made_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dbt.cli.main import dbtRunner

    monkeypatch.setenv("WAVE_DATABASE", str(tmp_path / "asco.duckdb"))
    monkeypatch.setenv("WAVE_SPILL", str(tmp_path / SPILL))
    arguments = ["run", "--select", "stg_territory__communes", "--target", "wave", "--vars", "{wave: small}"]
    outcome = dbtRunner().invoke([*arguments, *common_arguments(DBT_PROJECT, tmp_path / "target")])
    (result,) = outcome.result.results
    assert str(result.status) == "error"
    assert "the wave's value commune_size_classes is not given" in result.message


def test_the_targets_of_killed_runs_are_swept_and_nothing_else_is(tmp_path: Path) -> None:
    (tmp_path / "dbt-x1" / "run").mkdir(parents=True)
    (tmp_path / "dbt-x1" / "run" / "model.sql").write_text("select 1")
    (tmp_path / "gates").mkdir()
    (tmp_path / "asco.duckdb").write_bytes(b"")
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["asco.duckdb", "gates"]
