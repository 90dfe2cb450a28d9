"""A layer of dbt models as one Dagster step, with a gate for each model and dbt's tests as checks.

Built from the manifest directly rather than through dagster-dbt, whose step costs a subprocess, a second
adapter and seconds of waiting a call (``shared/stack.md``), and whose assets take no gates of ours. What
does not belong here: the SQL (``dbt_project/models/<layer>``).
"""

from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import dagster as dg

from asco_dagster.durable import private_files
from asco_dagster.errors import AscoError
from asco_dagster.escaping import in_markdown
from asco_dagster.observation import PEAK, SECONDS, Cost
from asco_dagster.orchestration.asset_code import dbt_code_hash
from asco_dagster.orchestration.checks import (
    gate_name,
    gate_spec,
    run_gate,
    wave_check,
    withdraw_judgements,
)
from asco_dagster.orchestration.column_lineage import lineage_metadata
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
from asco_dagster.orchestration.wave_step import OWNERS, describe, require_suites, tags_of
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.warehouse import columns_of, open_database
from asco_dagster.waves import Wave, load_wave


def dbt_layer(layer: str) -> dg.AssetsDefinition:
    """The dbt models and seeds of a layer as one step that can be run for some of them.

    Args:
        layer: name of the layer, as its folder under ``dbt_project/models``.

    Returns:
        The assets, their gates and their dbt tests, on the wave partition.
    """
    manifest = read_manifest(Places.of(Settings.from_environment()))
    nodes = {node["name"]: node for node in _nodes(manifest, layer)}
    tests = {test["name"]: test for test in _tests(manifest, nodes)}

    @dg.multi_asset(
        name=f"dbt_{layer}",
        specs=[_asset_spec(manifest, node, layer) for node in nodes.values()],
        check_specs=[gate_spec(name) for name in nodes] + [_test_spec(test) for test in tests.values()],
        partitions_def=WAVES,
        can_subset=True,
    )
    def step(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        wave, places, cost = load_wave(context.partition_key), Places.of(settings), Cost()
        require_home_instance(context.instance, settings, places)
        require_no_other_run(context.instance, wave.wave, context.run.run_id)
        wanted = [name for name in nodes if dg.AssetKey(name) in context.selected_asset_keys]
        asked = {key.name for key in context.selected_asset_check_keys}
        own = {name: [gate_name(name)] for name in wanted}
        for name, test in tests.items():
            if name in asked:
                own.setdefault(_judged(test), []).append(name)
        with open_database(places.database(wave.wave)) as database:
            sweep(places.wave(wave.wave))
            base = base_fingerprint(wave, places, settings)
            made_by = {name: [base, dbt_code_hash(manifest, nodes[name], __name__)] for name in wanted}
            reads = {name: _reads(manifest, nodes[name]) for name in wanted}
            database.begin()  # a refusal below leaves what was recorded
            stood, made = _stood(context, database, reads, own, made_by, places.gates(wave.wave))
            for test in tests.values():  # a test between two models is judged again when either was made anew
                if {_judged(test), *_reads(manifest, test)} & (set(wanted) - set(stood)):
                    stood.pop(_judged(test), None)
            chosen = [name for name in wanted if name not in stood]
            require_recorded(
                database, sorted({read for name in chosen for read in reads[name]} - set(chosen))
            )
            altered = {name for name in chosen if contents_of(database, name) == "altered"}
            forget_contents(database, chosen)
            database.commit()
        judged = [name for name in tests if name in asked and _judged(tests[name]) not in stood]
        if chosen:
            require_suites(context, wave)
            withdraw_judgements(chosen, wave.wave, places, context.run.run_id)
        with private_files():
            results = _built([*chosen, *judged], wave, places)
        peak = cost.told()[PEAK]
        for name in chosen:
            _require_built(results.get(nodes[name]["unique_id"]), name)
        with private_files(), open_database(places.database(wave.wave)) as database:
            record_fingerprints(database, {name: made[name] for name in chosen})
            record_contents(database, chosen)
            for name in wanted:
                if name in stood:
                    yield stood[name][0]
                    yield from stood[name][1]
                    continue
                result = results[nodes[name]["unique_id"]]
                columns = {c["name"]: c.get("description") or "" for c in nodes[name]["columns"].values()}
                schemas = {parent: columns_of(database, parent) for parent in reads[name]}
                metadata = {
                    **describe(database, name, columns),
                    **lineage_metadata(manifest_folder(places), result.sql, schemas),
                    **{SECONDS: round(result.seconds, 3), PEAK: peak},
                    **({REBUILT: ALTERED} if name in altered else {}),
                }
                yield dg.MaterializeResult(
                    asset_key=name, metadata=metadata, data_version=data_version(made[name])
                )
                yield run_gate(database, name, wave, places, settings, context.run.run_id)
        for name in judged:
            yield _test_result(tests[name], results.get(tests[name]["unique_id"]))

    return step


Stood = dict[str, tuple[dg.MaterializeResult, list[dg.AssetCheckResult]]]


def _stood(
    context: dg.AssetExecutionContext,
    database: Any,
    reads: Mapping[str, list[str]],
    checks: Mapping[str, list[str]],
    made_by: Mapping[str, list[str]],
    results: Path,
) -> tuple[Stood, dict[str, Fingerprint | None]]:
    """Models that stand with all their judgements, and what each is made of; a model made anew has none yet.

    A model below one that is made anew is made anew itself.
    """
    stood: Stood = {}
    made: dict[str, Fingerprint | None] = {}
    for name, parents in reads.items():
        made[name] = fingerprint_of(database, name, parents, made_by[name])
        told = reusable(context, database, name, made[name], checks[name], results)
        if told is None:
            # from here on, whoever reads this model in this step sees its coming fingerprint
            record_fingerprints(database, {name: made[name]})
        else:
            stood[name] = told
    forget_fingerprints(database, [name for name in reads if name not in stood])
    return stood, made


def _built(selection: list[str], wave: Wave, places: Places) -> dict[str, NodeResult]:
    """Results of dbt by node; nothing is asked of dbt where nothing is chosen."""
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
    columns = [
        dg.TableColumn(column["name"], column.get("data_type") or "?", description=column.get("description"))
        for column in node["columns"].values()
    ]
    return dg.AssetSpec(
        node["name"],
        deps=_reads(manifest, node),
        group_name=layer,
        description=node["description"],
        kinds={"dbt", "duckdb"} | ({"seed"} if node["resource_type"] == "seed" else set()),
        owners=OWNERS,
        tags=tags_of(node["name"]),
        metadata={
            "dagster/column_schema": dg.TableSchema(columns=columns),
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
            remedy="Mend what stopped it and run the wave again: it is built anew",
        )


def _test_result(test: Mapping[str, Any], result: NodeResult | None) -> dg.AssetCheckResult:
    """The verdict of a test; one that dbt could not run is closed as well, and says so."""
    ran = result is not None and result.status in ("pass", "warn", "fail")
    return dg.AssetCheckResult(
        check_name=test["name"],
        asset_key=_judged(test),
        passed=result is not None and result.status == "pass",
        severity=dg.AssetCheckSeverity.ERROR,
        description=in_markdown(result.message if result and ran else _not_run(result)),
        metadata={"failing rows": result.failures} if result and ran else {},
    )


def _not_run(result: NodeResult | None) -> str:
    why = result.message if result else "dbt did not select it"
    return AscoError(
        f"the test could not be run: {why}",
        remedy="Mend what stopped it and run the wave again: it is run anew",
    ).sentence()
