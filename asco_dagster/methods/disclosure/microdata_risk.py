"""How safe anonymised microdata are, measured on the released rows alone.

Shortfalls of k and of diversity, the measures that stand beside the file, and what the file tells of the
tables of the same release: a cell that shows n records has at least n respondents. How the rows were made
plays no part (``microdata``).
"""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from asco_dagster.methods.disclosure.inference import Inference
from asco_dagster.methods.disclosure.microdata import KEYS, WITHHELD
from asco_dagster.methods.disclosure.published import Published
from asco_dagster.methods.disclosure.rules import CELL, TOTAL
from asco_dagster.methods.disclosure.tables import layout

_KNOWN = 2  # further answers that an intruder may have found out, for the share of records then alone


def alike(rows: pd.DataFrame) -> pd.DataFrame:
    """Each class of records alike in the keys: ``KEYS`` and ``records``."""
    records = rows.drop_duplicates("record")
    return records.groupby(list(KEYS), sort=True).size().rename("records").reset_index()


def diversity(rows: pd.DataFrame) -> pd.DataFrame:
    """Each class × indicator that is shown.

    Returns:
        ``KEYS``, ``indicator``, ``values`` (different ones), ``possible`` (different ones in the whole file,
        by type of unit), ``largest_share`` (part of the most frequent one).
    """
    shown = rows[rows["value"] != WITHHELD]
    possible = shown.groupby(["unit_type", "indicator"])["value"].nunique().rename("possible")
    by = [*KEYS, "indicator"]
    counted = shown.groupby([*by, "value"]).size()
    told = counted.groupby(by).agg(values="size", most="max", shown="sum").reset_index()
    told = told.merge(possible, left_on=["unit_type", "indicator"], right_index=True)
    return told.assign(largest_share=told["most"] / told["shown"])[
        [*by, "values", "possible", "largest_share"]
    ]


def shortfalls(rows: pd.DataFrame, k: int, least: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Classes of fewer than k records, and shown answers with fewer values than asked.

    Args:
        rows: of the research file.
        k: fewest records alike.
        least: fewest different values of an answer; of one that has fewer in the whole file all of them, and
            two at least.
    """
    classes, answers = alike(rows), diversity(rows)
    wanted = np.maximum(np.minimum(least, answers["possible"]), 2)
    return classes[classes["records"] < k], answers[answers["values"] < wanted]


def risk(rows: pd.DataFrame) -> pd.DataFrame:
    """The measures that stand beside the file: ``measure`` and ``value``."""
    classes, answers = alike(rows), diversity(rows)
    records = max(int(classes["records"].sum()), 1)
    keyed = rows.drop_duplicates("record")[list(KEYS)]
    alone = _alone(rows) or [0.0]
    measures = {
        "records": float(classes["records"].sum()),
        "classes of records alike": float(len(classes)),
        "fewest records alike": float(classes["records"].min() if len(classes) else 0),
        "expected share of right guesses within a class": len(classes) / records,
        "share of records with a key withheld": float((keyed == WITHHELD).any(axis=1).mean()),
        "share of answers withheld": float((rows["value"] == WITHHELD).mean()),
        "fewest values of an answer in a class": float(answers["values"].min() if len(answers) else 0),
        "largest share of one value in a class": float(answers["largest_share"].max() if len(answers) else 0),
        f"share of records alone, {_KNOWN} more answers known, mean": float(np.mean(alone)),
        f"share of records alone, {_KNOWN} more answers known, worst": float(np.max(alone)),
    }
    return pd.DataFrame(
        {"measure": list(measures), "value": [round(value, 4) for value in measures.values()]}
    )


def _alone(rows: pd.DataFrame) -> list[float]:
    """Share of records that nobody resembles in the keys and two more answers, for each pair of answers."""
    shares = []
    for _, own in rows.groupby("unit_type"):
        wide = own.pivot(index="record", columns="indicator", values="value").fillna("")
        codes = wide.apply(lambda column: column.astype("category").cat.codes).to_numpy(np.int64)
        keys = own.drop_duplicates("record").set_index("record").reindex(wide.index)[list(KEYS)]
        group = keys.groupby(list(KEYS)).ngroup().to_numpy(np.int64)
        for one, other in combinations(range(codes.shape[1]), _KNOWN):
            mixed = (group * 64 + codes[:, one]) * 64 + codes[:, other]
            _, sizes = np.unique(mixed, return_counts=True)
            shares.append(float((sizes == 1).sum()) / len(mixed))
    return shares


def told_counts(rows: pd.DataFrame, published: pd.DataFrame, regions: Mapping[str, str]) -> pd.DataFrame:
    """Suppressed counts of respondents that the file gives away: cells with the one number that is left.

    Every record is a respondent of its cell, so a suppressed cell has at least as many as the file shows
    there; laid beside the open counts this may leave a single number. Indicators that the same respondents
    answered are taken together.

    Args:
        rows: of the research file.
        published: cells as released, with ``respondents`` null where suppressed.
        regions: département code → région code.

    Returns:
        ``unit_type``, ``indicator``, the cell, ``respondents``.
    """
    found = []
    for unit_type, cells in published.groupby("unit_type", sort=True):
        known = layout(cells[list(CELL)].itertuples(index=False, name=None), regions)
        frame = Published(str(unit_type), known, cells, {}, None)
        own = rows[rows["unit_type"] == unit_type]
        for group in frame.count_groups():
            values, error, _ = frame.counts(group, "respondents")
            least = np.max([_records(own[own["indicator"] == name], known.cells) for name in group], axis=0)
            over = Inference(
                known.matrix,
                values - least,
                error,
                np.full(len(values), np.inf),
                -known.matrix @ least,
                f"{unit_type}, {group[0]}, respondents beside the research file",
            )
            for cell in map(int, over.unknown):
                low, high = np.ceil(over.low[cell] - 1e-6), np.floor(over.high[cell] + 1e-6)
                if high - low < 1:
                    found.append((unit_type, group[0], *known.cells[cell], int(least[cell] + low)))
    return pd.DataFrame(found, columns=["unit_type", "indicator", *CELL, "respondents"])


def _records(rows: pd.DataFrame, cells: tuple[tuple[str, str, str], ...]) -> np.ndarray:
    """Records that certainly lie in each cell; a key withheld places a record in the wider cell only."""
    by_cell: dict[tuple[str, str, str], int] = {}
    for region, size, count in (
        rows.groupby(["region_code", "size_class"])["record"].nunique().reset_index().itertuples(index=False)
    ):
        places = [("france", "FR", TOTAL)]
        places += [("france", "FR", size)] if size != WITHHELD else []
        places += [("region", region, TOTAL)] if region != WITHHELD else []
        places += [("region", region, size)] if WITHHELD not in (region, size) else []
        for place in places:
            by_cell[place] = by_cell.get(place, 0) + int(count)
    return np.array([by_cell.get(cell, 0) for cell in cells], dtype=float)
