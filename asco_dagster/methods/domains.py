"""Domains of estimation: the areas and size classes for which a number is given.

Belongs here: which domains there are and which units lie in each. Does not belong here: which of them are
released (confidentiality and publication), and the estimates (``estimation``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from asco_dagster.errors import EstimationError

GEOGRAPHIES = {"france": None, "region": "region_code", "departement": "departement_code"}
"""Each geography and the column that holds its area code; France is one area, coded ``FR``."""

ALL_SIZES = "total"


@dataclass(frozen=True)
class EstimationDomains:
    """The domains and their members.

    Attributes:
        table: ``geography``, ``area_code``, ``size_class`` (``total`` or a class), one row per domain.
        membership: domain number of each unit, one column per partition, shape (n, partitions); −1 where a
            unit is in none of it (areas that are in no group).
    """

    table: pd.DataFrame
    membership: np.ndarray

    def members(self) -> Iterator[tuple[int, np.ndarray]]:
        """Each domain's number with the rows of its units; domains without units come with none."""
        for partition in self.membership.T:
            order = np.argsort(partition, kind="stable")
            order = order[partition[order] >= 0]
            numbers, starts = np.unique(partition[order], return_index=True)
            yield from zip(numbers.tolist(), np.split(order, starts[1:]), strict=len(numbers) > 0)
        for number in np.setdiff1d(np.arange(len(self.table)), self.membership):
            yield int(number), np.array([], dtype=np.intp)


def estimation_domains(
    units: pd.DataFrame,
    frame: pd.DataFrame | None = None,
    groups: Sequence[tuple[str, str, Sequence[str]]] = (),
) -> EstimationDomains:
    """France, régions and départements, and groups of these, each over all sizes and by size class.

    Args:
        units: respondents, with ``region_code``, ``departement_code`` and ``size_class``.
        frame: units of the population with the same columns; a domain that exists there but has no
            respondent is listed too. Without it, only domains with respondents are.
        groups: areas that are published together: geography, code of the group, codes of its areas; a code
            that no unit has is left out.

    Returns:
        The domains, by geography (France, régions, départements), area code and size class (total first).

    Raises:
        EstimationError: a respondent has no area or size class, or one that the frame lacks.
    """
    kinds, kind_of_unit = _kinds(units)
    reference = kinds if frame is None else _kinds(frame)[0]
    tables, columns, offset = [], [], 0
    wholes = [(geography, column, None, ()) for geography, column in GEOGRAPHIES.items()]
    together = [(geography, GEOGRAPHIES[geography], code, areas) for geography, code, areas in groups]
    for geography, column, code, areas in [*wholes, *together]:
        for by_size in (False, True):
            keys = _domain_keys(reference, column, by_size, code, areas).drop_duplicates()
            keys = keys[keys["area_code"] != ""].sort_values(["area_code", "size_class"], ignore_index=True)
            own = _domain_keys(kinds, column, by_size, code, areas)
            numbers = pd.MultiIndex.from_frame(keys).get_indexer(pd.MultiIndex.from_frame(own))
            missing = np.flatnonzero((numbers < 0) & (own["area_code"] != "").to_numpy())
            if missing.size:
                lost = own.iloc[int(missing[0])]
                raise EstimationError(
                    f"a respondent is in {geography} {lost['area_code']}, size class {lost['size_class']}, "
                    "which the frame lacks"
                )
            columns.append(np.where(numbers < 0, -1, numbers + offset))
            tables.append(keys.assign(geography=geography))
            offset += len(keys)
    table = pd.concat(tables, ignore_index=True)[["geography", "area_code", "size_class"]]
    return _in_order(table, np.column_stack(columns)[kind_of_unit])


def _kinds(units: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """The different places and size classes of units, of which there are few, and which of them each has."""
    names = [*(column for column in GEOGRAPHIES.values() if column), "size_class"]
    for name in names:
        if units[name].isna().any():
            raise EstimationError(f"{int(units[name].isna().sum())} units have no {name}", column=name)
    number = units.groupby(names, observed=True, sort=False).ngroup().to_numpy()
    _, first, kind_of_unit = np.unique(number, return_index=True, return_inverse=True)
    return units.iloc[first][names], kind_of_unit


def _domain_keys(
    units: pd.DataFrame, column: str | None, by_size: bool, group: str | None, areas: Sequence[str]
) -> pd.DataFrame:
    """Area and size class of each unit in one partition; the area is "" where a unit is not in the group."""
    codes = units[column].astype(str).to_numpy() if column else np.full(len(units), "FR", dtype=object)
    if group is not None:
        codes = np.where(np.isin(codes, list(areas)), group, "")
    return pd.DataFrame(
        {
            "area_code": codes,
            "size_class": units["size_class"].astype(str).to_numpy() if by_size else ALL_SIZES,
        },
        index=range(len(units)),
    )


def _in_order(table: pd.DataFrame, membership: np.ndarray) -> EstimationDomains:
    """The domains in reading order: geography, area, then all sizes before each class."""
    rank = {geography: position for position, geography in enumerate(GEOGRAPHIES)}
    order = (
        table.assign(rank=table["geography"].map(rank), by_size=table["size_class"] != ALL_SIZES)
        .sort_values(["rank", "area_code", "by_size", "size_class"])
        .index.to_numpy()
    )
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.arange(len(order))
    moved = np.where(membership < 0, -1, place[membership])
    return EstimationDomains(table.iloc[order].reset_index(drop=True), moved)
