"""Reuse of an earlier run's table: inputs and code unchanged.

The table must be in the wave's database under the same fingerprint as in Dagster's event log, hold what its
step wrote (``contents``), and have an evaluation of each of its checks.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from asco_dagster.orchestration.checks import gate_name, restore_judgement
from asco_dagster.orchestration.contents import contents_of
from asco_dagster.orchestration.fingerprints import Fingerprint, recorded_fingerprint
from asco_dagster.orchestration.release_guard import latest_evaluation, materialization, mismatch
from asco_dagster.orchestration.tags import FRESH, REBUILT, UNCHANGED
from asco_dagster.storage.places import Places

if TYPE_CHECKING:
    import duckdb


def reusable(
    context: dg.AssetExecutionContext,
    database: "duckdb.DuckDBPyConnection",
    asset: str,
    made: Fingerprint | None,
    checks: Sequence[str],
    places: Places,
) -> dg.MaterializeResult | None:
    """The asset's last materialisation and check results, to report again; None if it must be rebuilt.

    A table that a gate or a test refused is rebuilt: the cause may have been a fault that has passed.

    Args:
        context: of the step.
        database: the wave's.
        asset: its name.
        made: its fingerprint if it is made now.
        checks: names of the checks that must be valid too.
        places: the folders of the home; a result of a gate that does not match its check is named in the log,
            and its table rebuilt.
    """
    if made is None or context.run.tags.get(FRESH) == "true":
        return None
    if recorded_fingerprint(database, asset) != made.fingerprint:
        return None
    last = materialization(context.instance, context.partition_key, asset)
    event = last.asset_materialization if last else None
    if last is None or event is None or event.tags is None:
        return None
    if event.tags.get("dagster/data_version") != made.fingerprint:
        return None
    if gate_name(asset) in checks:
        restore_judgement(asset, context.partition_key, places)
    wave, reused = context.partition_key, []
    results = places.gates(wave)
    for check in checks:
        found = latest_evaluation(context.instance, context.partition_key, asset, check)
        judged = found.target_materialization_data if found else None
        if found is None or judged is None or judged.storage_id != last.storage_id:
            return None
        if not found.passed and found.severity == dg.AssetCheckSeverity.ERROR:
            return None  # what closed it may have passed: a reading process that died, a disk that was full
        is_gate = check == gate_name(asset)  # of dbt's tests no result is stored
        fault = mismatch(found, results, asset, wave) if is_gate else None
        if fault is not None:
            context.log.warning(str(fault))
            return None
        reused.append(
            dg.AssetCheckResult(
                asset_key=asset,
                check_name=check,
                passed=found.passed,
                severity=found.severity,
                description=found.description,
                metadata=dict(found.metadata),
            )
        )
    if contents_of(database, asset) != "recorded":
        return None
    metadata: dict[str, Any] = {name: value for name, value in event.metadata.items() if name != REBUILT}
    metadata.setdefault(UNCHANGED, last.run_id)
    return dg.MaterializeResult(
        asset_key=asset, metadata=metadata, check_results=reused, data_version=data_version(made)
    )


def data_version(made: Fingerprint | None) -> dg.DataVersion | None:
    """The fingerprint as Dagster shows it."""
    return dg.DataVersion(made.fingerprint) if made else None
