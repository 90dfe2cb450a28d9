"""A layer of dbt models as one Dagster step, with a gate for each model and dbt's tests as checks.

Read from dbt's manifest directly and not through dagster-dbt (0.29.27 was tried in 2026): importing it costs
each process that loads the definitions 1.7 s of CPU and 90 MB more than Dagster alone; its runner starts a
subprocess for each call; its column lineage needs that runner's events and is no public interface; and its
assets and checks take neither gates nor partitions of checks.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

import dagster as dg

from asco_dagster.durable import private_files
from asco_dagster.errors import AscoError
from asco_dagster.escaping import in_markdown
from asco_dagster.observation import PEAK, SECONDS, Cost
from asco_dagster.orchestration.asset_code import dbt_code_hash
from asco_dagster.orchestration.asset_graph import downstream, whole_graph
from asco_dagster.orchestration.checks import (
    gate_name,
    gate_spec,
    require_open,
    run_gate,
    wave_check,
    withdraw_judgements,
)
from asco_dagster.orchestration.column_lineage import lineage_metadata
from asco_dagster.orchestration.column_texts import read_columns
from asco_dagster.orchestration.contents import (
    ALTERED,
    contents_of,
    forget_contents,
    record_contents,
    require_recorded,
)
from asco_dagster.orchestration.dbt_manifest import manifest_folder, read_manifest
from asco_dagster.orchestration.dbt_run import NodeResult, build, sweep
from asco_dagster.orchestration.fingerprints import (
    Fingerprint,
    base_fingerprint,
    fingerprint_of,
    forget_fingerprints,
    record_fingerprints,
)
from asco_dagster.orchestration.partitions import WAVES
from asco_dagster.orchestration.reuse import data_version, reusable
from asco_dagster.orchestration.run_guard import require_home_instance, require_no_other_run
from asco_dagster.orchestration.tags import REBUILT
from asco_dagster.orchestration.wave_step import (
    OWNERS,
    describe,
    described_schema,
    failing_with_sentence,
    require_suites,
    tags_of,
    wave_of,
)
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.warehouse import columns_of, open_database
from asco_dagster.waves import Wave

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class _Layer:
    """A layer of the dbt project.

    Attributes:
        manifest: dbt's.
        nodes: its models and seeds by name, each after those that it reads.
        tests: dbt's tests of these, by name.
    """

    manifest: Mapping[str, Any]
    nodes: Mapping[str, Mapping[str, Any]]
    tests: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, manifest: Mapping[str, Any], name: str) -> "_Layer":
        """The layer with this name."""
        nodes = {node["name"]: node for node in _nodes(manifest, name)}
        return cls(manifest, nodes, {test["name"]: test for test in _tests(manifest, nodes)})

    def reads(self, node: Mapping[str, Any]) -> list[str]:
        """Names of the assets that a node reads."""
        return _reads(self.manifest, node)


Reused = dict[str, dg.MaterializeResult]
"""Models that are up to date with all their checks, by name."""


@dataclass(frozen=True)
class _Plan:
    """What a step does.

    Attributes:
        wanted: models that the run asks for, each after those that it reads.
        reused: those of them that are up to date.
        rebuilt: the others.
        altered: those of the rebuilt whose table something other than its step had written.
        made: fingerprints of the wanted.
        tests: dbt's tests to run.
    """

    wanted: list[str]
    reused: Reused
    rebuilt: list[str]
    altered: set[str]
    made: Mapping[str, Fingerprint | None]
    tests: list[str]


def dbt_layer(layer: str) -> dg.AssetsDefinition:
    """The dbt models and seeds of a layer as one step that can be run for some of them.

    Args:
        layer: name of the layer, as its folder under ``dbt_project/models``.

    Returns:
        The assets, their gates and their dbt tests, on the wave partition.
    """
    manifest = read_manifest(Places.of(Settings.from_environment()))
    content = _Layer.of(manifest, layer)

    @dg.multi_asset(
        name=f"build_{layer}_models",
        specs=[_asset_spec(manifest, node, layer) for node in content.nodes.values()],
        check_specs=[
            *(gate_spec(name) for name in content.nodes),
            *(_test_spec(test) for test in content.tests.values()),
        ],
        partitions_def=WAVES,
        can_subset=True,
    )
    def execute(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        checks: list[dg.AssetCheckResult] = []
        with failing_with_sentence():
            for result in _executed(content, context, settings):
                checks += (
                    (result.check_results or []) if isinstance(result, dg.MaterializeResult) else [result]
                )
                yield result
        require_open(checks, context.partition_key, settings)

    return execute


def _executed(
    layer: _Layer, context: dg.AssetExecutionContext, settings: Settings
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Each model with the verdicts on it as one result, then the tests of models that are not built."""
    wave, places, cost = wave_of(context), Places.of(settings), Cost()
    require_home_instance(context.instance, settings, places)
    require_no_other_run(context.instance, wave.wave, context.run.run_id)
    with open_database(places.database(wave.wave)) as database:
        sweep(places.wave(wave.wave))
        plan = _planned(layer, context, database, wave, settings)
    if plan.rebuilt:
        require_suites(context, wave)
        below = downstream(whole_graph(context), plan.rebuilt)
        withdraw_judgements(plan.rebuilt, below, wave.wave, places, context.run.run_id)
    with private_files():
        results = _built([*plan.rebuilt, *plan.tests], wave, places)
    peak = cost.metadata()[PEAK]
    for name in plan.rebuilt:
        _require_built(results.get(layer.nodes[name]["unique_id"]), name)
    tests: dict[str, list[dg.AssetCheckResult]] = {}
    for name in plan.tests:
        test = layer.tests[name]
        tests.setdefault(_judged(test), []).append(_test_result(test, results.get(test["unique_id"])))
    with private_files(), open_database(places.database(wave.wave)) as database:
        record_fingerprints(database, {name: plan.made[name] for name in plan.rebuilt})
        record_contents(database, plan.rebuilt)
        for name in plan.wanted:
            if name in plan.reused:
                yield plan.reused[name]
                continue
            node, made = layer.nodes[name], plan.made[name]
            metadata = _metadata(layer, database, node, results[node["unique_id"]], places)
            rebuilt = {REBUILT: ALTERED} if name in plan.altered else {}
            version = made.fingerprint if made else ""
            gate = run_gate(database, name, wave, places, settings, context.run.run_id, version)
            yield dg.MaterializeResult(
                asset_key=name,
                metadata={**metadata, PEAK: peak, **rebuilt},
                check_results=[gate, *tests.pop(name, [])],
                data_version=data_version(made),
            )
    for found in tests.values():
        yield from found


