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
from asco_dagster.errors import AscoError, ConfigurationError
from asco_dagster.gates.suite import require_sound_suites
from asco_dagster.layers import layer_of, table_of
from asco_dagster.observation import Cost
from asco_dagster.orchestration.asset_code import python_code_hash
from asco_dagster.orchestration.asset_graph import downstream, whole_graph
from asco_dagster.orchestration.checks import (
    gate_name,
    gate_spec,
    require_open,
    run_gate,
    withdraw_judgements,
)
from asco_dagster.orchestration.column_texts import read_columns, read_sources
from asco_dagster.orchestration.contents import (
    ALTERED,
    contents_of,
    forget_contents,
    record_contents,
    require_recorded,
)
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
        places: paths of the home.
        settings: the environment.
        database: the wave's open database.
        log: the run's log.
        context: Dagster's context, for the steps that query the instance.
        fetched: files that this step has fetched already, by address.
        afterwards: resources to close when the step is done.
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
    """What a step returns: the rows to write (None when it wrote them itself) and the asset's metadata."""

    rows: Any
    metadata: Mapping[str, Any]


State = Callable[[WaveStep], Any]
"""State outside the database that a table depends on, as something that JSON can hold."""
STATE = "reads outside the database"
"""Metadata of an asset: the name of a state that later steps of the same run change."""


@dataclass(frozen=True)
class NamedState:
    """A state that a later step changes and must record for its readers, which the graph knows.

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

    An asset whose inputs and code are unchanged since its last materialisation is reused, not rebuilt.

    Args:
        deps: assets that the step reads.
        state: what it reads beside them.
        always: rebuilt in every run, because it reads what no fingerprint covers.
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
            metadata=_definition_metadata(name, state),
            partitions_def=WAVES,
            check_specs=[gate_spec(name)],
        )
        def execute(
            context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
        ) -> Iterator[dg.MaterializeResult]:
            checks: list[dg.AssetCheckResult] = []

            def computed(step: WaveStep) -> Mapping[str, Table]:
                result = compute(step)
                return {name: result if isinstance(result, Table) else Table(result, {})}

            with _open_step(context, settings) as step:
                work = _Work([name], deps, state, computed, compute.__module__, always)
                for result in _reuse_or_rebuild(step, work):
                    checks += result.check_results or []
                    yield result
            require_open(checks, context.partition_key, settings)

        return execute

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
                    metadata=_definition_metadata(name, state),
                )
                for name, description in described.items()
            ],
            check_specs=[gate_spec(name) for name in described],
            partitions_def=WAVES,
        )
        def execute(
            context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
        ) -> Iterator[dg.MaterializeResult]:
            with _open_step(context, settings) as step:
                work = _Work(list(described), deps, state, compute, compute.__module__)
                done = list(_reuse_or_rebuild(step, work))
            yield from done
            checks = [check for result in done for check in result.check_results or []]
            require_open(checks, context.partition_key, settings)

        return execute

    return decorate


def _definition_metadata(asset: str, state: State | None) -> dict[str, Any]:
    """The columns of an asset, as recorded from a wave that ran, and the name of its state."""
    columns = read_columns().get(asset, {})
    return {
        **({STATE: state.name} if isinstance(state, NamedState) else {}),
        **({"dagster/column_schema": described_schema(asset, columns)} if columns else {}),
    }


def described_schema(asset: str, columns: Mapping[str, str]) -> dg.TableSchema:
    """Columns of an asset by name, with their types, as Dagster shows them."""
    sources = read_sources()
    texts = {name: sources.of(asset, name) for name in columns}
    return dg.TableSchema(
        [
            dg.TableColumn(name, kind, description=text.en if (text := texts[name]) else None)
            for name, kind in columns.items()
        ]
    )


@contextmanager
def failing_with_sentence() -> Iterator[None]:
    """Make an error of this project the step's failure: its sentence is shown before the traceback."""
    try:
        yield
    except AscoError as error:
        parts = {"where": error.place(), "expected": error.expected, "what to do": error.remedy}
        metadata = {name: text for name, text in parts.items() if text}
        raise dg.Failure(error.sentence(), metadata=metadata, allow_retries=False) from error


def wave_of(context: dg.AssetExecutionContext) -> Wave:
    """The wave of a step.

    Raises:
        ConfigurationError: the run has no wave, as that of “Execute all” on the page of an asset's checks.
    """
    if not context.has_partition_key:
        raise ConfigurationError(
            "this run is of no wave, and checks and tables belong to one; nothing was judged",
            remedy="Press “Materialize…” and choose a wave: its checks run in the same step",
        )
    return load_wave(context.partition_key)


@contextmanager
def _open_step(context: dg.AssetExecutionContext, settings: Settings) -> Iterator[WaveStep]:
    with failing_with_sentence(), _opened(context, settings) as step:
        yield step


