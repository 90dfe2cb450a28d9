"""Evolution since the former wave, from the two releases and nothing else.

Belongs here: which releases are compared. It stands behind the release, not in it: whether a former wave has
been released does not depend on this wave's inputs, and must not change its bytes. What does not belong here:
the difference and its error (``methods.evolution``).

Geography: released areas are France, and the régions and départements of the publication geography, whose
codes both waves share. Communes that moved to another département between the waves are counted where each
wave found them; mapping them needs INSEE's passage table, which no wave file names yet.
"""

from pathlib import Path

import pandas as pd

from asco_dagster.methods.evolution import evolution
from asco_dagster.orchestration.wave_step import Table, WaveStep, wave_asset
from asco_dagster.places import Places
from asco_dagster.publication.shelf import latest_release
from asco_dagster.waves import wave_names

CELLS, INDICATORS = "tables/asco_cells.parquet", "tables/indicators.parquet"


@wave_asset(deps=["pub_asco__release"])
def pub_asco__evolution(step: WaveStep) -> Table:
    """One row a cell released in this wave and the former one: the difference, with a bound on its error."""
    later = latest_release(step.places.releases(step.wave.wave))
    former = former_release(step.places, step.wave.wave)
    if later is None or former is None:
        return Table(_compared(None, None, "", step.wave.wave), {"former wave": "none is released"})
    rows = _compared(former, later, former.parent.name, step.wave.wave)
    told = {"former release": f"{former.parent.name}/{former.name}", "release": later.name}
    return Table(rows, {**told, "significant": int(rows["significant"].sum())})


def former_release(places: Places, wave: str) -> Path | None:
    """The latest release of the latest wave before this one that has a release."""
    for name in sorted((name for name in wave_names() if name < wave), reverse=True):
        found = latest_release(places.releases(name))
        if found is not None:
            return found
    return None


def _compared(former: Path | None, later: Path | None, former_wave: str, wave: str) -> pd.DataFrame:
    cells = [pd.read_parquet(release / CELLS) if release else _no_cells() for release in (former, later)]
    rows = evolution(cells[0], cells[1], _comparable(former, later))
    rows.insert(0, "former_wave", pd.Series(former_wave, index=rows.index, dtype=str))
    rows.insert(1, "wave", pd.Series(wave, index=rows.index, dtype=str))
    return rows


def _comparable(former: Path | None, later: Path | None) -> pd.DataFrame:
    """Indicators that both releases describe in the same words and of the same kind."""
    if former is None or later is None:
        return pd.DataFrame({"unit_type": pd.Series(dtype=str), "indicator": pd.Series(dtype=str)})
    columns = ["unit_type", "indicator", "kind", "label_fr"]
    one, other = (pd.read_parquet(release / INDICATORS, columns=columns) for release in (former, later))
    return one.merge(other, on=columns)


def _no_cells() -> pd.DataFrame:
    text = ["unit_type", "indicator", "statistic", "geography", "area_code", "size_class", "status"]
    empty = {name: pd.Series(dtype=str) for name in text}
    return pd.DataFrame(
        {**empty, "estimate": pd.Series(dtype=float), "standard_error": pd.Series(dtype=float)}
    )
