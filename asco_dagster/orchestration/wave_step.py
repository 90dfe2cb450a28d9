"""The step of one asset of one wave: compute, write, gate, report.

``wave_asset`` turns a function that returns a table into a gated Dagster asset; the function sees a
``WaveStep`` and nothing of Dagster. Assets made by dbt are in ``dbt_layer``, which reports in the same form.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

from asco_dagster.gates.checks import gate_spec, run_gate
from asco_dagster.layers import layer_of
from asco_dagster.operations.observation import Cost, private_files
from asco_dagster.orchestration.partitions import WAVES
from asco_dagster.places import Places
from asco_dagster.settings import Settings
from asco_dagster.warehouse import columns_of, count_rows, open_database, write_table
from asco_dagster.waves import Wave, load_wave

if TYPE_CHECKING:
    import duckdb

OWNERS = ["team:asco"]


@dataclass(frozen=True)
class WaveStep:
    """What a step may use.

    Attributes:
        wave: the wave, as its file declares it.
        places: where things lie.
        settings: the environment.
        database: the wave's open database.
        log: the run's log.
        context: Dagster's context, for the steps that ask the instance something.
    """

    wave: Wave
    places: Places
    settings: Settings
    database: "duckdb.DuckDBPyConnection"
    log: Any
    context: dg.AssetExecutionContext


@dataclass(frozen=True)
class Table:
    """What a step returns: the rows to write (None when the step wrote them itself) and what to tell."""

    rows: Any
    metadata: Mapping[str, Any]


def wave_asset(
    *, deps: Sequence[str] = (), kinds: frozenset[str] = frozenset({"python", "duckdb"})
) -> Callable[[Callable[[WaveStep], Any]], dg.AssetsDefinition]:
    """Make a gated asset of a function; its name is the asset's, its docstring the description.

    Args:
        deps: assets that the step reads.
        kinds: Dagster kinds shown in the graph.

    Returns:
        A decorator for functions of a ``WaveStep`` that return a data frame, an Arrow table or a ``Table``.
    """

    def decorate(compute: Callable[[WaveStep], Any]) -> dg.AssetsDefinition:
        name = compute.__name__
        confidential = layer_of(name) != "publication"

        @dg.asset(
            name=name,
            deps=list(deps),
            group_name=layer_of(name),
            description=(compute.__doc__ or "").strip(),
            kinds=set(kinds),
            owners=OWNERS,
            partitions_def=WAVES,
            check_specs=[gate_spec(name)],
        )
        def step(
            context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
        ) -> Iterator[dg.MaterializeResult]:
            wave, places, cost = load_wave(context.partition_key), Places.of(settings), Cost()
            with private_files(private=confidential), open_database(places.database(wave.wave)) as database:
                made = compute(WaveStep(wave, places, settings, database, context.log, context))
                table = made if isinstance(made, Table) else Table(made, {})
                if table.rows is not None:
                    write_table(database, name, table.rows)
                metadata = {**describe(database, name), **table.metadata, **cost.told()}
                check = run_gate(database, name, wave, places, settings)
            yield dg.MaterializeResult(metadata=metadata, check_results=[check])

        return step

    return decorate


def wave_assets(
    names: Sequence[str], *, deps: Sequence[str] = (), kinds: frozenset[str] = frozenset({"python", "duckdb"})
) -> Callable[[Callable[[WaveStep], Mapping[str, Table]]], dg.AssetsDefinition]:
    """Make several gated assets of one function, where one computation gives several tables: all, or none.

    Args:
        names: the assets, each with what it holds in one sentence behind a colon (``est_a__b: One row …``).
        deps: assets that the step reads.
        kinds: Dagster kinds shown in the graph.

    Returns:
        A decorator for functions of a ``WaveStep`` that return a ``Table`` for each asset.
    """
    described = dict(name.split(": ", 1) for name in names)
    confidential = all(layer_of(name) != "publication" for name in described)

    def decorate(compute: Callable[[WaveStep], Mapping[str, Table]]) -> dg.AssetsDefinition:
        @dg.multi_asset(
            name=compute.__name__,
            specs=[
                dg.AssetSpec(
                    name,
                    deps=list(deps),
                    group_name=layer_of(name),
                    description=description,
                    kinds=set(kinds),
                    owners=OWNERS,
                )
                for name, description in described.items()
            ],
            check_specs=[gate_spec(name) for name in described],
            partitions_def=WAVES,
        )
        def step(
            context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
        ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
            wave, places, cost = load_wave(context.partition_key), Places.of(settings), Cost()
            with private_files(private=confidential), open_database(places.database(wave.wave)) as database:
                made = compute(WaveStep(wave, places, settings, database, context.log, context))
                database.begin()
                for name in described:
                    write_table(database, name, made[name].rows)
                database.commit()
                spent = cost.told()
                for name in described:
                    metadata = {**describe(database, name), **made[name].metadata, **spent}
                    yield dg.MaterializeResult(asset_key=name, metadata=metadata)
                for name in described:
                    yield run_gate(database, name, wave, places, settings)

        return step

    return decorate


def describe(database: "duckdb.DuckDBPyConnection", asset: str) -> dict[str, Any]:
    """Row count and columns of an asset's table, as Dagster shows them."""
    columns = [dg.TableColumn(name, kind) for name, kind in columns_of(database, asset).items()]
    return {
        "dagster/row_count": count_rows(database, asset),
        "dagster/column_schema": dg.TableSchema(columns=columns),
    }
