"""Evolution since the former wave, from the two releases and nothing else.

It comes after the release and is not in it: whether a former wave has been released does not depend on this
wave's inputs, and must not change its bytes. The difference and its error: ``methods.evolution``.

Geography: released areas are France, and the régions and départements of the publication geography, whose
codes both waves share. A release holds no list of communes, so an estimate of the former wave cannot be made
again on today's communes; what became of them is counted instead, and ``same_territory`` says of each area
whether any commune has moved into it or out of it. Mergers and splits within an area change the number of
units of the survey, not the territory.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from asco_dagster.methods.evolution import evolution
from asco_dagster.orchestration.released_state import COMPARED_RELEASES
from asco_dagster.orchestration.wave_step import Table, WaveStep, wave_asset
from asco_dagster.releases.compared import former_release
from asco_dagster.releases.contract import CELLS, contract_of
from asco_dagster.releases.store import latest_release
from asco_dagster.storage.warehouse import read_table

AREA = ["geography", "area_code"]
COUNTS = ["former_communes", "communes", "unchanged", "recoded", "merged", "split", "split_off"]


@wave_asset(deps=["pub_asco__release", "sec_territory__movements"], state=COMPARED_RELEASES)
def pub_asco__evolution(step: WaveStep) -> Table:
    """One row per cell released in this wave and the former one: the difference and its error."""
    import dagster as dg

    later = latest_release(step.places.releases(step.wave.wave))
    former = former_release(step.places, step.wave.wave)
    movements = read_table(step.database, "sec_territory__movements")
    moved = list(map(dg.TableRecord, counted(movements)))
    # Dagster refuses a table without a row
    shown: dict[str, Any] = {"movements of communes": dg.MetadataValue.table(moved)} if moved else {}
    if later is None or former is None:
        rows = _compared(None, None, "", step.wave.wave)
        return Table(with_movements(rows, movements), {"former wave": "none is released", **shown})
    rows = with_movements(_compared(former, later, former.parent.name, step.wave.wave), movements)
    shown |= {"former release": f"{former.parent.name}/{former.name}", "release": later.name}
    shown |= {"with q below 0.05": int((rows["q_value"] < 0.05).sum())}
    return Table(rows, {**shown, "significant": int(rows["significant"].sum())})


def with_movements(rows: pd.DataFrame, movements: pd.DataFrame) -> pd.DataFrame:
    """Put beside each difference what became of the communes of its area.

    Args:
        rows: the differences, with ``geography`` and ``area_code``.
        movements: ``sec_territory__movements``; empty where the wave names no passage.

    Returns:
        The rows with the counts of their area, and ``same_territory``: 1 where no commune moved into the area
        or out of it, 0 where one did; all null where the movements are not known.
    """
    counts = movements[[*AREA, *COUNTS, "moved_in", "moved_out"]].astype(
        dict.fromkeys([*COUNTS, "moved_in", "moved_out"], "Int64")
    )
    joined = rows.merge(counts, on=AREA, how="left", validate="many_to_one")
    same = (joined["moved_in"] + joined["moved_out"] == 0).astype("Int64")
    return joined.drop(columns=["moved_in", "moved_out"]).assign(same_territory=same)


def counted(movements: pd.DataFrame) -> list[dict[str, Any]]:
    """What became of the communes, one record for France and for each area that some left or joined."""
    if movements.empty:  # the wave names no passage between commune geographies
        return []
    moved = (movements["moved_in"] + movements["moved_out"] > 0) | (movements["geography"] == "france")
    counts = [*COUNTS, "moved_out", "moved_in"]
    return [
        {**{name: str(row[name]) for name in AREA}, **{name: int(row[name]) for name in counts}}
        for row in movements[moved].sort_values(AREA).to_dict("records")
    ]


def _compared(former: Path | None, later: Path | None, former_wave: str, wave: str) -> pd.DataFrame:
    file = contract_of(CELLS).parquet
    cells = [pd.read_parquet(release / file) if release else _no_cells() for release in (former, later)]
    rows = evolution(cells[0], cells[1], _comparable(former, later))
    rows.insert(0, "former_wave", pd.Series(former_wave, index=rows.index, dtype=str))
    rows.insert(1, "wave", pd.Series(wave, index=rows.index, dtype=str))
    return rows


def _comparable(former: Path | None, later: Path | None) -> pd.DataFrame:
    """Indicators that both releases describe in the same words and of the same kind."""
    if former is None or later is None:
        return pd.DataFrame({"unit_type": pd.Series(dtype=str), "indicator": pd.Series(dtype=str)})
    columns, file = ["unit_type", "indicator", "kind", "label_fr"], contract_of("indicators").parquet
    one, other = (pd.read_parquet(release / file, columns=columns) for release in (former, later))
    return one.merge(other, on=columns)


def _no_cells() -> pd.DataFrame:
    text = ["unit_type", "indicator", "statistic", "geography", "area_code", "size_class", "status"]
    empty = {name: pd.Series(dtype=str) for name in text}
    return pd.DataFrame(
        {**empty, "estimate": pd.Series(dtype=float), "standard_error": pd.Series(dtype=float)}
    )
