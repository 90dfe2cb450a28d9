"""What earlier versions of a release leave to a new one: the versions together are one table more.

Every version has numbers of its own truth: the answers and weights it was made of. What stays the same from
one truth to the next is known from the earlier version; where something was corrected, the difference of two
versions is itself a cell, of the units that were corrected, and subject to the frequency rule. Therefore

- a cell that an earlier version closed stays closed, so that no version opens what another needs closed;
- a cell in which units were corrected since it was last published, but fewer than the threshold, is held
  back: the number of the earlier version remains, and nothing can be subtracted;
- a cell that was published and in which nothing was corrected is known: it protects no other.

Corrections are counted over all answers of a unit at once, so that what is held back does not tell which
answer was corrected. They accumulate until a cell has enough of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from asco_dagster.methods.disclosure.areas import Areas, partitions
from asco_dagster.methods.disclosure.rules import CELL, KEYS, DisclosureRules

_PLACE = ["region_code", "departement_code", "size_class"]
_NOISE = 1e-6  # relative: sums of floats
UNITS = ["unit_type", *_PLACE, "population", "weight", "answers"]
"""Columns of the record of a truth, one row per respondent; no identifier among them."""


@dataclass(frozen=True)
class Version:
    """A version that was public once.

    Args:
        name: for example ``1.0.0``.
        cells: its released cells: ``KEYS``, ``estimate``, ``denominator``, ``status``, and ``as_of`` (the
            version whose number is shown where it is another one's) where it has the column.
        units: result of ``record_of_units`` when it was made; None where it was not kept.
    """

    name: str
    cells: pd.DataFrame
    units: pd.DataFrame | None


def record_of_units(respondents: pd.DataFrame, indicators: pd.DataFrame) -> pd.DataFrame:
    """What has to be kept of a truth to count later what was corrected.

    Args:
        respondents: ``unit_id``, ``unit_type``, ``region_code``, ``departement_code``, ``size_class``,
            ``population``, ``weight``.
        indicators: ``unit_id``, ``indicator``, ``value``.

    Returns:
        The columns ``UNITS``; ``answers`` is a hash of all values of the unit. No identifier is kept, so that
        a new pseudonym key changes nothing.
    """
    wide = indicators.pivot(index="unit_id", columns="indicator", values="value").sort_index(axis=1)
    hashes = pd.Series(pd.util.hash_pandas_object(wide.astype(float), index=False).to_numpy(), wide.index)
    units = respondents.assign(answers=respondents["unit_id"].map(hashes).astype("uint64"))
    return units[UNITS].sort_values(UNITS, ignore_index=True)


def since(
    cells: pd.DataFrame,
    units: pd.DataFrame,
    versions: Sequence[Version],
    areas: Mapping[str, Areas],
    rules: DisclosureRules,
    steps: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Put beside each cell what the earlier versions published of it.

    Args:
        cells: present cells: ``KEYS``, ``numerator``, ``denominator``.
        units: ``record_of_units`` of the present truth.
        versions: those that were ever public, oldest first.
        areas: by unit type, the public geography.
        rules: of the wave.
        steps: rounding step of the published numbers: ``total``, ``population_share``, ``commune share`` …;
            0 where not given.

    Returns:
        The rows with ``closed`` (an earlier version closed the cell), ``published_in`` (the newest version
        that shows it; "" for none), ``known`` (a version published it and nothing was corrected since),
        ``corrected`` (units corrected since, 0 where nothing was published), ``held_back`` (they are too few
        to show) and ``correction`` (move of the numerator that must be possible so that they do not show: to
        what the published number still allows; 0 where the number allows the truth as it is).
    """
    done = cells.assign(
        closed=False,
        published_in="",
        known=False,
        corrected=0,
        held_back=False,
        correction=0.0,
    )
    half = _half(done, steps or {})
    keyed = pd.MultiIndex.from_frame(done[list(KEYS)])
    for version in versions:
        shown = version.cells.set_index(list(KEYS)).reindex(keyed)
        there = shown["status"].notna().to_numpy()
        public = (shown["status"] == "V").to_numpy()
        done["closed"] |= there & ~public
        done["published_in"] = np.where(public, version.name, done["published_in"])
        if "as_of" in shown.columns:  # a number that was held back is that of an older truth
            public = public & shown["as_of"].fillna("").eq("").to_numpy()
        moved = _corrected(units, version.units, areas)
        _narrow(done, shown, public, moved, half, rules)
    return done


def _half(cells: pd.DataFrame, steps: Mapping[str, float]) -> np.ndarray:
    """How far rounding may have moved each numerator that was published; shape (cells,)."""
    own = cells["unit_type"].astype(str) + " " + cells["statistic"].astype(str)
    step = own.map(steps).fillna(cells["statistic"].astype(str).map(steps)).fillna(0.0).to_numpy(float)
    return np.asarray(step / 2 * np.where(cells["statistic"] == "total", 1.0, cells["denominator"]))


def _narrow(
    done: pd.DataFrame,
    shown: pd.DataFrame,
    public: np.ndarray,
    moved: pd.DataFrame,
    half: np.ndarray,
    rules: DisclosureRules,
) -> None:
    """Add what one version tells of each cell that it published."""
    place = done[["unit_type", *CELL]].merge(moved, on=["unit_type", *CELL], how="left")
    count = place["units"].fillna(0).to_numpy(int)
    now = done["numerator"].to_numpy(float)
    estimate = shown["estimate"].astype("Float64").to_numpy(float, na_value=np.nan)
    then = np.where(done["statistic"] == "total", estimate, estimate * done["denominator"].to_numpy(float))
    off = np.where(public, then - now, 0.0)
    few = public & (count > 0) & (count < rules.threshold)
    done["known"] |= public & (count == 0)  # only weights moved
    beyond = np.maximum(np.abs(off) - half, 0.0)
    wanted = np.where(beyond > _NOISE * np.maximum(np.abs(now), 1.0), np.sign(off) * beyond, 0.0)
    more = few & (np.abs(wanted) > np.abs(done["correction"].to_numpy(float)))
    done["held_back"] |= few
    done["correction"] = np.where(more, wanted, done["correction"])
    done["corrected"] = np.where(public, np.maximum(done["corrected"], count), done["corrected"])


def _corrected(now: pd.DataFrame, then: pd.DataFrame | None, areas: Mapping[str, Areas]) -> pd.DataFrame:
    """Units of each cell that differ between two truths: ``unit_type``, ``CELL``, ``units``.

    A unit whose answers changed is counted once, not as one that went and one that came. Without a record of
    the earlier truth nothing counts as corrected.
    """
    columns = ["unit_type", *CELL, "units"]
    nothing = pd.DataFrame(columns=columns).astype({"units": int})
    if then is None:
        return nothing
    identity = ["unit_type", *_PLACE, "population", "answers"]
    both = pd.concat([now.assign(side="now"), then.assign(side="then")], ignore_index=True)
    both["number"] = both.groupby([*identity, "side"]).cumcount()
    alone = both[~both.duplicated([*identity, "number"], keep=False)].reset_index(drop=True)
    parts = []
    for unit_type, own in areas.items():
        for place in partitions(alone[alone["unit_type"] == unit_type], own):
            keyed = pd.concat([alone[["unit_type", "side"]], place], axis=1, join="inner")
            sides = keyed.groupby(["unit_type", *CELL, "side"], observed=True).size()
            parts.append(sides.groupby(level=["unit_type", *CELL]).max().rename("units"))
    found = [part.reset_index() for part in parts if len(part)]
    return pd.concat(found, ignore_index=True)[columns] if found else nothing


def hold_back(cells: pd.DataFrame, versions: Sequence[Version]) -> pd.DataFrame:
    """Show the earlier number where the new one is held back.

    Args:
        cells: ``cells`` of ``protect`` on the result of ``since``, with the numbers to be published.
        versions: those that were ever public, oldest first.

    Returns:
        The rows with ``as_of``: the version whose number a cell shows, null where it is its own. A secondary
        cell (D) that was public before shows that number again, with status V: it tells nothing new.
    """
    done = cells.assign(as_of=None).astype({"as_of": object})
    held = (done["status"] == "D") & (done["published_in"] != "") & ~done["closed"]
    for version in versions:
        rows = (held & (done["published_in"] == version.name)).to_numpy()
        if not rows.any():
            continue
        keyed = pd.MultiIndex.from_frame(done.loc[rows, list(KEYS)])
        shown = version.cells.set_index(list(KEYS)).reindex(keyed)
        for name in shown.columns.intersection(done.columns):
            if name not in ("denominator", "status", "as_of"):
                kind = done[name].dtype
                mixed = done[name].astype(object)  # released numbers are nullable, those inside are not
                mixed[rows] = shown[name].to_numpy(object, na_value=np.nan)
                done[name] = mixed.astype(kind)
        source = (
            shown["as_of"] if "as_of" in shown.columns else pd.Series(None, index=shown.index, dtype=object)
        )
        done.loc[rows, "as_of"] = source.where(source.fillna("") != "", version.name).to_numpy(object)
        done.loc[rows, "status"] = "V"
    return done.astype({"as_of": "string"})
