"""The step of the quality report: its indicators as a table, its page for the quality pages and the release.

Before the day of the release the page among the quality pages shows quality and no result; the page within
the release shows both. It is written from tables and gates that a second run of the same inputs makes again,
so that its bytes are the same: no clock, no pseudonym, nothing that was only observed.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import dagster as dg

from asco_dagster.gates.data_docs import REPORT, write_report_page
from asco_dagster.gates.history.store import forget_figures, keep_figures
from asco_dagster.gates.results import read_result
from asco_dagster.orchestration.asset_graph import upstream, whole_graph
from asco_dagster.orchestration.checks import operator_address, quality_address
from asco_dagster.orchestration.history import figure_history
from asco_dagster.orchestration.wave_step import Table, WaveStep
from asco_dagster.publication.inputs import marked_step
from asco_dagster.publication.quality_report.indicators import (
    RESULTS,
    key_figures,
    published_beside_estimates,
    quality_indicators,
    without_results,
)
from asco_dagster.publication.quality_report.modelled import modelled_beside_direct
from asco_dagster.publication.quality_report.openness import former_cells, open_by_level
from asco_dagster.publication.quality_report.page import map_pictures, render
from asco_dagster.publication.quality_report.released import write_quality
from asco_dagster.publication.quality_report.versions import national_versions
from asco_dagster.questionnaires.tables import indicators_table
from asco_dagster.releases.contract import ReleasedFile
from asco_dagster.releases.embargo import public_from, waiting
from asco_dagster.releases.store import ReleaseStore
from asco_dagster.storage.warehouse import read_table

# Key figures whose history is drawn on the asset's page; the wave's history page draws all.
DRAWN = (
    "unit_response rate, commune",
    "unit_response rate, epci",
    "item_nonresponse rate, commune",
    "completeness share_released, all",
    "disclosure recovered, all",
    "share any_action, commune",
    "share ccas, commune",
)
_LABELS = """
select unit_type, question as code, label_fr, label_en from staging.stg_asco__questions
union
select unit_type, indicator as code, label_fr, label_en from staging.stg_asco__indicators
"""


def pub_asco__quality_report(step: WaveStep) -> Table:
    """One row per indicator of the quality report; the page itself is one of the quality pages."""
    step, _ = marked_step(step, upstream(whole_graph(step.context), "pub_asco__quality_report"))
    rows = quality_indicators(step.database, step.wave, ReleaseStore.of(step.places, step.wave.wave))
    page = _page(step, rows, _gates(step), results=_is_open(step))
    target = write_report_page(step.places.quality(step.wave.wave), page)
    address = quality_address(step.settings, step.wave.wave, REPORT)
    links: dict[str, Any] = {"report": dg.MetadataValue.url(address), "file": dg.MetadataValue.path(target)}
    links["state of the wave"] = dg.MetadataValue.url(operator_address(step.settings, step.wave.wave))
    pictures = {
        f"map: {words}": dg.MetadataValue.md(f"![{words}](data:image/svg+xml;base64,{picture})")
        for words, picture in map_pictures(rows, step.wave).items()
    }
    return Table(rows, {**links, "bytes": len(page.encode()), **pictures, **_history(step, rows)})


def _history(step: WaveStep, rows: Any) -> dict[str, Any]:
    """The key figures, kept for the history of the wave's runs, and that history as metadata.

    It is on Dagster's pages and on the wave's history page only: the report must be the same however
    often the wave ran.
    """
    folder = step.places.wave(step.wave.wave)
    figures = key_figures(rows, step.database)
    if not _is_open(step):
        figures = without_results(figures)
        for beginning in RESULTS:  # kept by runs before the wave had an embargo
            forget_figures(folder, beginning)
    keep_figures(folder, step.context.run.run_id, figures)
    return figure_history(folder.parent, step.wave.wave, DRAWN)


def _is_open(step: WaveStep) -> bool:
    """Whether results may be seen outside the release: no embargo, or its day has come and nothing waits."""
    day = public_from(step.wave)
    if day is None:
        return True
    return dt.datetime.now(dt.UTC) >= day and waiting(ReleaseStore.of(step.places, step.wave.wave)) is None


def write_report(step: WaveStep, folder: Path) -> list[ReleasedFile]:
    """Write the page and its tables into a release folder, from the indicators as the gate judged them."""
    rows, gates = read_table(step.database, "pub_asco__quality_report"), _gates(step)
    (folder / REPORT).parent.mkdir(parents=True, exist_ok=True)
    (folder / REPORT).write_text(_page(step, rows, gates, results=True), encoding="utf-8")
    return [ReleasedFile(REPORT, len(rows)), *write_quality(step.wave, folder, gates, rows)]


def _page(step: WaveStep, rows: Any, gates: Sequence[dict[str, Any]], *, results: bool) -> str:
    labels = step.database.execute(_LABELS).df()
    published = published_beside_estimates(step.database)
    cells, store = read_table(step.database, "pub_asco__cells"), ReleaseStore.of(step.places, step.wave.wave)
    versions = national_versions(cells, indicators_table(step.wave), store)
    openness = open_by_level(cells, former_cells(cells, store))
    modelled = modelled_beside_direct(cells, read_table(step.database, "pub_asco__model_estimates"))
    return render(step.wave, rows, published, gates, labels, versions, openness, modelled, results=results)


def _gates(step: WaveStep) -> list[dict[str, Any]]:
    """Results of the gates before the report, in every run, as they were kept.

    Raises:
        GateError: one is not judged.
    """
    folder, wave = step.places.gates(step.wave.wave), step.wave.wave
    judged = upstream(whole_graph(step.context), "pub_asco__quality_report")
    results = [read_result(folder, asset, wave) for asset in judged]
    return [{**asdict(result), "closed": result.closed} for result in results]
