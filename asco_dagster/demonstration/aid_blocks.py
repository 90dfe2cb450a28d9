"""Rows of a DREES table: départements, totals, régions, with the marks and codes of each family of sheets.

Corsica is 20, 2A and 2B, the Rhône 69, 69D and 69M; overseas the survey has other codes than INSEE.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from asco_dagster.demonstration.aid_values import AidTable
from asco_dagster.demonstration.archives import Cell
from asco_dagster.demonstration.frame import MAYOTTE

# Régions of métropole in the order of the second block, then overseas with the survey's codes.
REGIONS = ("84", "27", "53", "24", "94", "44", "32", "11", "28", "75", "76", "52", "93")
OVERSEAS = {"971": ("101", "01"), "972": ("102", "02"), "973": ("103", "03"), "974": ("104", "04")}
METROPOLE, DROM, FRANCE = (
    "TOTAL estimé France métropolitaine",
    "TOTAL estimé DROM (hors Mayotte)",
    "TOTAL estimé France entière (hors Mayotte)",
)
LYON_SHARE = 0.72
LAST_CORSICAN_DEPARTEMENTS = 2017
FIRST_LYON = 2015


@dataclass(frozen=True)
class Style:
    """What differs between the families of sheets.

    Attributes:
        missing: what is shown where a département did not exist.
        names: names of départements that differ from INSEE's.
    """

    missing: Cell
    names: dict[str, str]


_RHONE = {"20": "Collectivité de Corse", "69": "Département du Rhône", "69D": "Nouveau Rhône"}
PLAIN = Style(None, _RHONE | {"69M": "Métropole de Lyon"})
CHILD = Style(
    "-",
    {
        "04": "Alpes de Haute-Provence",
        "20": "Collectivité de Corse",
        "2A": "Corse du Sud",
        "28": "Eure-et-loir",
        "69": "Rhône",
        "69D": "Rhône",
        "69M": "Lyon Métropole ",
        "974": "Réunion",
    },
)
SPENDING = Style(0, _RHONE | {"69M": "Métropole de Lyon"})


def blocks(
    table: AidTable, areas: pd.DataFrame, style: Style, *, codes_as_text: bool
) -> tuple[list[list[Cell]], list[list[Cell]], list[list[Cell]]]:
    """Rows of the départements, the three totals, and rows of the régions.

    Args:
        table: the table.
        areas: the départements of its values.
        style: the family of its sheet.
        codes_as_text: whether codes are text; else numbers, as far as the family has it so.

    Returns:
        Three lists of rows, each from the first column on.
    """
    spending = style is SPENDING
    rows: list[list[Cell]] = []
    values = dict(zip(areas["departement_code"], table.values, strict=True))
    listed = areas[["departement_code", "departement_name", "region_code"]].to_numpy(dtype=object)
    for code, name, region in listed:
        if code == MAYOTTE:
            continue
        for shown_code, cells in _split(code, values, table, style):
            shown = OVERSEAS[code][0] if code in OVERSEAS else region
            rows.append(
                [
                    shown if codes_as_text else int(shown),
                    _code(shown_code, spending) if not codes_as_text else shown_code,
                    style.names.get(shown_code, name),
                    *cells,
                ]
            )
    overseas = areas["departement_code"].isin(list(OVERSEAS)).to_numpy()
    mainland = ~overseas & areas["departement_code"].ne(MAYOTTE).to_numpy()
    sums = [table.values[mainland].sum(axis=0), table.values[overseas].sum(axis=0)]
    totals: list[list[Cell]] = [
        [label, None, None, *total.tolist()]
        for label, total in zip((METROPOLE, DROM, FRANCE), [*sums, sums[0] + sums[1]], strict=True)
    ]
    return rows, totals, _regions(table, areas, codes_as_text)


def _split(
    code: str, values: dict[str, np.ndarray], table: AidTable, style: Style
) -> Iterator[tuple[str, list[Cell]]]:
    """A département's rows: Corsica is 20, 2A and 2B, the Rhône as 69, 69D and 69M."""
    years = np.array(table.years)
    if code == "2A":
        yield "20", (values["2A"] + values["2B"]).tolist()
    if code in ("2A", "2B"):
        yield code, where(years <= LAST_CORSICAN_DEPARTEMENTS, values[code].tolist(), style.missing)
        return
    yield code, values[code].tolist()
    if code == "69":
        whole = values[code]
        decimals = 5 if style is SPENDING else 0
        lyon = np.round(whole * LYON_SHARE, decimals)
        yield "69D", where(years >= FIRST_LYON, np.round(whole - lyon, decimals).tolist(), style.missing)
        yield "69M", where(years >= FIRST_LYON, lyon.tolist(), style.missing)


def where(there: np.ndarray, cells: list[Cell], missing: Cell) -> list[Cell]:
    """The cells of the years in which a département was there; ``missing`` in the others."""
    return [cell if known else missing for known, cell in zip(there, cells, strict=True)]


def _code(code: str, spending: bool) -> Cell:
    """A département code as the sheet holds it: the child sheets print numbers, those of spending only 20."""
    numeric = code == "20" if spending else not code.startswith("0") and code.isdigit()
    return int(code) if numeric else code


def _regions(table: AidTable, areas: pd.DataFrame, codes_as_text: bool) -> list[list[Cell]]:
    names = areas.drop_duplicates("region_code").set_index("region_code")["region_name"]
    listed = [(code, code) for code in REGIONS] + [OVERSEAS[code] for code in OVERSEAS]
    rows: list[list[Cell]] = []
    for shown, region in listed:
        inside = areas["region_code"].eq(region).to_numpy()
        name = "Nouvelle Aquitaine" if region == "75" else names[region]
        if not codes_as_text and region in ("01", "02"):
            name += " "  # as the publisher prints Guadeloupe and Martinique there
        total = table.values[inside].sum(axis=0)
        rows.append([shown if codes_as_text else int(shown), name, None, *total.tolist()])
    return rows


def with_totals(
    regions: list[list[Cell]], totals: list[list[Cell]], labels: tuple[str, str, str], *, repeat: bool
) -> Iterator[list[Cell]]:
    """The second block: métropole, its total, overseas, their total, France.

    Args:
        regions: rows of the régions, from :func:`blocks`.
        totals: the three totals, from :func:`blocks`.
        labels: how this block names them.
        repeat: whether the name is in the second column as well.

    Yields:
        The rows below the second header.
    """
    pairs = zip(labels, totals, strict=True)
    again = [[label, label if repeat else None, *total[2:]] for label, total in pairs]
    yield from regions[: len(REGIONS)]
    yield again[0]
    yield from regions[len(REGIONS) :]
    yield from again[1:]
