"""The step of one asset of one wave: compute, write, gate, report.

``wave_asset`` turns a function that returns a table into a gated Dagster asset; the function sees a
``WaveStep`` and nothing of Dagster. Assets made by dbt are in ``dbt_layer``, which reports in the same form.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg

from asco_dagster.durable import private_files
from asco_dagster.gates.suite import require_sound_suites
from asco_dagster.layers import layer_of, table_of
from asco_dagster.observation import Cost
from asco_dagster.orchestration.checks import gate_name, gate_spec, run_gate, withdraw_judgements
from asco_dagster.orchestration.contents import (
    ALTERED,
    contents_of,
    forget_contents,
    record_contents,
    require_recorded,
)
from asco_dagster.orchestration.fingerprints import (
    base_fingerprint,
    fingerprint_of,
    forget_fingerprints,
    record_fingerprints,
)
from asco_dagster.orchestration.partitions import WAVES
from asco_dagster.orchestration.reuse import data_version, reusable
from asco_dagster.orchestration.run_guard import require_home_instance, require_no_other_run
from asco_dagster.orchestration.tags import REBUILT
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.warehouse import columns_of, count_rows, open_database, write_table
from asco_dagster.waves import Wave, load_wave

if TYPE_CHECKING:
    import duckdb

OWNERS = ["team:asco"]
_PYTHON = frozenset({"python", "duckdb"})


def tags_of(asset: str) -> dict[str, str]:
    """What the asset pages can be filtered by: the source, and whether what it holds may be seen outside."""
    return {
        "asco/source": asset.split("__", 1)[0].split("_", 1)[1],
        "asco/access": "public" if layer_of(asset) == "publication" else "confidential",
    }


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
        fetched: what this step has brought within reach already, by address.
        afterwards: what is to be closed when the step is done.
    """

    wave: Wave
    places: Places
    settings: Settings
    database: "duckdb.DuckDBPyConnection"
    log: Any
    context: dg.AssetExecutionContext
    fetched: dict[str, Any] = field(default_factory=dict)
    afterwards: ExitStack = field(default_factory=ExitStack)


@dataclass(frozen=True)
class Table:
    """What a step returns: the rows to write (None when the step wrote them itself) and what to tell."""

    rows: Any
    metadata: Mapping[str, Any]


State = Callable[[WaveStep], Any]
"""What lies outside the database and counts for a table, as something that JSON can hold."""
STATE = "reads outside the database"
"""Metadata of an asset: the name of a state that later steps of the same run change."""


@dataclass(frozen=True)
class NamedState:
    """A state that a later step changes, which must tell those that read it: the graph tells which they are.

    Attributes:
        name: of the state.
        read: what it is for a step, as something that JSON can hold.
    """

    name: str
    read: State

    def __call__(self, step: WaveStep) -> Any:
        """The state as it is now."""
        return self.read(step)


def wave_asset(
    *,
    deps: Sequence[str] = (),
    state: State | None = None,
    always: bool = False,
    kinds: frozenset[str] = _PYTHON,
) -> Callable[[Callable[[WaveStep], Any]], dg.AssetsDefinition]:
    """Make a gated asset of a function; its name is the asset's, its docstring the description.

    An asset whose fingerprint did not change since its last materialisation is told again, not made again.

    Args:
        deps: assets that the step reads.
        state: what it reads beside them.
        always: made again in every run, because it asks what no fingerprint holds.
        kinds: Dagster kinds shown in the graph.

    Returns:
        A decorator for functions of a ``WaveStep`` that return a data frame, an Arrow table or a ``Table``.
    """

    def decorate(compute: Callable[[WaveStep], Any]) -> dg.AssetsDefinition:
        name = compute.__name__

        @dg.asset(
            name=name,
            deps=list(deps),
            group_name=layer_of(name),
            description=(compute.__doc__ or "").strip(),
            kinds=set(kinds),
            owners=OWNERS,
            tags=tags_of(name),
            metadata=_definition_metadata(state),
            partitions_def=WAVES,
            check_specs=[gate_spec(name)],
        )
        def step(
            context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
        ) -> Iterator[dg.MaterializeResult]:
            def computed(own: WaveStep) -> Mapping[str, Table]:
                made = compute(own)
                return {name: made if isinstance(made, Table) else Table(made, {})}

            with _opened(context, settings) as own:
                for result, checks in _told_or_made(own, [name], deps, state, computed, always):
                    yield result._replace(check_results=list(checks))

        return step

    return decorate


