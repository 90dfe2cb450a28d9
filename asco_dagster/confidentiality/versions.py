"""The earlier versions of a wave, with their records, as the suppression and the audit take them."""

from pathlib import Path
from typing import Any

import pandas as pd

from asco_dagster.errors import DisclosureError
from asco_dagster.methods.disclosure.rules import KEYS, NUMBERS
from asco_dagster.methods.disclosure.versions import Version
from asco_dagster.releases.record import record_of
from asco_dagster.releases.store import ReleaseStore, read_manifest

CELLS = "tables/asco_cells.parquet"


def earlier_versions(store: ReleaseStore, database: Any) -> list[Version]:
    """Every version that was ever public, oldest first; a withdrawn one remains known.

    Args:
        store: the wave's releases.
        database: of the wave.

    Raises:
        DisclosureError: a release has lost its cells, so that nobody can say what it published.
    """
    return [
        Version(version, _cells(folder), record_of(database, read_manifest(folder)["content_sha256"]))
        for version in store.known()
        for folder in [store.content(version)]
    ]


def _cells(folder: Path) -> pd.DataFrame:
    if not (folder / CELLS).is_file():
        raise DisclosureError(
            f"the earlier release has no {CELLS}",
            file=folder,
            expected="every release of the wave, whole: the new one is protected together with them",
            remedy="Restore the folder from its backup",
        )
    cells = pd.read_parquet(folder / CELLS)
    wanted = [*KEYS, *NUMBERS, "status", "quality_flag", "as_of"]
    return cells[[name for name in wanted if name in cells.columns]]
