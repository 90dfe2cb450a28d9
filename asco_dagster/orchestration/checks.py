"""The gate as a Dagster asset check: its specification, its run, its metadata.

A check is named ``gx__<asset>``, belongs to the wave partition, blocks, and shows one row per expectation.
"""

import dataclasses
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from asco_dagster.escaping import in_markdown, on_one_line
from asco_dagster.gates.data_docs import (
    mark_page_outdated,
    page_of,
    restore_report,
    withdraw_page,
    write_data_docs,
    write_index,
)
from asco_dagster.gates.explanation import failing_first, remedy, sentence, state
from asco_dagster.gates.history.page import PAGE, write_history_page
from asco_dagster.gates.history.store import Judgement, Observation, keep_judgement, keep_observations, now
from asco_dagster.gates.results import (
    JUDGED_IN,
    GateResult,
    Verdict,
    mark_outdated,
    mark_unjudged,
    restore_result,
)
from asco_dagster.gates.suite import load_suite, require_fit
from asco_dagster.gates.validation import great_expectations, run_suite
from asco_dagster.layers import layer_of
from asco_dagster.observation import SECONDS
from asco_dagster.orchestration.history import gate_history
from asco_dagster.orchestration.partitions import WAVES
from asco_dagster.orchestration.tags import CLOSED
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.warehouse import columns_of
from asco_dagster.waves import Wave

if TYPE_CHECKING:
    import duckdb

OPERATOR = "/operator"
"""Path below Dagster's webserver that leads to the operator's page."""
MARKS = {"blocked": "✖ BLOCKED", "warning": "▲ warning", "passed": "passed"}
"""Verdicts in the tables of Dagster's pages, which show plain text."""


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
    data_version: str = "",
) -> dg.AssetCheckResult:
    """Validate an asset's table and report to Dagster; the result is also kept under ``waves/<wave>/gates``.

    Args:
        database: the wave's.
        asset: its name.
        wave: the wave.
        places: the folders of the home.
        settings: the environment.
        run: identifier of the run, under which the history keeps the result.
        data_version: fingerprint of the table.
    """
    suite = load_suite(asset)
    require_fit(suite, wave, columns_of(database, asset))
    great_expectations()  # its import is not part of a gate's time
    start = time.perf_counter()
    outcome, found = run_suite(suite, database, wave)
    result = dataclasses.replace(found, run=run, at=now(), data_version=data_version)
    result.write(places.gates(wave.wave))
    _record_judgement(result, places, run)
    write_data_docs(outcome, result, places.quality(wave.wave), places.gates(wave.wave))
    history = gate_history(places.wave(wave.wave).parent, asset, wave.wave)
    return _check_result(result, settings, history, time.perf_counter() - start)


def withdraw_judgements(
    assets: Sequence[str], below: Sequence[str], wave: str, places: Places, run: str
) -> None:
    """Withdraw the results of gates whose tables are about to be made, until they are judged again.

    Those of the tables below them are put aside until they are judged again, or prove to be up to date.

    If the run stops before that, they are not judged: among the results, on the quality pages, in the quality
    report.

    Args:
        assets: of the gates.
        below: all assets that depend on them.
        wave: the wave.
        places: the folders of the home.
        run: identifier of the run that makes the tables.
    """
    gates, quality = places.gates(wave), places.quality(wave)
    for asset in assets:
        mark_unjudged(gates, asset, wave, run)
        withdraw_page(quality, asset)
    for asset in below:
        why = mark_outdated(gates, asset, wave, run, assets[0])
        if why:
            mark_page_outdated(quality, asset, why)
    write_index(wave, gates, quality)


def restore_judgement(asset: str, wave: str, places: Places) -> None:
    """Take back the result of a gate that was put aside, of a table that proved to be up to date."""
    gates, quality = places.gates(wave), places.quality(wave)
    if restore_result(gates, asset):
        mark_page_outdated(quality, asset, "")
        restore_report(quality, gates, wave)
        write_index(wave, gates, quality)


def _record_judgement(result: GateResult, places: Places, run: str) -> None:
    """Keep the result in the wave's history, and write its page where a run may end: closed, or last."""
    failed = sum(not verdict.passed for verdict in result.verdicts)
    shares = [v.unexpected_share for v in result.verdicts if v.unexpected_share is not None]
    folder, state = places.wave(result.wave), "closed" if result.closed else "warns" if failed else "open"
    counts = len(result.verdicts), failed, result.rows, max(shares, default=None)
    keep_judgement(folder, result.asset, Judgement(result.wave, run, result.at, state, *counts))
    keep_observations(folder, result.asset, list(_observations(result)))
    if result.closed or layer_of(result.asset) == "publication":
        write_history_page(folder.parent, places.quality(result.wave), result.wave)


