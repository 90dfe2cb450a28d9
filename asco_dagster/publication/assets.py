"""The publication layer: released tables (dbt) and the release itself."""

import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from asco_dagster.connectors.fetch import sha256_of
from asco_dagster.installation import CHECKOUT, IN_CHECKOUT, LOCK
from asco_dagster.methods.disclosure.summary import summary
from asco_dagster.orchestration.asset_graph import dbt_tests_of, upstream, whole_graph
from asco_dagster.orchestration.checks import operator_address, quality_address, release_address
from asco_dagster.orchestration.dbt_layer import dbt_layer
from asco_dagster.orchestration.release_guard import materialization, require_kept_results, require_open_gates
from asco_dagster.orchestration.released_state import (
    COMPARED_RELEASES,
    EARLIER_VERSIONS,
    announce_release,
    record_release,
    require_same_versions,
)
from asco_dagster.orchestration.tags import APPROVE, CANDIDATE, CANDIDATE_IS_NEW, DIFFERENCES
from asco_dagster.orchestration.wave_step import STATE, Table, WaveStep, wave_asset
from asco_dagster.publication.candidate.page import update_candidate_page
from asco_dagster.publication.evolution import pub_asco__evolution
from asco_dagster.publication.inputs import marked_step, recorded_inputs
from asco_dagster.publication.quality_report.assets import pub_asco__quality_report, write_report
from asco_dagster.publication.revisions import reason_of, revisions
from asco_dagster.publication.waiting_versions import report_lineage
from asco_dagster.questionnaires.tables import indicators_table
from asco_dagster.releases.approval import REQUIRED
from asco_dagster.releases.candidate import PAGE, Candidate
from asco_dagster.releases.content import Content
from asco_dagster.releases.contract import PROFILES, ReleasedFile, released, tables
from asco_dagster.releases.disclosure import rounding_steps, tools
from asco_dagster.releases.embargo import PARIS, public_from
from asco_dagster.releases.formats import write_content, write_version
from asco_dagster.releases.labels import code_labels, labels_frame
from asco_dagster.releases.record import keep_record
from asco_dagster.releases.release import Provenance, Published, publish
from asco_dagster.releases.signature import signer
from asco_dagster.releases.store import ReleaseStore, read_manifest
from asco_dagster.storage.shared_store.held import require_held, upload_releases
from asco_dagster.storage.warehouse import read_table, table_of
from asco_dagster.waves.wave import FOLDER

publication = dbt_layer("publication")

RELEASE = "pub_asco__release"
RELEASED = {table.asset: table.name for table in tables().values() if table.asset and table.grain}
"""The released assets with a dbt model, and the tables of the contract that they are."""


