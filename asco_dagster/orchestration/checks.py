"""The gate as a Dagster asset check: its specification, its run, its metadata.

A check is named ``gx__<asset>``, belongs to the wave partition, blocks, and shows one row per expectation.
"""

import dataclasses
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from asco_dagster.escaping import in_markdown, on_one_line
from asco_dagster.gates.data_docs import page_of, withdraw_page, write_data_docs, write_index
from asco_dagster.gates.history.page import PAGE, write_history_page
from asco_dagster.gates.history.store import Judgement, keep_judgement, now
from asco_dagster.gates.results import JUDGED_IN, GateResult, Verdict, mark_unjudged
from asco_dagster.gates.suite import load_suite, require_fit
from asco_dagster.gates.validation import great_expectations, run_suite
from asco_dagster.layers import layer_of
from asco_dagster.observation import SECONDS
from asco_dagster.orchestration.history import gate_history
from asco_dagster.orchestration.partitions import WAVES
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.warehouse import columns_of
from asco_dagster.waves import Wave

if TYPE_CHECKING:
    import duckdb

USUAL_ADDRESS = "http://127.0.0.1:3001/quality"  # of “asco up” without options


def gate_name(asset: str) -> str:
    """Name of the asset check that is the gate of an asset."""
    return f"gx__{asset}"


def gate_spec(asset: str) -> dg.AssetCheckSpec:
    """The gate of an asset as a check."""
    return wave_check(
        gate_name(asset),
        asset,
        f"The Great Expectations suite of {asset}. A critical failure stops the wave.",
    )


def wave_check(name: str, asset: str, description: str) -> dg.AssetCheckSpec:
    """A blocking check of an asset, with one result a wave."""
    with warnings.catch_warnings():
        # Checks with partitions are a preview of Dagster's; a check without one would mix the waves.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetCheckSpec(
            name, asset=asset, blocking=True, partitions_def=WAVES, description=description
        )


def run_gate(
    database: "duckdb.DuckDBPyConnection",
    asset: str,
    wave: Wave,
    places: Places,
    settings: Settings,
    run: str = "no run",
) -> dg.AssetCheckResult:
    """Validate an asset's table and report to Dagster; the result is also kept under ``waves/<wave>/gates``.

    Args:
        database: the wave's.
        asset: its name.
        wave: the wave.
        places: the folders of the home.
        settings: the environment.
        run: identifier of the run, under which the history keeps the result.
    """
    suite = load_suite(asset)
    require_fit(suite, wave, columns_of(database, asset))
    great_expectations()  # its import is not part of a gate's time
    start = time.perf_counter()
    outcome, found = run_suite(suite, database, wave)
    result = dataclasses.replace(found, run=run)
    result.write(places.gates(wave.wave))
    _record_judgement(result, places, run)
    write_data_docs(outcome, result, places.quality(wave.wave), places.gates(wave.wave))
    history = gate_history(places.wave(wave.wave).parent, asset, wave.wave)
    return _check_result(result, settings, history, time.perf_counter() - start)


def withdraw_judgements(assets: Sequence[str], wave: str, places: Places, run: str) -> None:
    """Withdraw the results of gates whose tables are about to be made, until they are judged again.

    If the run stops before that, they are not judged: among the results, on the quality pages, in the quality
    report.

    Args:
        assets: of the gates.
        wave: the wave.
        places: the folders of the home.
        run: identifier of the run that makes the tables.
    """
    gates, quality = places.gates(wave), places.quality(wave)
    for asset in assets:
        mark_unjudged(gates, asset, wave, run)
        withdraw_page(quality, asset)
    write_index(wave, gates, quality)


def _record_judgement(result: GateResult, places: Places, run: str) -> None:
    """Keep the result in the wave's history, and write its page where a run may end: closed, or last."""
    failed = sum(not verdict.passed for verdict in result.verdicts)
    shares = [v.unexpected_share for v in result.verdicts if v.unexpected_share is not None]
    folder, state = places.wave(result.wave), "closed" if result.closed else "warns" if failed else "open"
    counts = len(result.verdicts), failed, result.rows, max(shares, default=None)
    keep_judgement(folder, result.asset, Judgement(result.wave, run, now(), state, *counts))
    if result.closed or layer_of(result.asset) == "publication":
        write_history_page(folder.parent, places.quality(result.wave), result.wave)


def quality_address(settings: Settings, wave: str, page: str) -> str:
    """Where ``asco up`` shows one of the wave's quality pages: as it runs now, else as it usually does."""
    return f"{settings.quality_url or USUAL_ADDRESS}/{wave}/{page}"


def _check_result(
    result: GateResult, settings: Settings, history: Mapping[str, dg.MetadataValue], seconds: float
) -> dg.AssetCheckResult:
    failed = [verdict for verdict in result.verdicts if not verdict.passed]
    metadata: dict[str, dg.MetadataValue] = {
        "expectations": dg.MetadataValue.table([_record(verdict) for verdict in result.verdicts]),
        "failed": dg.MetadataValue.int(len(failed)),
        "rows judged": dg.MetadataValue.int(result.rows),
        JUDGED_IN: dg.MetadataValue.dagster_run(result.run),
        SECONDS: dg.MetadataValue.float(round(seconds, 3)),
        "Data Docs": dg.MetadataValue.url(quality_address(settings, result.wave, page_of(result.asset))),
        "history page": dg.MetadataValue.url(
            quality_address(settings, result.wave, f"{PAGE}#{result.asset}")
        ),
    }
    # As a table, since Markdown would make links and pictures of what was delivered.
    offending = [
        dg.TableRecord({"column": verdict.column, "row": on_one_line(key)})
        for verdict in failed
        for key in verdict.offending
    ]
    if offending:
        metadata["offending rows"] = dg.MetadataValue.table(offending)
    metadata |= history
    return dg.AssetCheckResult(
        check_name=gate_name(result.asset),
        asset_key=result.asset,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR if result.closed else dg.AssetCheckSeverity.WARN,
        description="; ".join(_sentence(verdict) for verdict in failed) or "Every expectation holds.",
        metadata=metadata,
    )


def _sentence(verdict: Verdict) -> str:
    where = f"{verdict.column}: " if verdict.column else ""
    seen = verdict.fault or verdict.observed
    return f"{where}{verdict.reason} (saw {in_markdown(seen)})" if seen else f"{where}{verdict.reason}"


def _record(verdict: Verdict) -> dg.TableRecord:
    """A verdict as a row that fits a page 1280 pixels wide: what matters first, and words that can wrap."""
    share = "" if verdict.unexpected_share is None else f"{verdict.unexpected_share:.4%}"
    return dg.TableRecord(
        {
            "passed": "yes" if verdict.passed else "NO",
            "reason": verdict.reason,
            "column": verdict.column,
            "observed": (verdict.fault or verdict.observed)[:200],
            "share unexpected": share,
            "severity": verdict.severity,
            "expectation": verdict.expectation.removeprefix("expect_").replace("_", " "),
        }
    )