def _observations(result: GateResult) -> Iterator[Observation]:
    """Numbers of the whole table that have a limit, for the drawings of the history."""
    for one in result.verdicts:
        if one.value is not None and (one.low is not None or one.high is not None):
            what = f"{one.column}: {one.reason}" if one.column else one.reason
            yield Observation(result.wave, result.run, result.at, what, one.value, one.low, one.high)


def quality_address(settings: Settings, wave: str, page: str) -> str:
    """Address of one of the wave's quality pages, to be kept in an event.

    Without ``ASCO_QUALITY_URL`` it is relative: Dagster's webserver redirects it to the port on which the
    quality pages are served when the link is followed, not when the event was recorded.
    """
    return f"{settings.quality_url or '/quality'}/{wave}/{page}"


def operator_address(settings: Settings, wave: str, part: str = "") -> str:
    """Address of a wave on the operator's page, or of a part of it, to be kept in an event."""
    base = settings.quality_url.removesuffix("/quality") + "/" if settings.quality_url else OPERATOR
    return f"{base}?wave={wave}#{part or 'wave'}-{wave}"


def release_address(settings: Settings, wave: str) -> str:
    """Address of the report of a wave's latest version, to be kept in an event."""
    base = settings.quality_url.removesuffix("/quality") if settings.quality_url else ""
    return f"{base}/releases/{wave}/latest/report/"


def _check_result(
    result: GateResult, settings: Settings, history: Mapping[str, dg.MetadataValue], seconds: float
) -> dg.AssetCheckResult:
    verdicts = failing_first(result.verdicts)
    failed = [verdict for verdict in verdicts if not verdict.passed]
    page = quality_address(settings, result.wave, page_of(result.asset))
    metadata: dict[str, dg.MetadataValue] = {"Data Docs": dg.MetadataValue.url(page)}
    # As a table, since Markdown would make links and pictures of what was delivered.
    offending = [
        dg.TableRecord({"column": verdict.column, "row": on_one_line(key), "reason": verdict.reason})
        for verdict in failed
        for key in verdict.offending
    ]
    if offending:
        metadata["failing rows"] = dg.MetadataValue.table(offending)
    metadata |= {
        "expectations": dg.MetadataValue.table([_record(verdict) for verdict in verdicts]),
        "failed": dg.MetadataValue.int(len(failed)),
        "rows judged": dg.MetadataValue.int(result.rows),
        JUDGED_IN: dg.MetadataValue.dagster_run(result.run),
        SECONDS: dg.MetadataValue.float(round(seconds, 3)),
        "history page": dg.MetadataValue.url(
            quality_address(settings, result.wave, f"{PAGE}#{result.asset}")
        ),
        **history,
    }
    return dg.AssetCheckResult(
        check_name=gate_name(result.asset),
        asset_key=result.asset,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR if result.closed else dg.AssetCheckSeverity.WARN,
        description=_description(result, failed),
        metadata=metadata,
    )


def _description(result: GateResult, failed: Sequence[Verdict]) -> str:
    if not failed:
        return "Every expectation holds."
    sentences = "; ".join(sentence(verdict, in_markdown) for verdict in failed)
    return f"{sentences}. {remedy(result, failed[0])}" if result.closed else sentences


def require_open(checks: Iterable[dg.AssetCheckResult], wave: str, settings: Settings) -> None:
    """Fail the step of gates that closed, with what they found; to be called after they were reported.

    Dagster itself would fail it with the names of the checks alone.

    Raises:
        Failure: a blocking check failed; says why, and where its page is.
    """
    closed = [one for one in checks if not one.passed and one.severity == dg.AssetCheckSeverity.ERROR]
    if not closed:
        return
    names = ", ".join(f"{one.check_name}" for one in closed)
    many = len(closed) > 1
    reasons = " – ".join(
        f"{one.check_name}: {one.description}" if many else f"{one.description}" for one in closed
    )
    pages = {
        f"{one.check_name}": dg.MetadataValue.url(
            quality_address(settings, wave, page_of(one.asset_key.path[-1])) if one.asset_key else ""
        )
        for one in closed
    }
    raise dg.Failure(
        f"Wave {wave}: {'gates' if many else 'gate'} closed, {names}. {reasons}",
        metadata={CLOSED: names, **pages},
        allow_retries=False,
    )


def _record(verdict: Verdict) -> dg.TableRecord:
    """A verdict as a row that fits a page 1280 pixels wide: what matters first, and words that can wrap."""
    return dg.TableRecord(
        {
            "verdict": MARKS[state(verdict)],
            "reason": verdict.reason,
            "column": verdict.column,
            "expected": verdict.expected[:200],
            "observed": (verdict.fault or verdict.observed)[:200],
        }
    )
