"""Drift: what is about to be released beside what has been released, of this wave and of the former one.

A number that moved far is more often a fault than news. How far it may move is in the wave file, under
``drift``.
"""

import numpy as np
import pandas as pd

from asco_dagster.methods.disclosure.rules import KEYS
from asco_dagster.orchestration.released_state import COMPARED_RELEASES
from asco_dagster.orchestration.wave_step import Table, WaveStep, wave_asset
from asco_dagster.releases.compared import former_release
from asco_dagster.releases.contract import CELLS, contract_of
from asco_dagster.releases.store import latest_release
from asco_dagster.storage.warehouse import read_table

SHARES = ("share", "population_share")
COLUMNS = [
    *("against", "release", *KEYS),
    *("before", "now", "difference", "standard_errors", "allowed", "excess"),
]


@wave_asset(deps=["sec_asco__cells"], state=COMPARED_RELEASES)
def sec_quality__drift(step: WaveStep) -> Table:
    """One row per number of France released before: by how much it moves, and how much the wave allows."""
    latest = latest_release(step.places.releases(step.wave.wave))
    former = former_release(step.places, step.wave.wave)
    cells = read_table(step.database, "sec_asco__cells", [*KEYS, "estimate", "standard_error", "status"])
    compared = [
        drift(
            pd.read_parquet(release / contract_of(CELLS).parquet),
            cells,
            allowed.share,
            allowed.total,
        ).assign(against=against, release=f"{release.parent.name}/{release.name}")
        for against, release, allowed in (
            ("last_release", latest, step.wave.drift.last_release),
            ("former_wave", former, step.wave.drift.former_wave),
        )
        if release is not None
    ]
    rows = pd.concat(compared, ignore_index=True)[COLUMNS] if compared else _nothing()
    return Table(rows, {"compared with": ", ".join(rows["release"].unique()) or "nothing released yet"})


def drift(before: pd.DataFrame, now: pd.DataFrame, share: float, total: float) -> pd.DataFrame:
    """By how much each national number over all sizes moves between two sets of cells.

    Args:
        before: released cells; suppressed ones have no number.
        now: cells with their status; suppressed ones are left out.
        share: how many units a share (between 0 and 1) may move.
        total: by which factor a total may rise or fall, above 1.

    Returns:
        The keys, ``before``, ``now``, ``difference`` (of shares: now minus before; of totals: the natural
        logarithm of their ratio), ``standard_errors`` (difference in standard errors of the difference; of
        shares only), ``allowed`` and ``excess`` (0 where the difference is allowed).
    """
    numbers = [*KEYS, "estimate", "standard_error"]
    then, current = (
        cells.loc[_national(cells), numbers].dropna(subset=["estimate"]) for cells in (before, now)
    )
    rows = then.merge(current, on=list(KEYS), suffixes=("_before", "_now"), validate="one_to_one")
    is_share = rows["statistic"].isin(SHARES)
    rows = rows.rename(columns={"estimate_before": "before", "estimate_now": "now"})
    positive = (rows["before"] > 0) & (rows["now"] > 0)
    ratio = np.log(rows["now"].where(positive, 1.0) / rows["before"].where(positive, 1.0))
    gone = np.where(rows["before"] == rows["now"], 0.0, np.inf)
    rows["difference"] = np.where(is_share, rows["now"] - rows["before"], np.where(positive, ratio, gone))
    error = (rows["standard_error_before"] ** 2 + rows["standard_error_now"] ** 2) ** 0.5
    rows["standard_errors"] = (rows["difference"] / error.where(error > 0)).where(is_share)
    rows["allowed"] = np.where(is_share, share, np.log(total))
    rows["excess"] = (rows["difference"].abs() - rows["allowed"]).clip(lower=0)
    return rows.drop(columns=["standard_error_before", "standard_error_now"])


def _national(cells: pd.DataFrame) -> pd.Series:
    return (cells["geography"] == "france") & (cells["size_class"] == "total") & (cells["status"] == "V")


def _nothing() -> pd.DataFrame:
    text = ["against", "release", *KEYS]
    return pd.DataFrame({name: pd.Series(dtype=str if name in text else float) for name in COLUMNS})
