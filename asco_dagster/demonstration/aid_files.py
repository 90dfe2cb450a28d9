"""The DREES's workbooks of beneficiaries and spending, laid out as published, faults included."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from asco_dagster.demonstration.aid_blocks import (
    CHILD,
    DROM,
    FRANCE,
    METROPOLE,
    PLAIN,
    SPENDING,
    blocks,
    with_totals,
)
from asco_dagster.demonstration.aid_values import AidTable, aid_tables
from asco_dagster.demonstration.archives import Cell, Sheet, write_workbook
from asco_dagster.demonstration.frame import MAYOTTE, Territory, departement_populations

# Sheets whose header says “Départements”.
_PLURAL = ("Tab9-ase", "Tab10-ase")
_BLANKS_BETWEEN_BLOCKS = 4  # on the sheets of spending
INVENTED = "Données de démonstration, inventées : ce classeur n'est pas de la DREES."


def write_aid_beneficiaries(path: Path, territory: Territory, seed: int) -> None:
    """Write the workbook of beneficiaries: 45 tables.

    Args:
        path: the file to write.
        territory: whose inhabitants bear the rates.
        seed: seed of the values.
    """
    tables = aid_tables("beneficiaries", territory, seed)
    areas = departement_populations(territory)
    write_workbook(path, _beneficiary_sheets(tables, areas))


def write_aid_spending(path: Path, territory: Territory, seed: int) -> None:
    """Write the workbook of spending in thousands of euros: 32 tables and consumer prices.

    The last column is ``2020 (p)``: the true tables by département stop at 2019, and their provisional year
    is in the national sheet only.

    Args:
        path: the file to write.
        territory: whose inhabitants bear the rates.
        seed: seed of the values.
    """
    tables = aid_tables("spending", territory, seed)
    areas = departement_populations(territory)
    write_workbook(path, _spending_sheets(tables, areas))


def _beneficiary_sheets(tables: list[AidTable], areas: pd.DataFrame) -> Iterator[Sheet]:
    yield "Présentation et méthode", [["Les bénéficiaires de l'aide sociale départementale"], [], [INVENTED]]
    yield "Corrections Déc 21", [["Corrections"], [], [INVENTED]]
    yield "Sommaire", _contents("Les bénéficiaires de l'aide sociale départementale depuis 1996", tables)
    yield "Données nationales", _national(tables, areas)
    for table in tables:
        if table.region_title is None:
            yield table.sheet, _national_table(table, areas)
        elif table.sheet.endswith("-ase"):
            yield table.sheet, _child_sheet(table, areas)
        else:
            yield table.sheet, _beneficiary_sheet(table, areas)


def _spending_sheets(tables: list[AidTable], areas: pd.DataFrame) -> Iterator[Sheet]:
    yield "Présentation et méthode", [["Les dépenses d'aide sociale départementale"], [], [INVENTED]]
    yield "Sommaire", _contents("Les dépenses d'aide sociale départementale", tables)
    yield "Données nationales", _national(tables, areas)
    for table in tables:
        yield table.sheet, _spending_sheet(table, areas)
    yield "IPC", _prices()


def _spending_sheet(table: AidTable, areas: pd.DataFrame) -> Iterator[list[Cell]]:
    rows, totals, regions = blocks(table, areas, SPENDING, codes_as_text=False)
    years: list[Cell] = [*table.years[:-1], f"{table.years[-1]} (p)"]
    yield [table.title, *_at(len(years) + 3, "Retour sommaire")]
    yield from _spending_head(table.header_row - 2)
    yield ["Code\n région", "Code\ndépartement", "Département", *years]
    yield from rows
    yield from totals
    yield from _blank(_BLANKS_BETWEEN_BLOCKS)
    yield [table.region_title]
    title_row = table.header_row + len(rows) + len(totals) + _BLANKS_BETWEEN_BLOCKS + 1
    yield from _spending_head((table.region_header_row or title_row + 8) - title_row - 1)
    yield ["Code\n région", "Région", None, *years]
    labels = (METROPOLE, "Total estimé DROM (hors Mayotte)", FRANCE)
    yield from with_totals(regions, totals, labels, repeat=False)


def _spending_head(count: int) -> Iterator[list[Cell]]:
    """The ``count`` rows between a title and its header."""
    yield ["Source : DREES, Enquête Aide sociale "]
    yield ["Champ : France métropolitaine et DROM, hors Mayotte"]
    yield []
    yield [f"Note : {INVENTED}"]
    yield from _blank(count - 5)
    yield ["en milliers d'euros"]


def _beneficiary_sheet(table: AidTable, areas: pd.DataFrame) -> Iterator[list[Cell]]:
    rows, totals, regions = blocks(table, areas, PLAIN, codes_as_text=True)
    years: list[Cell] = [str(year) for year in table.years]
    yield [table.title]
    yield [
        "Source : DREES, Enquête Aide sociale.",
        *_at(min(10, len(years) + 2), "Retour au sommaire"),
    ]
    yield ["Champ : France métropolitaine et DROM (Hors Mayotte)."]
    yield [f"Note : {INVENTED}"]
    yield from _blank(table.header_row - 5)
    yield ["Code région", "Code département", "Département", *years]
    yield from rows
    yield from totals
    yield from _blank(2)
    yield [table.region_title, *_at(len(years) + 2, "Retour en haut de la page")]
    yield []
    yield ["Code région", "Région", "espace", *years]
    yield from with_totals(regions, totals, (METROPOLE, DROM, FRANCE), repeat=True)


def _child_sheet(table: AidTable, areas: pd.DataFrame) -> Iterator[list[Cell]]:
    rows, totals, regions = blocks(table, areas, CHILD, codes_as_text=False)
    years: list[Cell] = list(table.years)
    yield [table.title, *_at(18, "Retour au sommaire")]
    yield ["Données au 31 décembre"]
    yield ["Source : DREES, enquête Aide sociale "]
    yield ["Champ : France métropolitaine et DROM (Hors Mayotte)"]
    yield from _blank(table.header_row - 5)
    name = "Départements" if table.sheet in _PLURAL else "Département"
    yield ["Code\n région", "Code\ndépartement", name, *years]
    yield from rows
    yield from totals
    yield [INVENTED]
    yield []
    yield [table.region_title]
    yield ["Données au 31 décembre", *_at(18, "Retour en haut de page")]
    yield []
    yield ["Code\n région", "Région", None, *years]
    yield from with_totals(regions, totals, (METROPOLE, DROM, FRANCE), repeat=False)


def _national_table(table: AidTable, areas: pd.DataFrame) -> Iterator[list[Cell]]:
    """The one table without départements."""
    yield [table.title]
    yield ["Données au 31 décembre", *_at(8, "Retour au sommaire")]
    yield ["Source : DREES, enquête Aide sociale "]
    yield ["Champ : France métropolitaine et DROM (Hors Mayotte)"]
    yield []
    yield [f"Notes : {INVENTED}"]
    yield from _blank(table.header_row - 7)
    yield [None, None, None, *table.years]
    there = areas["departement_code"].ne(MAYOTTE).to_numpy()
    yield [FRANCE, None, None, *np.round(table.values[there].sum(axis=0), -2).tolist()]


def _national(tables: list[AidTable], areas: pd.DataFrame) -> Iterator[list[Cell]]:
    """The sheet of national series, which no reader takes for a table."""
    there = areas["departement_code"].ne(MAYOTTE).to_numpy()
    years = range(min(table.years[0] for table in tables), 2021)
    yield ["Tableau A - Séries nationales"]
    yield [INVENTED]
    yield []
    yield [None, *years]
    for table in tables:
        total = dict(zip(table.years, table.values[there].sum(axis=0).tolist(), strict=True))
        yield [table.title, *(total.get(year) for year in years)]


def _contents(title: str, tables: list[AidTable]) -> Iterator[list[Cell]]:
    yield [title]
    yield []
    yield ["Sommaire"]
    for table in tables:
        yield [None, table.title]


def _prices() -> Iterator[list[Cell]]:
    """Consumer prices, invented as well: 1.3 % a year up to 1 in 2020."""
    yield ["Tableau A - Indice des prix à la consommation - Ensemble des ménages en France"]
    yield ["Source : Insee"]
    yield ["Champ : France"]
    yield []
    yield [f"Note : {INVENTED}"]
    yield from _blank(3)
    yield ["Année", "Valeur"]
    for year in range(1996, 2021):
        yield [year, round(1.013 ** (year - 2020), 6)]


def _at(column: int, text: str) -> list[Cell]:
    """Cells that put a text into a column counted from 0, behind a first cell."""
    return [*[None] * (column - 1), text]


def _blank(count: int) -> list[list[Cell]]:
    return [[] for _ in range(count)]