def wave_assets(
    names: Sequence[str],
    *,
    deps: Sequence[str] = (),
    state: State | None = None,
    kinds: frozenset[str] = _PYTHON,
) -> Callable[[Callable[[WaveStep], Mapping[str, Table]]], dg.AssetsDefinition]:
    """Make several gated assets of one function, where one computation gives several tables: all, or none.

    Args:
        names: the assets, each with what it holds in one sentence behind a colon (``est_a__b: One row …``).
        deps: assets that the step reads.
        state: what it reads beside them.
        kinds: Dagster kinds shown in the graph.

    Returns:
        A decorator for functions of a ``WaveStep`` that return a ``Table`` for each asset.
    """
    described = dict(name.split(": ", 1) for name in names)

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
                    tags=tags_of(name),
                    metadata=_definition_metadata(state),
                )
                for name, description in described.items()
            ],
            check_specs=[gate_spec(name) for name in described],
            partitions_def=WAVES,
        )
        def step(
            context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
        ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
            with _opened(context, settings) as own:
                done = list(_told_or_made(own, list(described), deps, state, compute))
            yield from (result for result, _ in done)
            for _, checks in done:
                yield from checks

        return step

    return decorate


def _definition_metadata(state: State | None) -> dict[str, str]:
    return {STATE: state.name} if isinstance(state, NamedState) else {}


@contextmanager
def _opened(context: dg.AssetExecutionContext, settings: Settings) -> Iterator[WaveStep]:
    wave, places = load_wave(context.partition_key), Places.of(settings)
    require_home_instance(context.instance, settings, places)
    require_no_other_run(context.instance, wave.wave, context.run.run_id)
    with (
        private_files(),
        open_database(places.database(wave.wave)) as database,
        ExitStack() as afterwards,
    ):
        yield WaveStep(wave, places, settings, database, context.log, context, afterwards=afterwards)


def _told_or_made(
    own: WaveStep,
    names: Sequence[str],
    deps: Sequence[str],
    state: State | None,
    compute: Callable[[WaveStep], Mapping[str, Table]],
    always: bool = False,
) -> Iterator[tuple[dg.MaterializeResult, Sequence[dg.AssetCheckResult]]]:
    """Each asset with its judgement: from an earlier run where all of them stand, else made now."""
    cost = Cost()
    base, found = base_fingerprint(own.wave, own.places, own.settings), state(own) if state else None
    made = {name: fingerprint_of(own.database, name, deps, base, found) for name in names}
    results = own.places.gates(own.wave.wave)
    stood = [
        reusable(own.context, own.database, name, made[name], [gate_name(name)], results) for name in names
    ]
    if all(stood) and not always:
        yield from (told for told in stood if told)
        return
    if not all(stood):
        require_suites(own.context, own.wave)
    require_recorded(own.database, deps)
    altered = {name: {REBUILT: ALTERED} for name in names if contents_of(own.database, name) == "altered"}
    if not all(stood):
        _withdraw(own, names)
    forget_fingerprints(own.database, names)
    forget_contents(own.database, names)
    tables = compute(own)
    former = {name: _rows(own.database, name) for name in names} if all(stood) else {}
    own.database.begin()
    for name in names:
        if tables[name].rows is not None:
            write_table(own.database, name, tables[name].rows)
    record_fingerprints(own.database, made, state(own) if state else None)
    # The same rows under the same suite need no second judgement: the import alone takes seconds.
    same = {name for name in former if former[name] == _rows(own.database, name)}
    _withdraw(own, [name for name in former if name not in same])
    own.database.commit()
    record_contents(own.database, names)
    spent = cost.told()
    for name, told in zip(names, stood, strict=True):
        metadata = {**describe(own.database, name), **tables[name].metadata, **spent, **altered.get(name, {})}
        checks = told[1] if told and name in same else [_gate(own, name)]
        result: dg.MaterializeResult[Any] = dg.MaterializeResult(
            asset_key=name, metadata=metadata, data_version=data_version(made[name])
        )
        yield result, checks


def require_suites(context: dg.AssetExecutionContext, wave: Wave) -> None:
    """Demand, before anything is made, that every suite of the run is sound.

    Raises:
        ConfigurationError: one is not; names the file and the number of the expectation.
    """
    keys = context.job_def.asset_layer.selected_asset_keys
    _sound_suites(context.run.run_id, tuple(sorted(key.path[-1] for key in keys)), wave.wave)


@functools.lru_cache(maxsize=1)  # once a run, not once a step
def _sound_suites(run_id: str, assets: tuple[str, ...], wave: str) -> None:
    require_sound_suites(assets, load_wave(wave))


def _withdraw(own: WaveStep, names: Sequence[str]) -> None:
    if names:
        withdraw_judgements(names, own.wave.wave, own.places, own.context.run.run_id)


def _gate(own: WaveStep, name: str) -> dg.AssetCheckResult:
    return run_gate(own.database, name, own.wave, own.places, own.settings, own.context.run.run_id)


def _rows(database: "duckdb.DuckDBPyConnection", name: str) -> tuple[dict[str, str], list[tuple]]:
    """Columns and rows of an asset's table; for tables made in every run, which are short."""
    return columns_of(database, name), database.table(table_of(name)).fetchall()


def describe(
    database: "duckdb.DuckDBPyConnection", asset: str, descriptions: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Row count and columns of an asset's table, as Dagster shows them, with what is known of each column."""
    told = descriptions or {}
    columns = [
        dg.TableColumn(name, kind, description=told.get(name))
        for name, kind in columns_of(database, asset).items()
    ]
    return {
        "dagster/row_count": count_rows(database, asset),
        "dagster/column_schema": dg.TableSchema(columns=columns),
    }