@contextmanager
def _opened(context: dg.AssetExecutionContext, settings: Settings) -> Iterator[WaveStep]:
    wave, places = wave_of(context), Places.of(settings)
    require_home_instance(context.instance, settings, places)
    require_no_other_run(context.instance, wave.wave, context.run.run_id)
    with (
        private_files(),
        open_database(places.database(wave.wave)) as database,
        ExitStack() as afterwards,
    ):
        yield WaveStep(wave, places, settings, database, context.log, context, afterwards=afterwards)


@dataclass(frozen=True)
class _Work:
    """Assets that one function makes, as declared, and the module of that function."""

    names: Sequence[str]
    deps: Sequence[str]
    state: State | None
    compute: Callable[[WaveStep], Mapping[str, Table]]
    module: str
    always: bool = False


def _reuse_or_rebuild(step: WaveStep, work: _Work) -> Iterator[dg.MaterializeResult]:
    """Each asset with its checks: those of an earlier run where all of them are up to date, else rebuilt.

    A table and its verdicts are one result, between whose events no cancellation is heeded: Dagster resumes a
    run from the tables that it lacks, and would not judge one that was reported without its verdict.
    """
    base = base_fingerprint(step.wave, step.places, step.settings)
    found = work.state(step) if work.state else None
    made = {
        name: fingerprint_of(
            step.database, name, work.deps, [base, python_code_hash(name, work.module)], found
        )
        for name in work.names
    }
    reused = {
        name: reusable(step.context, step.database, name, made[name], [gate_name(name)], step.places)
        for name in work.names
    }
    up_to_date = {name: known for name, known in reused.items() if known}
    if len(up_to_date) < len(work.names):
        yield from _rebuild(step, work, made, {})
    elif work.always:
        valid = {name: list(result.check_results or []) for name, result in up_to_date.items()}
        yield from _rebuild(step, work, made, valid)
    else:
        yield from up_to_date.values()


def _rebuild(
    step: WaveStep,
    work: _Work,
    made: Mapping[str, Fingerprint | None],
    valid: Mapping[str, Sequence[dg.AssetCheckResult]],
) -> Iterator[dg.MaterializeResult]:
    """Compute, write and judge the tables.

    Args:
        step: what the step may use.
        work: the assets.
        made: their fingerprints.
        valid: checks of tables that are up to date and computed all the same; they hold while the rows do, so
            that the same rows are not judged twice (the import of GX alone takes seconds).
    """
    cost, database, names = Cost(), step.database, work.names
    if not valid:
        require_suites(step.context, step.wave)
    require_recorded(database, work.deps)
    altered = {name: {REBUILT: ALTERED} for name in names if contents_of(database, name) == "altered"}
    if not valid:
        _withdraw(step, names)
    forget_fingerprints(database, names)
    forget_contents(database, names)
    tables = work.compute(step)
    former = {name: _rows(database, name) for name in valid}
    database.begin()
    for name in names:
        if tables[name].rows is not None:
            write_table(database, name, tables[name].rows)
    record_fingerprints(database, made, work.state(step) if work.state else None)
    same = {name for name in former if former[name] == _rows(database, name)}
    _withdraw(step, [name for name in former if name not in same])
    database.commit()
    record_contents(database, names)
    spent = cost.metadata()
    for name in names:
        metadata = {**describe(database, name), **tables[name].metadata, **spent, **altered.get(name, {})}
        checks = valid[name] if name in same else [_gate(step, name, made[name])]
        yield dg.MaterializeResult(
            asset_key=name,
            metadata=metadata,
            check_results=checks,
            data_version=data_version(made[name]),
        )


def require_suites(context: dg.AssetExecutionContext, wave: Wave) -> None:
    """Check, before anything is made, that every suite of the run is sound.

    Raises:
        ConfigurationError: one is not; names the file and the number of the expectation.
    """
    keys = context.job_def.asset_layer.selected_asset_keys
    _sound_suites(context.run.run_id, tuple(sorted(key.path[-1] for key in keys)), wave.wave)


@functools.lru_cache(maxsize=1)  # once a run, not once a step
def _sound_suites(run_id: str, assets: tuple[str, ...], wave: str) -> None:
    require_sound_suites(assets, load_wave(wave))


def _withdraw(step: WaveStep, names: Sequence[str]) -> None:
    if names:
        below = downstream(whole_graph(step.context), names)
        withdraw_judgements(names, below, step.wave.wave, step.places, step.context.run.run_id)


def _gate(step: WaveStep, name: str, made: Fingerprint | None) -> dg.AssetCheckResult:
    version = made.fingerprint if made else ""
    run = step.context.run.run_id
    return run_gate(step.database, name, step.wave, step.places, step.settings, run, version)


def _rows(database: "duckdb.DuckDBPyConnection", name: str) -> tuple[dict[str, str], list[tuple]]:
    """Columns and rows of an asset's table; for tables made in every run, which are short."""
    return columns_of(database, name), database.table(table_of(name)).fetchall()


def describe(database: "duckdb.DuckDBPyConnection", asset: str) -> dict[str, Any]:
    """Row count and columns of an asset's table, as Dagster shows them, with descriptions of columns."""
    return {
        "dagster/row_count": count_rows(database, asset),
        "dagster/column_schema": described_schema(asset, columns_of(database, asset)),
    }
