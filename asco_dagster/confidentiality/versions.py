"""The earlier versions of a wave, with their records, as the suppression and the audit take them."""

from pathlib import Path
from typing import Any

import pandas as pd

from asco_dagster.errors import DisclosureError
from asco_dagster.methods.disclosure.versions import Version
from asco_dagster.releases.contract import CELLS, contract_of
from asco_dagster.releases.record import record_of
from asco_dagster.releases.store import ReleaseStore, read_manifest


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
    table = contract_of(CELLS)
    if not (folder / table.parquet).is_file():
        raise DisclosureError(
            f"the earlier release has no {table.parquet}",
            file=folder,
            expected="every release of the wave, whole: the new one is protected together with them",
            remedy="Restore the folder from its backup",
        )
    cells = pd.read_parquet(folder / table.parquet)
    return cells[[column.name for column in table.columns if column.name in cells.columns]]
