"""What a killed run of dbt leaves in a wave's folder is gone after the next run of its layer."""

from asco_dagster.orchestration.dbt_run import sweep


def test_the_targets_of_killed_runs_are_swept_and_nothing_else_is(tmp_path):
    (tmp_path / "dbt-x1" / "run").mkdir(parents=True)
    (tmp_path / "dbt-x1" / "run" / "model.sql").write_text("select 1")
    (tmp_path / "gates").mkdir()
    (tmp_path / "asco.duckdb").write_bytes(b"")
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["asco.duckdb", "gates"]
