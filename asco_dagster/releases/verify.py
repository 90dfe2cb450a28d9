"""Whether a release folder, taken alone, is what its manifest says and keeps its secrets.

Signature, hashes, rules, columns, empty measures in suppressed cells, every format beside the tables, and the
attack, from the folder alone. The least that the rules must ask is this code's, not the folder's. Whether the
folder may be read at all: ``confined``; how a format is read: ``formats``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic

from asco_dagster.connectors.fetch import sha256_of
from asco_dagster.errors import AscoError
from asco_dagster.releases.confined import is_number, oversized, require_manifest, unconfined
from asco_dagster.releases.contract import CELLS, MODELLED, PROFILES, contract_of
from asco_dagster.releases.format import ReleaseFolder
from asco_dagster.releases.formats import faults_of_files
from asco_dagster.releases.signature import read_public_key, signature_fault
from asco_dagster.releases.store import MANIFEST
from asco_dagster.waves.statistics import Disclosure

if TYPE_CHECKING:
    import pandas as pd
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

# Rules without which a release is not judged; others were added since the first releases.
REQUIRED = ("minimum_respondents", "dominance_share", "group_threshold", "protection_level")


@dataclass(frozen=True)
class Examination:
    """What an examination of a release folder came to.

    Attributes:
        faults: what does not hold, as sentences; empty when everything holds.
        figures: counts of the attack: tables, skipped, suppressed, …; empty when it was not reached.
    """

    faults: list[str]
    figures: dict[str, int]


def examine(release: Path, public_key: Path | None = None) -> Examination:
    """Examine a release folder, of which nothing is trusted: signature, names, hashes, rules, disclosure.

    Args:
        release: the folder.
        public_key: file of the key with which its manifest must be signed; None asks for no signature.

    Raises:
        ConfigurationError: the file holds no public key.
        ReleaseError: the folder is no release at all.
    """
    release = release.resolve()  # “latest” is a link
    key = read_public_key(public_key) if public_key is not None else None
    manifest = require_manifest(release)
    figures: dict[str, int] = {}
    # each needs the one before: what may not be opened cannot be compared, what was altered is not worth
    # reading, and what is misshapen cannot be attacked
    for faults in (
        _unsigned(manifest, key),
        unconfined(release, manifest),
        altered(release, manifest),
        weaker_rules(manifest),
        oversized(release, manifest),
        _misshapen(release, manifest),
        _disclosed(release, manifest, figures),
    ):
        found = list(_readable(faults))
        if found:
            return Examination(found, figures)
    return Examination([], figures)


def _readable(faults: Iterator[str]) -> Iterator[str]:
    """The faults found; that something cannot be read is one: a file may hold whatever its hash allows."""
    try:
        yield from faults
    except Exception as error:
        cause = str(error) if isinstance(error, AscoError) else type(error).__name__
        yield f"the release cannot be read to the end: {cause}"


def _unsigned(manifest: dict[str, Any], key: "Ed25519PublicKey | None") -> Iterator[str]:
    fault = signature_fault(manifest, key) if key is not None else None
    if fault is not None:
        yield fault


def weaker_rules(manifest: dict[str, Any]) -> Iterator[str]:
    """Where a manifest declares weaker disclosure rules than a wave file may, or rounding that is none."""
    rules = manifest["rules"]
    judged = [name for name in Disclosure.model_fields if name in REQUIRED or name in rules]
    declared = {name: rules.get(name) for name in judged}
    try:
        Disclosure.model_validate(declared, strict=True)
    except pydantic.ValidationError as error:
        for fault in error.errors():
            name = ".".join(map(str, fault["loc"]))
            yield (
                f"the manifest declares {name} {fault['input']!r:.40}, weaker than any release may "
                f"({fault['msg'].lower()})."
            )
    for kind, step in manifest["rounding"].items():
        if not is_number(step) or step <= 0:
            yield f"the manifest declares the rounding step {step!r:.40} for {kind}."


def altered(release: Path, manifest: dict[str, Any]) -> Iterator[str]:
    """What in a release folder is not what its manifest says, as sentences."""
    listed = manifest["files"]
    for path, entry in listed.items():
        file = release / path
        if not file.is_file():
            yield f"{path} is in the manifest but not in the folder."
        elif file.stat().st_size != entry["bytes"] or sha256_of(file) != entry["sha256"]:
            yield f"{path} was altered: its sha256 is not the manifest's."
    present = {p.relative_to(release).as_posix() for p in release.rglob("*") if p.is_file()}
    for path in sorted(present - set(listed) - {MANIFEST}):
        yield f"{path} is in the folder but not in the manifest."


def _misshapen(release: Path, manifest: dict[str, Any]) -> Iterator[str]:
    import pyarrow.parquet

    cells, profiles = contract_of(CELLS), contract_of(PROFILES)
    needed = (cells.parquet, f"{cells.file}.csv", profiles.parquet)
    missing = [path for path in needed if path not in manifest["files"]]
    yield from (f"{path} is not among the files of the release." for path in missing)
    if missing:
        return
    rows = pyarrow.parquet.read_table(release / cells.parquet)
    absent = [column.name for column in cells.columns if column.name not in rows.column_names]
    yield from (f"{cells.parquet} has no column {name}." for name in absent)
    if not absent:
        yield from _unrounded(rows.to_pandas(), manifest["rounding"])


def _unrounded(cells: "pd.DataFrame", steps: Mapping[str, float]) -> Iterator[str]:
    """Numbers finer than the declared rounding: with too coarse a step the attack would infer less."""
    import numpy as np

    for kind, step in steps.items():
        unit_type, _, statistic = kind.rpartition(" ")
        of_kind = cells["statistic"] == statistic
        of_kind &= cells["unit_type"].eq(unit_type) if unit_type else True
        rows = cells[of_kind]["estimate"] if kind not in cells else cells[kind]
        values = rows.dropna().to_numpy(float)
        finer = ~np.isclose(values, np.round(values / step) * step, rtol=1e-9, atol=step * 1e-6)
        if finer.any():
            yield f"{int(finer.sum())} numbers ({kind}) are finer than the declared rounding to {step:g}."


def _disclosed(release: Path, manifest: dict[str, Any], figures: dict[str, int]) -> Iterator[str]:
    from asco_dagster.methods.disclosure.areas import is_released, label
    from asco_dagster.methods.disclosure.attack import attack
    from asco_dagster.releases.disclosure import areas_from, links_of, rules_from
    from asco_dagster.waves import load_wave

    declared, folder = contract_of(CELLS), ReleaseFolder(release, manifest)
    cells = folder.rows(declared)
    unknown = sorted(set(cells["status"]) - {"V", "c"})
    if unknown:
        yield f"{declared.parquet}: status {', '.join(unknown)} shows by which rule a cell was suppressed."
    suppressed = cells[cells["status"] != "V"]
    shown = suppressed[[*declared.named("measure"), "quality_flag"]].notna().any(axis=1)
    if shown.any():
        yield f"{int(shown.sum())} suppressed cells carry a number or a quality flag."
    profiles = folder.rows(contract_of(PROFILES))
    regions = dict(zip(profiles["departement_code"], profiles["region_code"], strict=True))
    areas = areas_from(regions, manifest["rules"].get("recoding", []))
    finer = sum(
        int((~is_released(rows, areas[str(unit_type)])).sum())
        for unit_type, rows in cells.groupby("unit_type")
    )
    if finer:
        yield f"{finer} cells are of a breakdown that is not released."
    yield from _suppressed_in_profiles(folder, cells)
    yield from _suppressed_in_models(folder, cells)
    yield from faults_of_files(folder)
    try:
        found = attack(
            cells,
            areas,
            rules_from(manifest["rules"]),
            links=links_of(load_wave(manifest["wave"])),
            steps=manifest["rounding"],
        )
    except AscoError as error:
        yield str(error)
        return
    figures.update(found.summary())
    for row in found.breaches().astype(str).to_dict("records"):
        place = label((row["geography"], row["area_code"], row["size_class"]))
        cell = f"{row['unit_type']}, {row['indicator']}, {place}"
        yield f"{cell}: {row['statistic']} can be inferred by {row['by']}."


def _suppressed_in_profiles(folder: ReleaseFolder, cells: "pd.DataFrame") -> Iterator[str]:
    """Shares of the profiles that are suppressed in the cells."""
    declared, released = contract_of(PROFILES), contract_of(CELLS).parquet
    rows = folder.rows(declared)
    shown = cells[(cells["status"] == "V") & (cells["statistic"] == "share")]
    shown = shown[(shown["unit_type"] == "commune") & (shown["geography"] == "departement")]
    for column in declared.columns:
        if column.indicator is not None:
            given = set(rows.loc[rows[column.name].notna(), "departement_code"])
            hidden = given - set(shown.loc[shown["indicator"] == column.indicator, "area_code"])
            if hidden:
                areas = ", ".join(sorted(hidden))
                yield f"{declared.parquet}: {column.name} of {areas} is suppressed in {released}."


def _suppressed_in_models(folder: ReleaseFolder, cells: "pd.DataFrame") -> Iterator[str]:
    """Modelled estimates that show, or use, what is suppressed in the cells."""
    declared, released = contract_of(MODELLED), contract_of(CELLS).parquet
    if not folder.holds(declared.parquet):
        return  # a release from before there were any
    keys = declared.named("key")
    models = folder.rows(declared).merge(
        cells.loc[cells["size_class"] == "total", [*keys, "estimate", "status", "as_of"]],
        on=keys,
        how="left",
        suffixes=("", "_of_cell"),
    )
    direct, cell = models["direct_estimate"], models["estimate_of_cell"]
    other = (direct != cell) & ~(direct.isna() & cell.isna())
    if other.any():
        yield f"{declared.parquet}: {int(other.sum())} direct estimates are not those of {released}."
    hidden = (models["status"] != "V") | models["as_of"].notna()
    used = hidden & ((models["method"] != "synthetic") | (models["direct_weight"] != 0))
    if used.any():
        yield f"{declared.parquet}: {int(used.sum())} estimates use answers that {released} does not show."
