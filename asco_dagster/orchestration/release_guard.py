"""Release guard: refuses unless every upstream gate and dbt test is fresh and passed.

Dagster's blocking checks block within one run only, so a release that relied on them could be made by
materialising publication alone over a failed gate. The guard reads the event log instead.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import dagster as dg

from asco_dagster.errors import GateError
from asco_dagster.gates.results import JUDGED_IN, not_judged, read_result
from asco_dagster.orchestration.checks import gate_name

if TYPE_CHECKING:
    from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord

_JUDGE = "press “Re-execute all” or “Materialize”, since “From failure” does not judge it again"
_RECENT = 20_000  # records of checks: those of some hundred runs


def require_open_gates(
    instance: dg.DagsterInstance, wave: str, assets: Iterable[str], tests: Iterable[dg.AssetCheckKey]
) -> dict[str, str]:
    """Require the gates of ``assets`` and their other checks to be open for one wave.

    A gate is open when its latest evaluation for the wave passed (or only warned) and judged the latest
    materialisation of its asset; so is a test.

    Args:
        instance: whose event log is read.
        wave: the wave.
        assets: names of those whose gates are required.
        tests: other checks of these assets that are required: dbt's tests.

    Returns:
        What the gate of each asset is: ``passed`` or ``warned``.

    Raises:
        GateError: lists each gate or test that is missing, older than its data, or closed.
    """
    names = list(assets)
    keys = [dg.AssetCheckKey(dg.AssetKey(name), gate_name(name)) for name in names]
    judged = latest_evaluations(instance, wave, [*keys, *tests])
    made = {name: materialization(instance, wave, name) for name in names}
    states = {key: _state(key, found, made[_asset(key)]) for key, found in judged.items()}
    faults = [fault for _, fault in states.values() if fault]
    if faults:
        raise GateError(
            f"wave {wave} is not released: {'; '.join(faults)}",
            remedy="Fix what they name, materialise it for this wave again, then publish",
        )
    return {_asset(key): states[key][0] for key in keys}


def require_kept_results(
    instance: dg.DagsterInstance, wave: str, assets: Iterable[str], results: Path
) -> None:
    """Require that the stored result of each gate is of the evaluation in Dagster's event log.

    A table that was made and not evaluated, for whatever reason, has no result; the latest evaluation in the
    event log is then of the table before it.

    Args:
        instance: whose event log is read.
        wave: the wave.
        assets: names of those whose gates are required.
        results: folder of the results of the wave's gates.

    Raises:
        GateError: lists each gate without a result of its evaluation, with its file.
    """
    keys = [dg.AssetCheckKey(dg.AssetKey(name), gate_name(name)) for name in assets]
    latest = latest_evaluations(instance, wave, keys)
    known = {_asset(key): evaluation for key, evaluation in latest.items() if evaluation is not None}
    found = [mismatch(evaluation, results, asset, wave) for asset, evaluation in known.items()]
    faults = [f"{fault.what} (file {fault.file})" for fault in found if fault is not None]
    if faults:
        raise GateError(
            f"wave {wave} is not released: {'; '.join(faults)}",
            remedy="Run the wave again: a table without a result is rebuilt and evaluated",
        )


def mismatch(evaluation: dg.AssetCheckEvaluation, folder: Path, asset: str, wave: str) -> GateError | None:
    """Why an evaluation cannot be used: its result is missing, or belongs to another evaluation.

    Args:
        evaluation: the latest of the gate's check.
        folder: the wave's results.
        asset: of the gate.
        wave: the wave.
    """
    try:
        kept = read_result(folder, asset, wave)
    except GateError as error:
        return error
    run = evaluation.metadata.get(JUDGED_IN)
    known = str(run.value) if run is not None else ""
    failed = kept.closed or kept.warned
    closed = not evaluation.passed and evaluation.severity.value == "ERROR"
    if (known, evaluation.passed, closed) == (kept.run, not failed, kept.closed):
        return None
    why = f"it is of run {kept.run[:8] or 'none'}, and Dagster's check of run {known[:8] or 'none'}"
    return not_judged(folder / f"{asset}.json", why, asset)


def latest_evaluations(
    instance: dg.DagsterInstance, wave: str, checks: Sequence[dg.AssetCheckKey]
) -> dict[dg.AssetCheckKey, dg.AssetCheckEvaluation | None]:
    """The latest evaluation of each check, as ``latest_evaluation`` finds it; nearly all in one query."""
    from dagster._core.event_api import PartitionKeyFilter

    latest = _recent(instance, wave)
    rare = [check for check in checks if check not in latest]
    if rare:
        latest |= instance.event_log_storage.get_latest_asset_check_execution_by_key(
            rare, partition_filter=PartitionKeyFilter(key=wave)
        )
    found = {check: _evaluation(latest[check]) if check in latest else None for check in checks}
    # where the latest was only planned, there may be one before it
    planned = [check for check in checks if check in latest and found[check] is None]
    return found | {check: latest_evaluation(instance, wave, _asset(check), check.name) for check in planned}


def _recent(instance: dg.DagsterInstance, wave: str) -> "dict[dg.AssetCheckKey, AssetCheckExecutionRecord]":
    """The latest record of each check of a wave, of those among the newest records of all.

    Dagster's own query reads all records of a check, which takes seconds after some thousand runs; nearly
    every check has one in the last runs.
    """
    from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
    from sqlalchemy import func, select

    columns, storage = AssetCheckExecutionsTable.c, cast(Any, instance.event_log_storage)
    with storage.index_connection() as connection:
        newest = connection.execute(select(func.max(columns.id))).scalar() or 0
        latest = (
            select(func.max(columns.id))
            .where(columns.id > newest - _RECENT, columns.partition == wave)
            .group_by(columns.asset_key, columns.check_name)
        )
        rows = connection.execute(select(AssetCheckExecutionsTable).where(columns.id.in_(latest)))
        found = {}
        for row in rows.mappings():
            asset = dg.AssetKey.from_db_string(row["asset_key"])
            if asset is not None:
                check = dg.AssetCheckKey(asset, row["check_name"])
                found[check] = AssetCheckExecutionRecord.from_db_row(row, key=check)
    return found


def latest_evaluation(
    instance: dg.DagsterInstance, wave: str, asset: str, check: str
) -> dg.AssetCheckEvaluation | None:
    """The latest evaluation of one check; one that a run planned and died before making does not count."""
    from dagster._core.event_api import PartitionKeyFilter
    from dagster._core.storage.asset_check_execution_record import (
        COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES,
    )

    records = instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey(asset), check),
        limit=1,
        status=COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES,
        partition_filter=PartitionKeyFilter(key=wave),
    )
    return _evaluation(records[0]) if records else None


def _evaluation(record: "AssetCheckExecutionRecord") -> dg.AssetCheckEvaluation | None:
    """The evaluation of a record; None where it was planned and not made."""
    event = record.event.dagster_event if record.event else None
    if event is None or event.event_type_value != "ASSET_CHECK_EVALUATION":
        return None
    return event.asset_check_evaluation_data


def materialization(instance: dg.DagsterInstance, wave: str, asset: str) -> dg.EventLogRecord | None:
    """The latest materialisation of an asset for one wave."""
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[wave]), limit=1
    ).records
    return records[0] if records else None


def _state(
    check: dg.AssetCheckKey, found: dg.AssetCheckEvaluation | None, data: dg.EventLogRecord | None
) -> tuple[str, str | None]:
    """The state of a check and, if it is not open, what is wrong with it."""
    subject = f"{'gate' if check.name == gate_name(_asset(check)) else 'test'} {check.name}"
    if found is None:
        return "missing", f"{subject} has never run for this wave: {_JUDGE}"
    judged = found.target_materialization_data
    if data is None or judged is None or judged.storage_id != data.storage_id:
        return "stale", f"{subject} is older than the data it should judge: {_JUDGE}"
    if not found.passed and found.severity == dg.AssetCheckSeverity.ERROR:
        return "closed", f"{subject} is closed ({found.description})"
    return ("passed" if found.passed else "warned"), None


def _asset(check: dg.AssetCheckKey) -> str:
    return check.asset_key.path[-1]
