"""Publication asks for itself: a gate or test that is missing, stale or closed refuses, and is named."""

import dagster as dg
import pytest

from asco_dagster.errors import GateError
from asco_dagster.orchestration.checks import gate_name, gate_spec, wave_check
from asco_dagster.orchestration.partitions import WAVES
from asco_dagster.orchestration.release_guard import require_open_gates

ASSET = "stg_x__y"
TEST = "unique_stg_x__y_code"


def _asset(
    *, passed: bool, severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR
) -> dg.AssetsDefinition:
    @dg.asset(name=ASSET, partitions_def=WAVES, check_specs=[gate_spec(ASSET)])
    def step():
        check = dg.AssetCheckResult(
            check_name=gate_name(ASSET), passed=passed, severity=severity, description="seven rows too many"
        )
        yield dg.MaterializeResult(check_results=[check])

    return step


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def _run(instance: dg.DagsterInstance, asset: dg.AssetsDefinition, wave: str = "2014") -> None:
    dg.materialize([asset], instance=instance, partition_key=wave, raise_on_error=False)


def test_an_open_gate_passes(instance) -> None:
    _run(instance, _asset(passed=True))
    assert require_open_gates(instance, "2014", [ASSET], []) == {ASSET: "passed"}


def test_a_warning_is_reported_and_passes(instance) -> None:
    _run(instance, _asset(passed=False, severity=dg.AssetCheckSeverity.WARN))
    assert require_open_gates(instance, "2014", [ASSET], []) == {ASSET: "warned"}


def test_a_gate_that_never_ran_refuses(instance) -> None:
    with pytest.raises(GateError, match=f"gate gx__{ASSET} has never run for this wave"):
        require_open_gates(instance, "2014", [ASSET], [])


def test_the_gate_of_another_wave_does_not_count(instance) -> None:
    _run(instance, _asset(passed=True), "2025")
    with pytest.raises(GateError, match="never run for this wave"):
        require_open_gates(instance, "2014", [ASSET], [])


def test_a_closed_gate_refuses_and_says_why(instance) -> None:
    _run(instance, _asset(passed=False))
    with pytest.raises(GateError, match=r"is closed \(seven rows too many\)"):
        require_open_gates(instance, "2014", [ASSET], [])


def test_data_newer_than_its_gate_refuses(instance) -> None:
    _run(instance, _asset(passed=True))

    @dg.asset(name=ASSET, partitions_def=WAVES)
    def ungated():
        return dg.MaterializeResult()

    _run(instance, ungated)
    with pytest.raises(GateError, match="older than the data"):
        require_open_gates(instance, "2014", [ASSET], [])


def test_a_gate_that_is_mended_opens_again(instance) -> None:
    _run(instance, _asset(passed=False))
    _run(instance, _asset(passed=True))
    assert require_open_gates(instance, "2014", [ASSET], []) == {ASSET: "passed"}


def test_a_judgement_that_was_planned_and_never_made_does_not_count(instance) -> None:
    """A run that stops before an asset leaves its check planned: the judgement before it still stands."""
    _run(instance, _asset(passed=True))

    @dg.asset(name="raw_x__y", partitions_def=WAVES)
    def broken():
        raise RuntimeError("a file is missing")

    @dg.asset(name=ASSET, deps=[broken], partitions_def=WAVES, check_specs=[gate_spec(ASSET)])
    def step():
        raise AssertionError("never reached")

    dg.materialize([broken, step], instance=instance, partition_key="2014", raise_on_error=False)
    assert require_open_gates(instance, "2014", [ASSET], []) == {ASSET: "passed"}
    _run(instance, _asset(passed=False))
    dg.materialize([broken, step], instance=instance, partition_key="2014", raise_on_error=False)
    with pytest.raises(GateError, match="is closed"):
        require_open_gates(instance, "2014", [ASSET], [])


def test_a_dbt_test_refuses_as_a_gate_does(instance) -> None:
    """dbt's tests block within their own run only: publication alone must not pass over a red one."""
    key = dg.AssetCheckKey(dg.AssetKey(ASSET), TEST)
    found: dict[str, bool] = {}

    @dg.multi_asset(
        specs=[dg.AssetSpec(ASSET)],
        partitions_def=WAVES,
        check_specs=[gate_spec(ASSET), wave_check(TEST, ASSET, "no code twice")],
        can_subset=True,
    )
    def step(context):
        yield dg.MaterializeResult(asset_key=ASSET)
        for name in (gate_name(ASSET), TEST):
            if dg.AssetCheckKey(dg.AssetKey(ASSET), name) in context.selected_asset_check_keys:
                yield dg.AssetCheckResult(asset_key=ASSET, check_name=name, passed=found.get(name, True))

    _run(instance, _asset(passed=True))
    with pytest.raises(GateError, match=f"test {TEST} has never run for this wave"):
        require_open_gates(instance, "2014", [ASSET], [key])
    _run(instance, step)
    assert require_open_gates(instance, "2014", [ASSET], [key]) == {ASSET: "passed"}
    found[TEST] = False
    _run(instance, step)
    with pytest.raises(GateError, match=rf"not released: test {TEST} is closed"):
        require_open_gates(instance, "2014", [ASSET], [key])
    found[TEST] = True
    _run(instance, step)
    _run(instance, _asset(passed=True))
    with pytest.raises(GateError, match=f"not released: test {TEST} is older than the data"):
        require_open_gates(instance, "2014", [ASSET], [key])


def test_the_release_demands_every_dbt_test_of_the_real_graph() -> None:
    from asco_dagster.definitions import defs
    from asco_dagster.orchestration.asset_graph import dbt_tests_of, upstream

    graph = defs.resolve_asset_graph()
    every = {check.name for check in graph.asset_check_keys}
    tests = {check.name for check in dbt_tests_of(graph, upstream(graph, "pub_asco__release"))}
    assert tests == {name for name in every if not name.startswith("gx__")}
    assert "not_null_stg_territory__movements_movement" in tests
