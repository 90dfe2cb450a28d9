"""What a candidate changes, from two release folders alone: numbers by indicator, the largest, their causes.

Only released tables are read, so that nothing is shown that the two versions do not show.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from asco_dagster.releases.changes import Changes, compare_releases
from asco_dagster.releases.contract import CELLS, PROFILES, contract_of, tables
from asco_dagster.releases.store import read_manifest

LARGEST = 12  # numbers shown of each statistic
KINDS = ("changed", "suppressed", "removed", "disclosed")
_PROFILE = "departement"  # in place of a type of unit


@dataclass(frozen=True)
class Differences:
    """What a candidate changes.

    Attributes:
        tables: ``table``, its labels ``fr`` and ``en``, the counts ``KINDS`` and ``added`` rows.
        indicators: ``unit_type``, labels, the counts ``KINDS``, and the estimate over France of both versions
            (``statistic``, ``old``, ``new``, None where a version suppresses it); most changes first.
        shares: the shares that moved by most points: labels, place, ``old``, ``new``.
        totals: the totals that moved by the largest factor, in the same form.
        respondents: ``unit_type``, ``old`` and ``new`` number over France.
        files: deliveries that differ: ``address``, ``state`` (changed, added, removed), and ``bytes`` and
            ``sha256`` of both, None where there is none.
        causes: what else differs in how the versions were made, in French and English.
    """

    tables: list[dict[str, Any]]
    indicators: list[dict[str, Any]]
    shares: list[dict[str, Any]]
    totals: list[dict[str, Any]]
    respondents: list[dict[str, Any]]
    files: list[dict[str, Any]]
    causes: list[tuple[str, str]]


def differences(former: Path, later: Path) -> Differences:
    """Compare a candidate with its former version.

    Args:
        former: release folder of the former version.
        later: release folder of the candidate.
    """
    changes = compare_releases(former, later)
    labels = _labels(later)
    cells = changes.revised.get(CELLS)
    before, after = _national(former), _national(later)
    made = read_manifest(former), read_manifest(later)
    return Differences(
        tables=_by_table(changes),
        indicators=_by_indicator(changes, labels, before, after),
        shares=_largest(cells, "share", labels),
        totals=_largest(cells, "total", labels),
        respondents=_respondents(before, after),
        files=changed_files(made[0]["inputs"], made[1]["inputs"]),
        causes=_causes(*made),
    )


def changed_files(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The deliveries that differ between the inputs of two manifests, by address (see ``Differences``)."""
    old, new = ({file["address"]: file for file in files} for files in (before, after))
    rows = []
    for address in sorted(old.keys() | new.keys()):
        sides = [side.get(address, {}) for side in (old, new)]
        if sides[0].get("sha256") != sides[1].get("sha256"):
            state = "added" if not sides[0] else "removed" if not sides[1] else "changed"
            parts = {name: [side.get(name) for side in sides] for name in ("bytes", "sha256")}
            rows.append({"address": address, "state": state, **parts})
    return rows


