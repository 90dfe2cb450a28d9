"""The publication layer: released tables (dbt) and the release itself."""

import subprocess
from collections.abc import Sequence
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from asco_dagster.confidentiality.assets import READ_RELEASES
from asco_dagster.confidentiality.log import summary, tools
from asco_dagster.confidentiality.released import rounding_steps
from asco_dagster.gates.demand import demand_open_gates
from asco_dagster.orchestration.dbt_layer import dbt_layer
from asco_dagster.orchestration.fingerprints import left
from asco_dagster.orchestration.wave_step import Table, WaveStep, wave_asset
from asco_dagster.publication.evolution import compared_releases, pub_asco__evolution
from asco_dagster.publication.quality_report.assets import pub_asco__quality_report, write_report
from asco_dagster.publication.release import Provenance, Published, publish, releases_state
from asco_dagster.publication.research import pub_asco__research_file, write_research_file
from asco_dagster.publication.tables import ReleasedFile, write_released_table
from asco_dagster.questionnaires.codebook import indicators_table
from asco_dagster.settings import CHECKOUT
from asco_dagster.warehouse import read_table, table_of

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
RELEASED = {"pub_asco__cells": "asco_cells", "pub_profile__departements": "departement_profiles"}
COMPARE_RELEASES = ("sec_quality__drift", "pub_asco__quality_report")
"""Assets that compare with the latest releases: the run's own must not make them out of date."""


@wave_asset(
    deps=[
        *RELEASED,
        "pub_asco__research_file",
        "pub_asco__quality_report",
        "sec_asco__cells",
        "sec_asco__audit",
        "sec_asco__disclosure_log",
        *JUDGED_ALONE,
    ],
    always=True,  # over unchanged tables too, a gate may have closed since
    kinds=frozenset({"python", "parquet"}),
)
def pub_asco__release(step: WaveStep) -> Table:
    """The release folder: tables as Parquet and CSV, and the manifest; it demands every gate upstream."""
    upstream = _upstream()
    gates = demand_open_gates(step.context.instance, step.wave.wave, upstream)
    provenance = Provenance(
        code_version=_code_version(),
        inputs=_inputs(step.context.instance, step.wave.wave, upstream),
        gates=gates,
        rules=step.wave.disclosure.model_dump(),
        rounding=rounding_steps(step.wave),
        tools=tools(),
        seconds=_seconds(step.context.instance, step.wave.wave),
    )
    published = publish(
        step.wave.wave, step.places.releases(step.wave.wave), lambda folder: _write(step, folder), provenance
    )
    left(step.database, READ_RELEASES, releases_state(step.places.releases(step.wave.wave)))
    left(step.database, COMPARE_RELEASES, compared_releases(step))
    word = "new release" if published.is_new else "unchanged, the release stands"
    step.log.info("wave %s: %s %s in %s", step.wave.wave, word, published.version, published.folder)
    return Table(_record(published, gates), {"version": published.version, "folder": str(published.folder)})


def _write(step: WaveStep, folder: Path) -> list[ReleasedFile]:
    files: list[ReleasedFile] = []
    for asset, stem in RELEASED.items():
        rows = step.database.table(table_of(asset)).to_arrow_table()
        files += write_released_table(rows, folder, stem)
    files.append(write_report(step, folder))
    files += write_released_table(_disclosure_summary(step), folder, "disclosure_summary")
    files += write_released_table(_labels(step), folder, "indicators")
    return files + write_research_file(step, folder)


def _disclosure_summary(step: WaveStep) -> Any:
    """How many cells of each table are closed, by which rule, and how much of the value they hold."""
    import pyarrow as pa

    columns = [
        "unit_type",
        "indicator",
        "statistic",
        "geography",
        "size_class",
        "status",
        "reason",
        "numerator",
    ]
    cells = read_table(step.database, "sec_asco__cells", columns)
    return pa.Table.from_pandas(summary(cells), preserve_index=False)


def _labels(step: WaveStep) -> Any:
    import pyarrow as pa

    columns = ["unit_type", "indicator", "kind", "label_fr", "label_en"]
    return pa.Table.from_pandas(indicators_table(step.wave)[columns].drop_duplicates(), preserve_index=False)


def _upstream() -> list[str]:
    """Every asset before the release, whatever part of the graph this run materialises."""
    from asco_dagster.definitions import defs

    graph = defs.resolve_asset_graph()
    release = dg.AssetKey("pub_asco__release")
    return sorted(key.path[-1] for key in graph.get_ancestor_asset_keys(release))


def _inputs(instance: dg.DagsterInstance, wave: str, assets: Sequence[str]) -> list[dict[str, Any]]:
    """The files that the sources recorded when they read them, with their checksums."""
    files = []
    for asset in assets:
        records = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[wave]), limit=1
        ).records
        made = records[0].asset_materialization if records else None
        recorded = made.metadata.get("files") if made else None
        told: Any = recorded.value if recorded else []
        files += [{"asset": asset, **file} for file in told]
    return files


def _seconds(instance: dg.DagsterInstance, wave: str) -> dict[str, float]:
    """How long the cells were protected and attacked, as these steps told."""
    told = {}
    for asset, work in (("sec_asco__cells", "protection"), ("sec_asco__audit", "attack")):
        records = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[wave]), limit=1
        ).records
        made = records[0].asset_materialization if records else None
        taken = made.metadata.get("seconds") if made else None
        if taken is not None:
            told[work] = float(taken.value)  # type: ignore[arg-type]
    return told


def _record(published: Published, gates: dict[str, str]) -> pd.DataFrame:
    from asco_dagster.publication.release import read_manifest

    manifest = read_manifest(published.folder)
    return pd.DataFrame(
        {
            "version": published.version,
            "path": list(manifest["files"]),
            "sha256": [entry["sha256"] for entry in manifest["files"].values()],
            "row_count": [entry["rows"] for entry in manifest["files"].values()],
            "gates_demanded": len(gates),
        }
    )


def _code_version() -> str:
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
    pub_asco__research_file,
    pub_asco__quality_report,
    pub_asco__release,
    pub_asco__evolution,
]
