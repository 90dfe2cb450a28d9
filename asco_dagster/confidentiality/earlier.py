"""The earlier releases of a wave, as the suppression and the audit take them.

Only reading; what follows from them stands in ``methods.disclosure.earlier``.
"""

from pathlib import Path

import pandas as pd

from asco_dagster.errors import DisclosureError
from asco_dagster.methods.disclosure.rules import KEYS, NUMBERS

CELLS = "tables/asco_cells.parquet"


def earlier_cells(folders: list[Path]) -> pd.DataFrame:
    """Cells of earlier releases, oldest first, with their ``version``; no row before the first release.

    Args:
        folders: release folders, oldest first.

    Raises:
        DisclosureError: a release has lost its cells: what it told can no longer be known.
    """
    columns = [*KEYS, *NUMBERS, "status"]
    parts = []
    for folder in folders:
        if not (folder / CELLS).is_file():
            raise DisclosureError(
                f"the earlier release has no {CELLS}",
                file=folder,
                expected="every release of the wave, whole: the new one is protected together with them",
                remedy="Bring the folder back from its backup",
            )
        parts.append(pd.read_parquet(folder / CELLS, columns=columns).assign(version=folder.name))
    if not parts:
        return pd.DataFrame(columns=[*columns, "version"])
    return pd.concat(parts, ignore_index=True)