def _causes(former: Mapping[str, Any], later: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What differs in how two versions were made, beside their deliveries."""
    found = []
    if former.get("rules") != later["rules"]:
        found.append(("les règles de secret ont changé", "the disclosure rules changed"))
    if former.get("wave_file") != later["wave_file"]:  # early releases do not name it
        found.append(("le fichier de la vague a changé", "the wave file changed"))
    if former["code_version"] != later["code_version"]:
        move = f"{former['code_version'][:12]} → {later['code_version'][:12]}"
        found.append((f"le programme a changé ({move})", f"the code changed ({move})"))
    if former.get("dependencies") != later["dependencies"]:
        found.append(("les bibliothèques ont changé", "the libraries changed"))
    return found


def _by_table(changes: Changes) -> list[dict[str, Any]]:
    rows = []
    for stem, revised in changes.revised.items():
        counts = _counts(revised["change"])
        added = changes.added[stem]
        if added or any(counts.values()):
            label = tables()[stem].label if stem in tables() else None
            fr, en = (label.fr, label.en) if label else (stem, stem)
            rows.append({"table": stem, "fr": fr, "en": en, **counts, "added": added})
    return rows


def _by_indicator(
    changes: Changes, labels: Mapping[str, tuple[str, str]], before: pd.DataFrame, after: pd.DataFrame
) -> list[dict[str, Any]]:
    rows = []
    cells, profiles = changes.revised.get(CELLS), changes.revised.get(PROFILES)
    if cells is not None:
        for (unit_type, indicator), part in cells.groupby(["unit_type", "indicator"]):
            fr, en = _of(labels, f"indicator:{unit_type}:{indicator}")
            known = {"unit_type": unit_type, "code": indicator, "fr": fr, "en": en}
            rows.append(
                known | _counts(part["change"]) | _france(before, after, str(unit_type), str(indicator))
            )
    if profiles is not None:
        texts = {column.name: column.label for column in contract_of(PROFILES).columns}
        for quantity, part in profiles.groupby("quantity"):
            label = texts.get(str(quantity))
            fr, en = (label.fr, label.en) if label else (str(quantity), str(quantity))
            known = {"unit_type": _PROFILE, "code": quantity, "fr": fr, "en": en}
            rows.append(known | _counts(part["change"]) | {"statistic": None, "old": None, "new": None})
    return sorted(rows, key=lambda row: (-sum(row[kind] for kind in KINDS), row["unit_type"], row["code"]))


def _largest(
    cells: pd.DataFrame | None, statistic: str, labels: Mapping[str, tuple[str, str]]
) -> list[dict[str, Any]]:
    """The estimates of a statistic that moved most, public in both versions."""
    if cells is None:
        return []
    rows = cells[
        (cells["statistic"] == statistic) & (cells["quantity"] == "estimate") & (cells["change"] == "changed")
    ]
    move = (rows["new"] - rows["old"]).abs()
    move = move if statistic == "share" else move / rows["old"].abs().clip(lower=1.0)
    order = rows.assign(move=move).sort_values(
        ["move", "unit_type", "indicator", "geography", "area_code", "size_class"],
        ascending=[False, True, True, True, True, True],
    )
    return [
        {
            "unit_type": row["unit_type"],
            "indicator": _of(labels, f"indicator:{row['unit_type']}:{row['indicator']}"),
            "area": _of(labels, f"area_code:{row['geography']}:{row['area_code']}"),
            "size": _of(labels, f"size_class:{row['size_class']}"),
            "old": float(row["old"]),
            "new": float(row["new"]),
        }
        for row in order.head(LARGEST).to_dict("records")
    ]


def _national(release: Path) -> pd.DataFrame:
    """The released cells over France, all sizes together; empty where the release has no cells."""
    path = release / contract_of(CELLS).parquet
    if not path.is_file():
        return pd.DataFrame(columns=["unit_type", "indicator", "statistic", "estimate", "respondents"])
    cells = pd.read_parquet(path)
    return cells[(cells["geography"] == "france") & (cells["size_class"] == "total")]


def _france(before: pd.DataFrame, after: pd.DataFrame, unit_type: str, indicator: str) -> dict[str, Any]:
    """The share of an indicator over France in both versions, or its total where it has no share."""
    found: dict[str, Any] = {"statistic": None, "old": None, "new": None}
    for name, cells in (("old", before), ("new", after)):
        rows = cells[(cells["unit_type"] == unit_type) & (cells["indicator"] == indicator)]
        for statistic in ("total", "share"):
            one = rows[rows["statistic"] == statistic]
            if len(one):
                value = one["estimate"].astype("Float64").iloc[0]
                found |= {"statistic": statistic, name: None if pd.isna(value) else float(value)}
    return found


def _respondents(before: pd.DataFrame, after: pd.DataFrame) -> list[dict[str, Any]]:
    """How many units answered, as the cells over France say: those of the indicator that most answered."""
    most = [cells.groupby("unit_type")["respondents"].max() for cells in (before, after)]
    return [
        {
            "unit_type": unit_type,
            "old": _number(most[0].get(unit_type)),
            "new": _number(most[1].get(unit_type)),
        }
        for unit_type in sorted({*most[0].index, *most[1].index})
    ]


def _number(value: Any) -> int | None:
    return None if value is None or pd.isna(value) else int(value)


def _counts(change: "pd.Series[Any]") -> dict[str, int]:
    counted = change.value_counts()
    return {kind: int(counted.get(kind, 0)) for kind in KINDS}


def _labels(release: Path) -> dict[str, tuple[str, str]]:
    """Labels of codes, as the release has them: French and English by ``dimension:code``."""
    path = release / contract_of("labels").parquet
    if not path.is_file():
        return {}
    rows = pd.read_parquet(path)
    return {
        f"{row.dimension}:{row.code}": (str(row.label_fr), str(row.label_en)) for row in rows.itertuples()
    }


def _of(labels: Mapping[str, tuple[str, str]], key: str) -> tuple[str, str]:
    """A label in both languages; the code itself where it has none."""
    return labels.get(key, (key.rpartition(":")[2],) * 2)