def publication_assets(lower: Sequence[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """The assets of publication. The release comes after every other one, whether or not it reads it.

    Nothing released is made of many of them, but a release over one of their closed gates would be as wrong.

    Args:
        lower: the assets of the layers below.
    """
    last = _unread(lower)
    compared = _comparing_waves(lower)
    report = wave_asset(
        # of what compares waves the report says nothing: it must not depend on which wave was released first
        deps=[*RELEASED, *sorted(last - compared)],
        state=COMPARED_RELEASES,
        kinds=frozenset({"python", "html"}),
    )(pub_asco__quality_report)
    release = wave_asset(
        deps=[*RELEASED, "pub_asco__quality_report", "pub_asco__revisions", "sec_asco__cells", *sorted(last)],
        always=True,  # over unchanged tables too, a gate may have closed since
        kinds=frozenset({"python", "parquet"}),
    )(pub_asco__release)
    return [publication, report, pub_asco__revisions, release, pub_asco__evolution]


def _unread(lower: Sequence[dg.AssetsDefinition]) -> set[str]:
    """The assets of the layers below on which neither another of them nor a released table rests."""
    edges = [deps for made in (*lower, publication) for deps in made.asset_deps.values()]
    read = {key.path[-1] for deps in edges for key in deps}
    return {key.path[-1] for made in lower for key in made.keys} - read


def _comparing_waves(lower: Sequence[dg.AssetsDefinition]) -> set[str]:
    """The assets that compare with another wave: those whose state it is, and what evolution reads."""
    stated = {
        spec.key.path[-1]
        for made in lower
        for spec in made.specs
        if spec.metadata.get(STATE) == COMPARED_RELEASES.name
    }
    return stated | {key.path[-1] for deps in pub_asco__evolution.asset_deps.values() for key in deps}


@wave_asset(deps=[*RELEASED], state=EARLIER_VERSIONS)
def pub_asco__revisions(step: WaveStep) -> Table:
    """One row per number changed since the first version: what it was, what it is, and why."""
    instance, wave = step.context.instance, step.wave
    later = {name: read_table(step.database, asset) for asset, name in RELEASED.items()}
    store = ReleaseStore.of(step.places, wave.wave)
    before = upstream(whole_graph(step.context), RELEASE)
    inputs = recorded_inputs(instance, wave.wave, before)
    rules = wave.disclosure.model_dump()
    rows = revisions(store, later, reason_of(store, wave.release.reasons, inputs, code_version(), rules))
    since = store.known()[-1] if store.known() else "no version yet"
    newest = rows[rows["former_version"] == since]
    counts = {str(name): int(count) for name, count in newest["change"].value_counts().items()}
    return Table(rows, {"since": since, **counts})


def pub_asco__release(step: WaveStep) -> Table:
    """One row per file of the release; refused unless every upstream check is fresh and passed.

    Before the day of its embargo the release is sealed. A version that changes public numbers is a candidate
    until somebody approves it, unless the wave file says otherwise.
    """
    wave, graph = step.wave.wave, whole_graph(step.context)
    before = upstream(graph, RELEASE)
    step, demonstration = marked_step(step, before)
    gates = require_open_gates(step.context.instance, wave, before, dbt_tests_of(graph, before))
    require_kept_results(step.context.instance, wave, before, step.places.gates(wave))
    require_held(step.settings, wave)

    def write(folder: Path) -> Sequence[ReleasedFile]:
        require_same_versions(step, RELEASE)  # here, where no other process publishes
        return write_content(content_of(step), folder)

    published = publish(
        wave,
        ReleaseStore.of(step.places, wave),
        write,
        _provenance(step, before, gates, demonstration),
        describe=lambda folder, version: [
            *write_report(step, folder),
            *write_version(step.wave, folder, version),
        ],
        announce=lambda version, content: announce_release(step, RELEASE, version, content),
        remember=lambda content: keep_record(step.database, content),
        public_from=public_from(step.wave),
        approval_required=step.wave.release.approval == REQUIRED,
        sign=signer(step.settings, step.places),
    )
    candidate = update_candidate_page(step.places, step.wave)
    upload_releases(step.settings, wave)
    record_release(step, RELEASE)
    manifest = read_manifest(published.folder)
    if not published.is_public:  # its publication, later, changes nothing for the tables that it is made of
        announce_release(step, RELEASE, published.version, manifest["content_sha256"])
    word = _state(published, candidate)
    step.log.info("wave %s: %s %s in %s", wave, word, published.version, published.folder)
    report_lineage(step.settings, published, step.context.run_id, step.log.warning)
    return Table(
        _record(published.version, manifest, gates),
        {
            "version": published.version,
            "folder": str(published.folder),
            "state": word,
            "state of the wave": dg.MetadataValue.url(operator_address(step.settings, wave)),
            **_link(step, published),
            **({"data": demonstration} if demonstration else {}),
            **(_candidate(step, candidate, published) if candidate is not None else {}),
        },
    )


def _state(published: Published, candidate: Candidate | None) -> str:
    """What became of the version, as the log and the asset's page say it."""
    if candidate is not None:
        return f"candidate, waits for approval: {candidate.differences}"
    if published.sealed_until is not None:
        return f"sealed until {published.sealed_until.astimezone(PARIS).isoformat()}"
    return "new release" if published.is_new else "unchanged"


def _candidate(step: WaveStep, candidate: Candidate, published: Published) -> dict[str, Any]:
    """The candidate on the page of the asset: what it changes, where that is shown, how it is approved."""
    page = quality_address(step.settings, step.wave.wave, PAGE)
    return {
        CANDIDATE: candidate.name,
        CANDIDATE_IS_NEW: published.is_new,
        DIFFERENCES: dg.MetadataValue.url(page),
        APPROVE: candidate.command,
        **{f"numbers {kind}": count for kind, count in candidate.changes.items()},
    }


def _link(step: WaveStep, published: Published) -> dict[str, Any]:
    """Where the release is shown; one that waits is not."""
    if not published.is_public:
        return {}
    return {"release": dg.MetadataValue.url(release_address(step.settings, step.wave.wave))}


def _provenance(
    step: WaveStep, assets: Sequence[str], gates: dict[str, str], demonstration: str
) -> Provenance:
    wave_file = FOLDER / f"{step.wave.wave}.yaml"
    return Provenance(
        code_version=code_version(),
        inputs=recorded_inputs(step.context.instance, step.wave.wave, assets),
        gates=gates,
        rules=step.wave.disclosure.model_dump(),
        rounding=rounding_steps(step.wave),
        tools=tools(),
        seconds=_seconds(step.context.instance, step.wave.wave),
        wave_file={"name": wave_file.name, "sha256": sha256_of(wave_file)},
        demonstration=demonstration,
        dependencies={LOCK.name: sha256_of(LOCK)} if LOCK.is_file() else {},
    )


def content_of(step: WaveStep) -> Content:
    """The released tables, as they are declared, and the labels of their codes."""
    rows = {name: step.database.table(table_of(asset)).to_arrow_table() for asset, name in RELEASED.items()}
    labels = code_labels(step.wave, rows[PROFILES].to_pandas())
    rows |= {
        "disclosure_summary": _disclosure_summary(step),
        "indicators": _labels(step),
        "labels": _arrow(labels_frame(labels)),
    }
    revised = step.database.table(table_of("pub_asco__revisions")).to_arrow_table()
    if revised.num_rows:
        rows["revisions"] = revised
    return Content(step.wave, {name: released(name, table) for name, table in rows.items()}, labels)


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


def _seconds(instance: dg.DagsterInstance, wave: str) -> dict[str, float]:
    """How long the cells were protected and attacked, as these steps recorded it."""
    seconds = {}
    for asset, work in (("sec_asco__cells", "protection"), ("sec_asco__audit", "attack")):
        record = materialization(instance, wave, asset)
        made = record.asset_materialization if record else None
        taken = made.metadata.get("seconds") if made else None
        if taken is not None:
            seconds[work] = float(taken.value)  # type: ignore[arg-type]
    return seconds


def _record(version: str, manifest: Mapping[str, Any], gates: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "version": version,
            "path": list(manifest["files"]),
            "sha256": [entry["sha256"] for entry in manifest["files"].values()],
            "row_count": pd.array([entry["rows"] for entry in manifest["files"].values()], dtype="Int64"),
            "gates_demanded": len(gates),
        }
    )


def code_version() -> str:
    """The commit of the checkout, marked when something is not committed; else the package's version."""
    if not IN_CHECKOUT:  # git would describe whatever checkout the environment happens to be in
        return package_version("asco_dagster")
    try:
        described = subprocess.run(
            ["git", "-C", str(CHECKOUT), "describe", "--always", "--dirty", "--abbrev=40"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return package_version("asco_dagster")
    return described.stdout.strip()