def _planned(
    layer: _Layer,
    context: dg.AssetExecutionContext,
    database: "duckdb.DuckDBPyConnection",
    wave: Wave,
    settings: Settings,
) -> _Plan:
    """Find out what is up to date and what is rebuilt; a refusal leaves what is recorded as it was."""
    wanted = [name for name in layer.nodes if dg.AssetKey(name) in context.selected_asset_keys]
    selected = {key.name for key in context.selected_asset_check_keys}
    asked = [name for name in layer.tests if name in selected]
    checks = {name: [gate_name(name)] for name in wanted}
    for name in asked:
        checks.setdefault(_judged(layer.tests[name]), []).append(name)
    database.begin()
    reused, made = _reused(layer, context, database, checks, wave, settings, wanted)
    for test in layer.tests.values():  # a test between two models runs again when either is rebuilt
        if {_judged(test), *layer.reads(test)} & (set(wanted) - set(reused)):
            reused.pop(_judged(test), None)
    rebuilt = [name for name in wanted if name not in reused]
    read = {parent for name in rebuilt for parent in layer.reads(layer.nodes[name])}
    require_recorded(database, sorted(read - set(rebuilt)))
    altered = {name for name in rebuilt if contents_of(database, name) == "altered"}
    forget_contents(database, rebuilt)
    database.commit()
    tests = [name for name in asked if _judged(layer.tests[name]) not in reused]
    return _Plan(wanted, reused, rebuilt, altered, made, tests)


def _reused(
    layer: _Layer,
    context: dg.AssetExecutionContext,
    database: "duckdb.DuckDBPyConnection",
    checks: Mapping[str, list[str]],
    wave: Wave,
    settings: Settings,
    wanted: Sequence[str],
) -> tuple[Reused, dict[str, Fingerprint | None]]:
    """The models that are up to date, and the fingerprint of each; below a rebuilt model all are rebuilt."""
    places = Places.of(settings)
    base = base_fingerprint(wave, places, settings)
    reused: Reused = {}
    made: dict[str, Fingerprint | None] = {}
    for name in wanted:
        node = layer.nodes[name]
        code = dbt_code_hash(layer.manifest, node, __name__)
        made[name] = fingerprint_of(database, name, layer.reads(node), [base, code])
        found = reusable(context, database, name, made[name], checks[name], places)
        if found is None:
            # from here on, the models of this step that read this one see its coming fingerprint
            record_fingerprints(database, {name: made[name]})
        else:
            reused[name] = found
    forget_fingerprints(database, [name for name in wanted if name not in reused])
    return reused, made


