"""What changed between two versions of a release, number by number, and which version that makes.

Only released tables are compared, public numbers on both sides, so that no difference says more than the two
releases do. Why they changed is in ``publication.revisions``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from asco_dagster.releases.contract import tables

Level = Literal["major", "minor", "patch"]
CHANGES = ["quantity", "old", "new", "change"]
# It lists the changes of the other tables, so that it grows is no change.
NOT_COMPARED = frozenset({"revisions"})


@dataclass(frozen=True)
class Changes:
    """What changed from one version to the next.

    Attributes:
        revised: by table, one row per number that was public and is another now (``changed``), no longer
            public (``suppressed``, ``removed``), or public where it was suppressed (``disclosed``).
        added: by table, number of new rows.
        added_columns: by table, new columns of numbers.
        added_tables: tables that are new.
        removed_tables: tables that are gone.
    """

    revised: dict[str, pd.DataFrame]
    added: dict[str, int]
    added_columns: dict[str, list[str]]
    added_tables: list[str]
    removed_tables: list[str]

    @property
    def level(self) -> Level:
        """Major: a public number changed or went. Minor: one came. Patch: no number is another."""
        counts = self.counts()
        if self.removed_tables or any(counts[name] for name in ("changed", "suppressed", "removed")):
            return "major"
        if (
            counts["disclosed"]
            or any(self.added.values())
            or self.added_tables
            or any(self.added_columns.values())
        ):
            return "minor"
        return "patch"

    def summary(self) -> dict[str, int]:
        """How many numbers changed, by kind of change, and how many rows are new, as manifests have it."""
        return {**self.counts(), "added_rows": sum(self.added.values())}

    def counts(self) -> dict[str, int]:
        """How many numbers changed, by kind of change."""
        found = dict.fromkeys(("changed", "suppressed", "disclosed", "removed"), 0)
        for rows in self.revised.values():
            for kind, count in rows["change"].value_counts().items():
                found[str(kind)] += int(count)
        return found


def compare_releases(former: Path, later: Path) -> Changes:
    """Compare the tables of two release folders."""
    before, after = _tables(former), _tables(later)
    revised, added, columns = {}, {}, {}
    for stem in sorted(before.keys() & after.keys()):
        if before[stem].read_bytes() == after[stem].read_bytes():
            continue
        old, new = _read(before[stem]), _read(after[stem])
        key = key_of(stem, old, new)
        revised[stem] = changed_numbers(old, new, key)
        added[stem] = _new_rows(old, new, key)
        columns[stem] = sorted(set(_numeric(new)) - set(old.columns))
    return Changes(
        revised, added, columns, sorted(after.keys() - before.keys()), sorted(before.keys() - after.keys())
    )


def changed_numbers(old: pd.DataFrame, new: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    """Every number of a table that was public and is another now, or was suppressed and is public.

    Args:
        old: the table as it was published.
        new: the table as it is to be published.
        key: columns that identify a row; empty compares row by row.

    Returns:
        One row per changed number: the key, ``quantity`` (its column), ``old``, ``new``, ``change``.
    """
    key = list(key)
    old, new = _keyed(old, key), _keyed(new, key)
    at = key or ["row"]
    both = old.merge(new, on=at, how="left", suffixes=("", " (new)"), indicator="found")
    parts = []
    for quantity in _numeric(old.drop(columns=at)):
        after = both.get(f"{quantity} (new)", pd.Series(float("nan"), index=both.index))
        before, after = pd.to_numeric(both[quantity]), pd.to_numeric(after)
        kept = (both["found"] == "both") & (quantity in new.columns)
        change = pd.Series(None, index=both.index, dtype=object)
        change[before.notna() & after.notna() & (before != after).fillna(False)] = "changed"
        change[before.notna() & after.isna() & kept] = "suppressed"
        change[before.notna() & ~kept] = "removed"
        change[before.isna() & after.notna()] = "disclosed"
        part = both[at].assign(quantity=quantity, old=before, new=after, change=change)
        parts.append(part[change.notna()])
    if not parts:
        return pd.DataFrame(columns=[*at, *CHANGES])
    found = pd.concat(parts, ignore_index=True)
    return found.sort_values([*at, "quantity"], ignore_index=True).astype({"old": float, "new": float})


def key_of(stem: str, old: pd.DataFrame, new: pd.DataFrame) -> list[str]:
    """What identifies the rows of a table: its key columns, or their order where these do not."""
    known = tables().get(stem)
    key = known.named("key") if known else []
    whole = key and set(key) <= set(old.columns) & set(new.columns)
    if whole and not old.duplicated(key).any() and not new.duplicated(key).any():
        return key
    return []


def _new_rows(old: pd.DataFrame, new: pd.DataFrame, key: Sequence[str]) -> int:
    if not key:
        return max(0, len(new) - len(old))
    before = pd.MultiIndex.from_frame(old[list(key)])
    return int((~pd.MultiIndex.from_frame(new[list(key)]).isin(before)).sum())


def _keyed(table: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    numbers = table[[name for name in _numeric(table) if name not in key]]
    return pd.concat([table[key], numbers], axis=1) if key else numbers.assign(row=range(len(table)))


def _numeric(table: pd.DataFrame) -> list[str]:
    return [str(name) for name in table.columns if pd.api.types.is_numeric_dtype(table[name])]


def _tables(release: Path) -> dict[str, Path]:
    """The tables of a release: as Parquet, or as CSV where there is no Parquet."""
    found = dict(_stems(release, "csv")) | dict(_stems(release, "parquet"))
    return {stem: path for stem, path in found.items() if stem not in NOT_COMPARED}


def _stems(release: Path, ending: str) -> Iterator[tuple[str, Path]]:
    return ((path.stem, path) for path in sorted((release / "tables").glob(f"*.{ending}")))


def _read(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
