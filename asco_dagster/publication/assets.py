"""The publication layer: released tables (dbt) and the release itself."""

import datetime as dt
import subprocess
from collections.abc import Callable, Sequence
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from asco_dagster.connectors.fetch import sha256_of
from asco_dagster.methods.disclosure.summary import summary
from asco_dagster.orchestration.asset_graph import dbt_tests_of, upstream, whole_graph
from asco_dagster.orchestration.dbt_layer import dbt_layer
from asco_dagster.orchestration.release_guard import materialization, require_kept_results, require_open_gates
from asco_dagster.orchestration.released_state import EARLIER_VERSIONS, announce_release, record_release
from asco_dagster.orchestration.wave_step import Table, WaveStep, wave_asset
from asco_dagster.publication.changelog import write_changelog
from asco_dagster.publication.content import Content
from asco_dagster.publication.evolution import pub_asco__evolution
from asco_dagster.publication.explorer import write_explorer
from asco_dagster.publication.labels import code_labels, labels_frame
from asco_dagster.publication.lineage import emit, run_event
from asco_dagster.publication.metadata.csvw import write_csvw
from asco_dagster.publication.metadata.dcat import write_dcat
from asco_dagster.publication.metadata.ddi import write_ddi
from asco_dagster.publication.metadata.dictionary import write_dictionary
from asco_dagster.publication.metadata.prov import write_prov
from asco_dagster.publication.metadata.sdmx import write_sdmx
from asco_dagster.publication.quality_report.assets import pub_asco__quality_report, write_report
from asco_dagster.publication.revisions import reason_of, revisions
from asco_dagster.publication.tables import write_french_table, write_released_table
from asco_dagster.publication.workbook import write_workbook
from asco_dagster.questionnaires.codebook import indicators_table
from asco_dagster.releases.contract import ReleasedFile, described
from asco_dagster.releases.disclosure import rounding_steps, tools
from asco_dagster.releases.embargo import public_from
from asco_dagster.releases.record import keep_record
from asco_dagster.releases.release import Description, Provenance, Published, publish
from asco_dagster.releases.signature import signer
from asco_dagster.releases.store import ReleaseStore, read_manifest
from asco_dagster.settings import CHECKOUT
from asco_dagster.storage.shared_store.held import keep_shelf, require_held
from asco_dagster.storage.warehouse import read_table, table_of
from asco_dagster.waves import Wave
from asco_dagster.waves.wave import FOLDER

publication = dbt_layer("publication")

# Nothing released is made of these, but a release over one of their closed gates would be as wrong.
JUDGED_ALONE = (
    "stg_aid__totals",
    "stg_asco__reminders",
    "stg_quality__ties",
    "est_asco__collection",
    "est_asco__margins",
    "est_asco__weighting_log",
    "est_profile__domains",
    "sec_territory__movements",
    "est_quality__published",
    "sec_quality__drift",
)
RELEASE = "pub_asco__release"
RELEASED = {"pub_asco__cells": "asco_cells", "pub_profile__departements": "departement_profiles"}


@wave_asset(deps=[*RELEASED], state=EARLIER_VERSIONS)
def pub_asco__revisions(step: WaveStep) -> Table:
    """One row a number changed since the first version: what it was, what it is, and why."""
    instance, wave = step.context.instance, step.wave
    later = {stem: read_table(step.database, asset) for asset, stem in RELEASED.items()}
    store = ReleaseStore.of(step.places, wave.wave)
    before = upstream(whole_graph(step.context), RELEASE)
    inputs = _inputs(instance, wave.wave, before)
    rules = wave.disclosure.model_dump()
    rows = revisions(store, later, reason_of(store, wave.release.reasons, inputs, code_version(), rules))
    since = store.known()[-1] if store.known() else "no version yet"
    own = rows[rows["former_version"] == since]
    counts = {str(name): int(count) for name, count in own["change"].value_counts().items()}
    return Table(rows, {"since": since, **counts})


@wave_asset(
    deps=[
        *RELEASED,
        "pub_asco__quality_report",
        "pub_asco__revisions",
        "sec_asco__cells",
        "sec_asco__audit",
        "sec_asco__disclosure_log",
        *JUDGED_ALONE,
    ],
    always=True,  # over unchanged tables too, a gate may have closed since
    kinds=frozenset({"python", "parquet"}),
)
def pub_asco__release(step: WaveStep) -> Table:
    """The release folder, or before the day of its embargo the sealed one; it demands every gate upstream."""
    wave, graph = step.wave.wave, whole_graph(step.context)
    before = upstream(graph, RELEASE)
    gates = require_open_gates(step.context.instance, wave, before, dbt_tests_of(graph, before))
    require_kept_results(step.context.instance, wave, before, step.places.gates(wave))
    require_held(step.settings, wave)
    published = publish(
        wave,
        ReleaseStore.of(step.places, wave),
        lambda folder: _write(step, folder),
        _provenance(step, before, gates),
        describe=lambda folder, told: [*write_report(step, folder), *_describe(step.wave, folder, told)],
        announce=lambda version, content: announce_release(step, RELEASE, version, content),
        remember=lambda content: keep_record(step.database, content),
        public_from=public_from(step.wave),
        sign=signer(step.settings, step.places),
    )
    keep_shelf(step.settings, wave)
    record_release(step, RELEASE)
    word = "new release" if published.is_new else "unchanged, the release stands"
    if published.sealed_until is not None:
        word = f"sealed until {published.sealed_until.isoformat()}"
    step.log.info("wave %s: %s %s in %s", wave, word, published.version, published.folder)
    if step.settings.openlineage_url is not None and published.is_new:
        event = run_event(published, step.context.run_id, dt.datetime.now(dt.UTC))
        fault = emit(step.settings.openlineage_url, event)
        if fault is not None:
            step.log.warning(fault)
    return Table(
        _record(published, gates),
        {"version": published.version, "folder": str(published.folder), "state": word},
    )


