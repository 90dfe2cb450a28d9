"""Cuts the 1,259 EPCI of 2019 into about the 2,145 that France had in 2014, deterministically.

The cut follows no true border: members are side by side in the order of their codes.
"""

import heapq
from collections.abc import Sequence

import pandas as pd

TARGET = 2145
GRAND_PARIS = "200054781"
METROPOLE_OF_2014 = "200030195"  # Nice, the only métropole of the list of 2014
# Communes of the Grand Paris outside any EPCI, beside Paris and four islands: 51 in all, as in 2014.
MUNICIPALITIES_ALONE = 46


def epci_of_2014(communes: pd.DataFrame) -> pd.DataFrame:
    """Replace the EPCI of 2019 by about as many as the list of 2014 has.

    The métropole du Grand Paris did not exist: Paris and the 46 largest of its other communes stay
    outside any EPCI, the rest form one body a département. Then the body with the most members (that of Nice
    excepted) is cut in two until there are 2,145; each half takes the name of its most populous commune, and
    the half with fewer inhabitants an invented SIREN that starts with 29.

    Args:
        communes: ``commune_code``, ``commune_name``, ``departement_code``, ``population``, ``epci_siren``,
            ``epci_name``, ``epci_nature``, by code.

    Returns:
        The same rows with other ``epci_siren``, ``epci_name`` and ``epci_nature``.
    """
    table = communes.copy()
    bodies = _without_grand_paris(table)
    bodies = _cut(bodies, table["population"].tolist())
    siren: list[str | None] = [None] * len(table)
    for code, rows in bodies.items():
        for row in rows:
            siren[row] = code
    natures = table.drop_duplicates("epci_siren").set_index("epci_siren")["epci_nature"]
    table["epci_siren"] = pd.Series(siren, index=table.index, dtype="object")
    table["epci_nature"] = table["epci_siren"].map(natures.replace({"MET69": "CU", "METRO": "CU"}))
    table.loc[table["epci_siren"].notna() & table["epci_nature"].isna(), "epci_nature"] = "CC"
    table.loc[table["epci_siren"] == METROPOLE_OF_2014, "epci_nature"] = "METRO"
    return _named(table)


def _without_grand_paris(table: pd.DataFrame) -> dict[str, Sequence[int]]:
    """Rows of each body, the Grand Paris dissolved."""
    inside = table[table["epci_siren"] == GRAND_PARIS].sort_values(
        ["population", "commune_code"], ascending=[False, True]
    )
    rest = inside.iloc[1 + MUNICIPALITIES_ALONE :]
    others = table[table["epci_siren"].notna() & (table["epci_siren"] != GRAND_PARIS)]
    bodies: dict[str, Sequence[int]] = {
        str(code): sorted(rows) for code, rows in others.groupby("epci_siren").groups.items()
    }
    for departement, rows in rest.groupby("departement_code").groups.items():
        bodies[_invented(9000 + int(str(departement)))] = sorted(rows)
    return bodies


def _cut(bodies: dict[str, Sequence[int]], population: Sequence[int]) -> dict[str, Sequence[int]]:
    """Halve the body with the most members until there are enough; ties go to the smallest SIREN."""
    heap = [(-len(rows), code) for code, rows in bodies.items() if code != METROPOLE_OF_2014]
    heapq.heapify(heap)
    number = 0
    while len(bodies) < TARGET:
        _, code = heapq.heappop(heap)
        rows = bodies.pop(code)
        halves = [rows[: len(rows) // 2], rows[len(rows) // 2 :]]
        halves.sort(key=lambda half: -sum(int(population[row]) for row in half))
        number += 1
        for name, half in zip((code, _invented(number)), halves, strict=True):
            bodies[name] = half
            heapq.heappush(heap, (-len(half), name))
    return bodies


def _named(table: pd.DataFrame) -> pd.DataFrame:
    """Name each body after its most populous commune."""
    largest = table.sort_values(["population", "commune_code"], ascending=[False, True])
    names = largest.drop_duplicates("epci_siren").set_index("epci_siren")["commune_name"]
    return table.assign(
        epci_name=table["epci_nature"].str.cat(table["epci_siren"].map(names), sep=" du pays de ")
    )


def _invented(number: int) -> str:
    return f"29{number:07d}"
