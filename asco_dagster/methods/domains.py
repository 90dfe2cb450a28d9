"""Domains of estimation: the areas and size classes for which a number is given.

Belongs here: which domains there are and which units lie in each. Does not belong here: which of them are
released (confidentiality and publication), and the estimates (``estimation``).
"""

from collections.abc import Iterator
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
        table: ``geography``, ``area_code``, ``size_class`` (``total`` or a class), one row a domain.
        membership: domain number of each unit, one column a partition, shape (n, partitions); a unit lies in
            exactly one domain of each partition.
    """

    table: pd.DataFrame
    membership: np.ndarray

    def members(self) -> Iterator[tuple[int, np.ndarray]]:
        """Each domain's number with the rows of its units; domains without units come with none."""
        for partition in self.membership.T:
            order = np.argsort(partition, kind="stable")
            numbers, starts = np.unique(partition[order], return_index=True)
            yield from zip(numbers.tolist(), np.split(order, starts[1:]), strict=True)
        for number in np.setdiff1d(np.arange(len(self.table)), self.membership):
            yield int(number), np.array([], dtype=np.intp)


def estimation_domains(units: pd.DataFrame, frame: pd.DataFrame | None = None) -> EstimationDomains:
    """France, régions and départements, each over all sizes and by size class.

    Args:
        units: respondents, with ``region_code``, ``departement_code`` and ``size_class``.
        frame: units of the population with the same columns; a domain that exists there but has no
            respondent is listed too. Without it, only domains with respondents are.

    Returns:
        The domains, by geography (France, régions, départements), area code and size class (total first).

    Raises:
        EstimationError: a respondent has no area or size class, or one that the frame lacks.
    """
    kinds, kind_of_unit = _kinds(units)
    reference = kinds if frame is None else _kinds(frame)[0]
    tables, columns, offset = [], [], 0
    for geography, column in GEOGRAPHIES.items():
        for by_size in (False, True):
            keys = _domain_keys(reference, column, by_size).drop_duplicates()
            keys = keys.sort_values(["area_code", "size_class"], ignore_index=True)
            own = _domain_keys(kinds, column, by_size)
            numbers = pd.MultiIndex.from_frame(keys).get_indexer(pd.MultiIndex.from_frame(own))
            if (numbers < 0).any():
                lost = own.iloc[int(np.argmin(numbers))]
                raise EstimationError(
                    f"a respondent lies in {geography} {lost['area_code']}, size class {lost['size_class']}, "
                    "which the frame lacks"
                )
            columns.append(numbers + offset)
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


def _domain_keys(units: pd.DataFrame, column: str | None, by_size: bool) -> pd.DataFrame:
    """Area and size class of each unit in one partition."""
    return pd.DataFrame(
        {
            "area_code": units[column].astype(str).to_numpy() if column else "FR",
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
    return EstimationDomains(table.iloc[order].reset_index(drop=True), place[membership])