def _provenance(step: WaveStep, assets: Sequence[str], gates: dict[str, str]) -> Provenance:
    lock = CHECKOUT / "requirements.lock"
    wave_file = FOLDER / f"{step.wave.wave}.yaml"
    return Provenance(
        code_version=code_version(),
        inputs=_inputs(step.context.instance, step.wave.wave, assets),
        gates=gates,
        rules=step.wave.disclosure.model_dump(),
        rounding=rounding_steps(step.wave),
        tools=tools(),
        seconds=_seconds(step.context.instance, step.wave.wave),
        wave_file={"name": wave_file.name, "sha256": sha256_of(wave_file)},
        dependencies={lock.name: sha256_of(lock)} if lock.is_file() else {},
    )


def _describe(wave: Wave, folder: Path, told: Description) -> list[ReleasedFile]:
    """The files that tell of the version itself, kind after kind."""
    return [file for kind in DESCRIBING for file in kind(wave, folder, told)]


def _write(step: WaveStep, folder: Path) -> list[ReleasedFile]:
    """Every file of the release, kind after kind; the marker test and the kinds see released tables only."""
    content = _content(step)
    return [file for kind in KINDS for file in kind(content, folder)]


def _content(step: WaveStep) -> Content:
    """The released tables, described, and the labels of their codes."""
    rows = {stem: step.database.table(table_of(asset)).to_arrow_table() for asset, stem in RELEASED.items()}
    labels = code_labels(step.wave, rows["departement_profiles"].to_pandas())
    rows |= {
        "disclosure_summary": _disclosure_summary(step),
        "indicators": _labels(step),
        "labels": _arrow(labels_frame(labels)),
    }
    revised = step.database.table(table_of("pub_asco__revisions")).to_arrow_table()
    if revised.num_rows:
        rows["revisions"] = revised
    return Content(step.wave, {stem: described(stem, table) for stem, table in rows.items()}, labels)


def _write_tables(content: Content, folder: Path) -> list[ReleasedFile]:
    """Each table as Parquet, as international and as French CSV."""
    files = []
    for stem, table in content.tables.items():
        files += write_released_table(table.rows, folder, stem, table.description)
        files.append(write_french_table(table, content.labels, folder))
    return files


# A kind of file is a function of the content and the folder; it lists what it wrote.
KINDS: tuple[Callable[[Content, Path], list[ReleasedFile]], ...] = (
    _write_tables,
    write_workbook,
    write_csvw,
    write_sdmx,
    write_ddi,
    write_dictionary,
    write_explorer,
)
# What tells of the version itself is no content: it makes no new version.
DESCRIBING: tuple[Callable[[Wave, Path, Description], list[ReleasedFile]], ...] = (
    lambda wave, folder, told: write_changelog(folder, told),
    write_dcat,
    write_prov,
)


def _disclosure_summary(step: WaveStep) -> Any:
    """How many cells of each table are suppressed, and how much of the value they hold."""
    columns = [
        *("unit_type", "indicator", "statistic", "geography", "size_class"),
        *("status", "numerator"),
    ]
    return _arrow(summary(read_table(step.database, "sec_asco__cells", columns)))


def _labels(step: WaveStep) -> Any:
    columns = ["unit_type", "indicator", "kind", "label_fr", "label_en"]
    return _arrow(indicators_table(step.wave)[columns].drop_duplicates())


def _arrow(frame: pd.DataFrame) -> Any:
    import pyarrow as pa

    return pa.Table.from_pandas(frame, preserve_index=False)


def _inputs(instance: dg.DagsterInstance, wave: str, assets: Sequence[str]) -> list[dict[str, Any]]:
    """The files that the sources recorded when they read them, with their checksums."""
    files = []
    for asset in assets:
        record = materialization(instance, wave, asset)
        made = record.asset_materialization if record else None
        recorded = made.metadata.get("files") if made else None
        told: Any = recorded.value if recorded else []
        files += [{"asset": asset, **file} for file in told]
    return files


def _seconds(instance: dg.DagsterInstance, wave: str) -> dict[str, float]:
    """How long the cells were protected and attacked, as these steps told."""
    told = {}
    for asset, work in (("sec_asco__cells", "protection"), ("sec_asco__audit", "attack")):
        record = materialization(instance, wave, asset)
        made = record.asset_materialization if record else None
        taken = made.metadata.get("seconds") if made else None
        if taken is not None:
            told[work] = float(taken.value)  # type: ignore[arg-type]
    return told


def _record(published: Published, gates: dict[str, str]) -> pd.DataFrame:
    manifest = read_manifest(published.folder)
    return pd.DataFrame(
        {
            "version": published.version,
            "path": list(manifest["files"]),
            "sha256": [entry["sha256"] for entry in manifest["files"].values()],
            "row_count": pd.array([entry["rows"] for entry in manifest["files"].values()], dtype="Int64"),
            "gates_demanded": len(gates),
        }
    )


def code_version() -> str:
    """The commit of the checkout, marked when something is not committed; else the package's version."""
    try:
        told = subprocess.run(
            ["git", "-C", str(CHECKOUT), "describe", "--always", "--dirty", "--abbrev=40"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return package_version("asco_dagster")
    return told.stdout.strip()


publication_assets = [
    publication,
    pub_asco__quality_report,
    pub_asco__revisions,
    pub_asco__release,
    pub_asco__evolution,
]
