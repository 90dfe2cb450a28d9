"""What earlier releases of a wave change: cells that stay closed, cells that are public already.

Masks are to be stable over time: two versions laid side by side must not tell what each of them hides. Here
the earlier versions become the ``closed`` and ``public`` cells of ``protect`` and the further knowledge of
the attack; reading them is the pipeline's matter.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from asco_dagster.methods.disclosure.rules import CELL, KEYS, NUMBERS

_PLACE = ["unit_type", "indicator", *CELL]


def closed_before(former: pd.DataFrame) -> pd.DataFrame:
    """Cells that some earlier version suppressed.

    Args:
        former: cells of all earlier versions: ``KEYS``, the numbers, ``status``, ``version``, oldest first.

    Returns:
        ``unit_type``, ``indicator``, the cell, ``status`` (A or B where it ever was, else D) and
        ``version``, the first that closed it; one row a cell.
    """
    closed = former[former["status"] != "V"].drop_duplicates([*_PLACE, "status"])
    ranked = closed.assign(rank=closed["status"].map({"A": 0, "B": 1, "D": 2}))
    strongest = ranked.sort_values("rank", kind="stable").drop_duplicates(_PLACE)
    first = closed.drop_duplicates(_PLACE)[[*_PLACE, "version"]]
    return strongest[[*_PLACE, "status"]].merge(first, on=_PLACE).sort_values(_PLACE, ignore_index=True)


def still_true(former: pd.DataFrame, cells: pd.DataFrame, steps: Mapping[str, float]) -> pd.DataFrame:
    """Rows that an earlier version published and whose estimate is the present one.

    A number that has changed since is no longer the table's: it tells nothing exact of the present one.

    Args:
        former: as above.
        cells: the present cells, unrounded: ``KEYS`` and ``estimate``.
        steps: rounding step of each statistic; one step of difference still counts as equal.

    Returns:
        The rows of ``former``, one for each row of ``cells`` that it holds for, the first version that did.
    """
    shown = former[former["status"] == "V"].merge(
        cells[[*KEYS, "estimate"]], on=list(KEYS), suffixes=("", "_now")
    )
    step = shown["statistic"].map(dict(steps)).fillna(0.0).to_numpy(float)
    now = shown["estimate_now"].to_numpy(float)
    gap = np.abs(shown["estimate"].to_numpy(float) - now)
    same = shown[gap <= np.maximum(step, 1e-9 * np.abs(now))]
    return same.drop(columns="estimate_now").drop_duplicates(list(KEYS)).reset_index(drop=True)


def with_earlier(published: pd.DataFrame, known: pd.DataFrame, alone: bool = False) -> pd.DataFrame:
    """What an intruder holds who kept the earlier versions.

    Args:
        published: what is about to be released.
        known: result of ``still_true``.
        alone: leave out what is about to be released, to see what the earlier versions tell by themselves.

    Returns:
        ``published`` with the numbers of ``known`` in its suppressed cells.
    """
    numbers = [name for name in (*NUMBERS, "denominator") if name in published.columns]
    present = [name for name in numbers if name in known.columns]
    frame = published.copy()
    if alone:
        frame["status"] = frame["status"].where(frame["status"] != "V", "D")
        frame[numbers] = frame[numbers].mask(frame["status"] != "V", pd.NA)
    old = frame[list(KEYS)].merge(known[[*KEYS, *present]], on=list(KEYS), how="left")
    filled = (frame["status"] != "V").to_numpy() & old["estimate"].notna().to_numpy()
    for name in present:
        frame[name] = frame[name].where(~filled, old[name].to_numpy(float, na_value=np.nan))
    frame["status"] = frame["status"].where(~filled, "V")
    return frame


def small_differences(former: pd.DataFrame, published: pd.DataFrame, threshold: int) -> pd.DataFrame:
    """Cells whose two versions differ by fewer respondents than the threshold: their difference is a small
    cell of its own, hidden only by the weights, which every calibration changes.

    Returns:
        ``KEYS``, ``version`` and ``difference`` of the cells that both versions show.
    """
    now = published[published["status"] == "V"][[*KEYS, "respondents"]]
    both = former[former["status"] == "V"].merge(now, on=list(KEYS), suffixes=("", "_now"))
    difference = (both["respondents_now"] - both["respondents"]).abs()
    hit = (difference > 0) & (difference < threshold)
    return both.loc[hit, [*KEYS, "version"]].assign(difference=difference[hit]).reset_index(drop=True)
