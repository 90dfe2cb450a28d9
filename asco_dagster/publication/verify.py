"""Whether a release folder, taken alone, is what its manifest says and keeps its secrets.

Hashes, schema, empty numbers in suppressed cells, and the attack, built from the folder only. What does not
belong here: anything of the wave's database.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asco_dagster.connectors.fetch import sha256_of
from asco_dagster.errors import AscoError
from asco_dagster.publication.shelf import MANIFEST, read_manifest
from asco_dagster.publication.verify_formats import told_in_other_formats

if TYPE_CHECKING:
    import pandas as pd

CELLS = "tables/asco_cells.parquet"
CELLS_AS_CSV = "tables/asco_cells.csv"
PROFILES = "tables/departement_profiles.parquet"
# Columns of the profiles that repeat a share of communes, and the indicator it is.
PROFILED = {
    "communes_with_action_share": "any_action",
    "communes_with_ccas_share": "ccas",
    "communes_acting_for_elderly_share": "act_elderly",
}
NUMBERS = (
    "estimate",
    "standard_error",
    "ci_low",
    "ci_high",
    "cv",
    "respondents",
    "weighted_units",
    "denominator",
)
COLUMNS = ("unit_type", "indicator", "statistic", "geography", "area_code", "size_class", *NUMBERS, "status")


@dataclass(frozen=True)
class Examination:
    """What an examination of a release folder came to.

    Attributes:
        faults: what does not hold, as sentences; empty when everything holds.
        figures: counts of the attack: tables, skipped, suppressed, …; empty when it was not reached.
    """

    faults: list[str]
    figures: dict[str, int]


def faults_of(release: Path) -> list[str]:
    """What does not hold in a release folder, as sentences; empty when everything holds."""
    return examine(release).faults


def examine(release: Path) -> Examination:
    """Examine a release folder: hashes, shape, then disclosure.

    Raises:
        ReleaseError: the folder is no release at all.
    """
    manifest = read_manifest(release)
    # What was altered is not worth reading, and what is misshapen cannot be attacked.
    faults = list(altered(release, manifest)) or list(_misshapen(release))
    figures: dict[str, int] = {}
    return Examination(faults or list(_disclosed(release, manifest, figures)), figures)


def altered(release: Path, manifest: dict[str, Any]) -> Iterator[str]:
    """What in a release folder is not what its manifest says, as sentences."""
    listed = manifest["files"]
    for path, entry in listed.items():
        file = release / path
        if not file.is_file():
            yield f"{path} is in the manifest but not in the folder."
        elif sha256_of(file) != entry["sha256"]:
            yield f"{path} was altered: its sha256 is not the manifest's."
    present = {p.relative_to(release).as_posix() for p in release.rglob("*") if p.is_file()}
    for path in sorted(present - set(listed) - {MANIFEST}):
        yield f"{path} is in the folder but not in the manifest."


def _misshapen(release: Path) -> Iterator[str]:
    import pyarrow.parquet

    cells = pyarrow.parquet.read_table(release / CELLS)
    for column in COLUMNS:
        if column not in cells.column_names:
            yield f"{CELLS} has no column {column}."


def _disclosed(release: Path, manifest: dict[str, Any], figures: dict[str, int]) -> Iterator[str]:
    import pandas as pd

    from asco_dagster.confidentiality.released import is_released, rules_from
    from asco_dagster.methods.disclosure import attack
    from asco_dagster.methods.disclosure.tables import label
    from asco_dagster.publication.research import research_faults

    cells = pd.read_parquet(release / CELLS)
    suppressed = cells[cells["status"] != "V"]
    told = suppressed[list(NUMBERS)].notna().any(axis=1)
    if told.any():
        yield f"{int(told.sum())} suppressed cells carry a number."
    finer = ~is_released(cells)
    if finer.any():
        yield f"{int(finer.sum())} cells lie in a breakdown that is not released."
    yield from _told_elsewhere(release, cells)
    yield from told_in_other_formats(release, cells)
    areas = pd.read_parquet(release / PROFILES, columns=["departement_code", "region_code"])
    regions = dict(zip(areas["departement_code"], areas["region_code"], strict=True))
    try:
        yield from research_faults(release, manifest, cells, regions)
        found = attack(cells, regions, rules_from(manifest["rules"]), steps=manifest["rounding"])
    except AscoError as error:
        yield str(error)
        return
    figures.update(found.summary())
    for skipped in found.skipped:
        yield f"{skipped}: this table could not be attacked."
    for row in found.breaches().astype(str).to_dict("records"):
        place = label((row["geography"], row["area_code"], row["size_class"]))
        cell = f"{row['unit_type']}, {row['indicator']}, {place}"
        yield f"{cell}: {row['quantity']} can be inferred by {row['by']}."


def _told_elsewhere(release: Path, cells: "pd.DataFrame") -> Iterator[str]:
    """Numbers of suppressed cells in the other files of the release."""
    import pandas as pd

    listed = pd.read_csv(release / CELLS_AS_CSV, dtype=str)
    open_there = listed[list(NUMBERS)].notna().any(axis=1).to_numpy()
    if len(listed) != len(cells) or (open_there & (cells["status"] != "V").to_numpy()).any():
        yield f"{CELLS_AS_CSV} does not hide what {CELLS} hides."
    profiles = pd.read_parquet(release / PROFILES).set_index("departement_code")
    shown = cells[(cells["status"] == "V") & (cells["statistic"] == "share")]
    shown = shown[(shown["unit_type"] == "commune") & (shown["geography"] == "departement")]
    for column, indicator in PROFILED.items():
        told = set(profiles.index[profiles[column].notna()])
        hidden = told - set(shown.loc[shown["indicator"] == indicator, "area_code"])
        if hidden:
            yield f"{PROFILES}: {column} of {', '.join(sorted(hidden))} is suppressed in {CELLS}."
