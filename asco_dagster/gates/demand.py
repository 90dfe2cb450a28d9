"""Publication asks for itself: every gate upstream must be there, fresh and open.

Dagster's blocking checks block within one run only, so a release that trusted them could be made by
materialising publication alone over a red gate. This asks the event log instead. What does not belong here:
running a gate.
"""

from collections.abc import Iterable

import dagster as dg

from asco_dagster.errors import GateError
from asco_dagster.gates.checks import gate_name


def demand_open_gates(instance: dg.DagsterInstance, wave: str, assets: Iterable[str]) -> dict[str, str]:
    """Demand the gates of ``assets`` for one wave.

    A gate is open when its latest evaluation for the wave passed (or only warned) and judged the latest
    materialisation of its asset.

    Returns:
        ``passed`` or ``warned`` for each asset.

    Raises:
        GateError: lists each gate that is missing, older than its data, or closed.
    """
    states, faults = {}, []
    for asset in assets:
        states[asset], fault = _state(instance, wave, asset)
        if fault:
            faults.append(fault)
    if faults:
        raise GateError(
            f"wave {wave} is not released: {'; '.join(faults)}",
            remedy="Mend what the gates name, materialise it for this wave again, then publish",
        )
    return states


def judgement(
    instance: dg.DagsterInstance, wave: str, asset: str, check: str
) -> dg.AssetCheckEvaluation | None:
    """The latest judgement of one check; one that a run planned and did not live to make is none."""
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
    event = records[0].event if records else None
    return event.dagster_event.asset_check_evaluation_data if event and event.dagster_event else None


def materialization(instance: dg.DagsterInstance, wave: str, asset: str) -> dg.EventLogRecord | None:
    """The latest materialisation of an asset for one wave."""
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[wave]), limit=1
    ).records
    return records[0] if records else None


def _state(instance: dg.DagsterInstance, wave: str, asset: str) -> tuple[str, str | None]:
    told = judgement(instance, wave, asset, gate_name(asset))
    if told is None:
        return "missing", f"gate {gate_name(asset)} has never run for this wave"
    data = materialization(instance, wave, asset)
    judged = told.target_materialization_data
    if data is None or judged is None or judged.storage_id != data.storage_id:
        return "stale", f"gate {gate_name(asset)} is older than the data it should judge"
    if not told.passed and told.severity == dg.AssetCheckSeverity.ERROR:
        return "closed", f"gate {gate_name(asset)} is closed ({told.description})"
    return ("passed" if told.passed else "warned"), None
