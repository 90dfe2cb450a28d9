"""The cells of earlier versions, beside those that are about to be released."""

from collections.abc import Iterable, Iterator

import pandas as pd

from asco_dagster.releases.contract import CELLS, contract_of
from asco_dagster.releases.store import ReleaseStore


def other_cells(
    cells: pd.DataFrame, store: ReleaseStore, versions: Iterable[str]
) -> Iterator[tuple[str, pd.DataFrame]]:
    """The cells of those versions that published other ones than these, in the order of the versions.

    A version of the same cells is this one: without that rule the second run of the same inputs would compare
    with itself, and be another release.

    Args:
        cells: the cells about to be released.
        store: the versions of the wave.
        versions: those that are asked for.
    """
    for version in versions:
        before = pd.read_parquet(store.content(version) / contract_of(CELLS).parquet)
        if not _same(beside(before, cells)):
            yield version, before


def beside(before: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Earlier cells (``…_former``) and these ones, row by row."""
    return before.merge(cells, on=contract_of(CELLS).named("key"), suffixes=("_former", ""), how="outer")


def _same(both: pd.DataFrame) -> bool:
    return all(
        both[f"{name}_former"].equals(both[name].astype(both[f"{name}_former"].dtype))
        for name in ("estimate", "standard_error", "status")
    )
