"""What stands from an earlier run: an asset whose fingerprint did not change is told again, not made again.

The table must stand in the wave's database under the same fingerprint as in Dagster's event log, hold what
its step wrote (``contents``), and have every judgement that was made of it. What does not belong here: what a
fingerprint is (``fingerprints``).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from asco_dagster.orchestration.checks import gate_name
from asco_dagster.orchestration.contents import contents_of
from asco_dagster.orchestration.fingerprints import Fingerprint, recorded_fingerprint
from asco_dagster.orchestration.release_guard import disagreement, judgement, materialization
from asco_dagster.orchestration.tags import FRESH, REBUILT, UNCHANGED

if TYPE_CHECKING:
    import duckdb


def reusable(
    context: dg.AssetExecutionContext,
    database: "duckdb.DuckDBPyConnection",
    asset: str,
    made: Fingerprint | None,
    checks: Sequence[str],
    results: Path,
) -> tuple[dg.MaterializeResult, list[dg.AssetCheckResult]] | None:
    """The asset's last materialisation and its judgements, to be told again; None if it must be made.

    What a gate or a test refused is made and judged again: a second try must mend what a passing fault broke.

    Args:
        context: of the step.
        database: the wave's.
        asset: its name.
        made: what it would be made of now.
        checks: names of the checks that must stand too.
        results: folder of the results of the wave's gates; one that does not agree with its check is named in
            the log, and its table made and judged again.
    """
    if made is None or context.run.tags.get(FRESH) == "true":
        return None
    if recorded_fingerprint(database, asset) != made.fingerprint:
        return None
    last = materialization(context.instance, context.partition_key, asset)
    told = last.asset_materialization if last else None
    if last is None or told is None or told.tags is None:
        return None
    if told.tags.get("dagster/data_version") != made.fingerprint:
        return None
    reused = []
    for check in checks:
        found = judgement(context.instance, context.partition_key, asset, check)
        judged = found.target_materialization_data if found else None
        if found is None or judged is None or judged.storage_id != last.storage_id:
            return None
        if not found.passed and found.severity == dg.AssetCheckSeverity.ERROR:
            return None  # what closed it may have passed: a reading process that died, a disk that was full
        is_gate = check == gate_name(asset)  # of dbt's tests no result is kept
        fault = disagreement(found, results, asset, context.partition_key) if is_gate else None
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
    metadata: dict[str, Any] = {name: value for name, value in told.metadata.items() if name != REBUILT}
    metadata.setdefault(UNCHANGED, last.run_id)
    told_again: dg.MaterializeResult[Any] = dg.MaterializeResult(
        asset_key=asset, metadata=metadata, data_version=data_version(made)
    )
    return told_again, reused


def data_version(made: Fingerprint | None) -> dg.DataVersion | None:
    """The fingerprint as Dagster shows it."""
    return dg.DataVersion(made.fingerprint) if made else None