def _metadata(
    layer: _Layer,
    database: "duckdb.DuckDBPyConnection",
    node: Mapping[str, Any],
    result: NodeResult,
    places: Places,
) -> dict[str, Any]:
    """Rows, columns, column lineage and seconds of a model that was just built."""
    schemas = {parent: columns_of(database, parent) for parent in layer.reads(node)}
    return {
        **describe(database, node["name"]),
        **lineage_metadata(manifest_folder(places), result.sql, schemas),
        SECONDS: round(result.seconds, 3),
    }


def _built(selection: list[str], wave: Wave, places: Places) -> dict[str, NodeResult]:
    """Results of dbt by node; without a selection dbt is not started."""
    if not selection:
        return {}
    return {result.unique_id: result for result in build(selection, wave=wave, places=places)}


def _judged(test: Mapping[str, Any]) -> str:
    """Name of the model that a dbt test is a check of."""
    return str(test["attached_node"].split(".")[-1])


def _reads(manifest: Mapping[str, Any], node: Mapping[str, Any]) -> list[str]:
    """Names of the assets that a model reads."""
    everything = {**manifest["nodes"], **manifest["sources"]}
    return sorted({everything[unique_id]["name"] for unique_id in node["depends_on"].get("nodes", [])})


def _nodes(manifest: Mapping[str, Any], layer: str) -> list[Mapping[str, Any]]:
    """Models and seeds of a layer, each after those that it reads: the order in which Dagster wants them."""
    own = {
        unique_id: node
        for unique_id, node in sorted(manifest["nodes"].items())
        if node["resource_type"] in ("model", "seed") and node["schema"] == layer
    }
    reads = {
        unique_id: [parent for parent in node["depends_on"].get("nodes", []) if parent in own]
        for unique_id, node in own.items()
    }
    return [own[unique_id] for unique_id in TopologicalSorter(reads).static_order()]


def _tests(manifest: Mapping[str, Any], nodes: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    own = {node["unique_id"] for node in nodes.values()}
    return [
        node
        for _, node in sorted(manifest["nodes"].items())
        if node["resource_type"] == "test" and node.get("attached_node") in own
    ]


def _asset_spec(manifest: Mapping[str, Any], node: Mapping[str, Any], layer: str) -> dg.AssetSpec:
    declared = {column["name"]: column.get("data_type") or "?" for column in node["columns"].values()}
    columns = read_columns().get(node["name"], declared)
    return dg.AssetSpec(
        node["name"],
        deps=_reads(manifest, node),
        group_name=layer,
        description=node["description"],
        kinds={"dbt", "duckdb"} | ({"seed"} if node["resource_type"] == "seed" else set()),
        owners=OWNERS,
        tags=tags_of(node["name"]),
        metadata={
            "dagster/column_schema": described_schema(node["name"], columns),
            "model": f"dbt_project/{node['original_file_path']}",
        },
    )


def _test_spec(test: Mapping[str, Any]) -> dg.AssetCheckSpec:
    return wave_check(
        test["name"],
        test["attached_node"].split(".")[-1],
        test["description"] or "dbt test of keys, relations and contracts",
    )


def _require_built(result: NodeResult | None, name: str) -> None:
    if result is None or result.status not in ("success", "pass"):
        message = result.message if result else "dbt did not select it"
        raise AscoError(
            f"model {name} was not built: {message}",
            remedy="Fix the cause and run the wave again: the model is rebuilt",
        )


def _test_result(test: Mapping[str, Any], result: NodeResult | None) -> dg.AssetCheckResult:
    """The verdict of a test; one that dbt could not run is closed as well, and says so."""
    ran = result is not None and result.status in ("pass", "warn", "fail")
    return dg.AssetCheckResult(
        check_name=test["name"],
        asset_key=_judged(test),
        passed=result is not None and result.status == "pass",
        severity=dg.AssetCheckSeverity.ERROR,
        description=in_markdown(_test_sentence(test, result) if result and ran else _not_run(result)),
        metadata={"failing rows": result.failures} if result and ran else {},
    )


def _test_sentence(test: Mapping[str, Any], result: NodeResult) -> str:
    """What a test demands, and how many rows break it."""
    what = test["description"] or test["name"].replace("_", " ")
    if result.status == "pass":
        return what
    return f"{what} (expected no row; observed {result.failures:,}): see {test['original_file_path']}"


def _not_run(result: NodeResult | None) -> str:
    why = result.message if result else "dbt did not select it"
    return AscoError(
        f"the test could not be run: {why}",
        remedy="Fix the cause and run the wave again: the test is run again",
    ).sentence()
