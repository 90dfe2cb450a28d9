"""The DREES's workbook of the départements' social-action staff: 16 tables, with ``ND`` and Mayotte."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from asco_dagster.demonstration.aid_blocks import FIRST_LYON, LAST_CORSICAN_DEPARTEMENTS, LYON_SHARE, where
from asco_dagster.demonstration.aid_files import INVENTED
from asco_dagster.demonstration.aid_values import AidTable, aid_tables
from asco_dagster.demonstration.archives import Cell, Sheet, write_workbook
from asco_dagster.demonstration.frame import MAYOTTE, Territory, departement_populations

UNKNOWN = "ND"
TOTALS = (
    "TOTAL estimé France métropolitaine",
    "TOTAL estimé France métropolitaine et DROM (hors Mayotte)",
    "TOTAL estimé France métropolitaine et DROM",
)
# Years up to which totals and Mayotte are not available; a département may lack one more at times.
_NO_TOTAL_UNTIL = 2015
_NO_OVERSEAS_UNTIL = 2016
_NAMES = {
    "04": "Alpes de Hautes-Provence",
    "21": "Cote-d'Or",
    "22": "Côtes d'Armor",
    "58": "Nievre",
    "70": "Haute-Saone",
    "90": "Territoire-de-Belfort",
    "20": "Corse",
    "69": "Departement du Rhone",
    "69D": "Rhône",
    "69M": "Métropole de Lyon",
    "974": "Réunion",
}


def write_aid_staff(path: Path, territory: Territory, seed: int) -> None:
    """Write the workbook of staff, persons and full-time equivalents at 31 December.

    Args:
        path: the file to write.
        territory: whose inhabitants bear the rates.
        seed: seed of the values and of what is not available.
    """
    tables = aid_tables("staff", territory, seed)
    areas = departement_populations(territory)
    lacking = _lacking(areas, tables[0].years, seed)
    write_workbook(path, _sheets(tables, areas, lacking))


def _lacking(areas: pd.DataFrame, years: tuple[int, ...], seed: int) -> np.ndarray:
    """Which cells are not available: a third of the first two years, 1 % later, overseas more."""
    generator = np.random.default_rng([seed, 5])
    year = np.array(years)
    share = np.where(year <= _NO_TOTAL_UNTIL, 0.33, 0.01)
    lacking = generator.random((len(areas), len(years))) < share
    overseas = areas["departement_code"].str.startswith("97").to_numpy()
    lacking[overseas] |= year <= _NO_TOTAL_UNTIL
    lacking[areas["departement_code"].eq(MAYOTTE).to_numpy()] |= year <= _NO_OVERSEAS_UNTIL
    return lacking


def _sheets(tables: list[AidTable], areas: pd.DataFrame, lacking: np.ndarray) -> Iterator[Sheet]:
    yield "Présentation et méthode ", [["Le personnel de l'action sociale et médico-sociale"], [], [INVENTED]]
    yield "Sommaire", [["Sommaire :"], *([None, table.title] for table in tables)]
    yield "Descriptif", [["Descriptif des catégories de personnel"], ["> retour sommaire"], [], [INVENTED]]
    yield "Données nationales", [["Effectifs et ETP"], ["> retour sommaire"], [], [INVENTED]]
    yield "Données nationales - métro", [["Effectifs et ETP, métropole"], [], [INVENTED]]
    for table in tables:
        yield table.sheet, _rows(table, areas, lacking)


def _rows(table: AidTable, areas: pd.DataFrame, lacking: np.ndarray) -> Iterator[list[Cell]]:
    yield [table.title]
    yield ["> retour sommaire"]
    yield from ([] for _ in range(table.header_row - 3))
    yield ["Numéro de département", "Département", *(str(year) for year in table.years)]
    listed = areas[["departement_code", "departement_name"]].to_numpy(dtype=object)
    for index, (code, name) in enumerate(listed):
        for shown, cells in _split(index, code, table, lacking):
            yield [shown, _NAMES.get(shown, name), *cells]
    yield from _totals(table, areas)
    yield []
    yield ["ND : non disponible. Lorsque la donnée n'a pu être estimée, le total n'est pas disponible."]
    yield [f"Note : {INVENTED}"]
    yield ["Champ : France métropolitaine et DROM."]
    yield ["Source : DREES, enquête Aide sociale."]


def _split(index: int, code: str, table: AidTable, lacking: np.ndarray) -> Iterator[tuple[str, list[Cell]]]:
    """A département's rows; Corsica is 20, 2A and 2B, the Rhône as 69, 69D and 69M."""
    years = np.array(table.years)
    values, unknown = table.values[index], lacking[index]
    if code == "2A":
        # The two Corsican départements are side by side in the table of areas.
        yield "20", _cells(values + table.values[index + 1], unknown | lacking[index + 1])
    cells = _cells(values, unknown)
    if code in ("2A", "2B"):
        cells = where(years <= LAST_CORSICAN_DEPARTEMENTS, cells, None)
    yield code, cells
    if code == "69":
        decimals = 1 if table.sheet.startswith("etp") else 0
        lyon = np.round(values * LYON_SHARE, decimals)
        for shown, part in (("69D", np.round(values - lyon, decimals)), ("69M", lyon)):
            yield shown, where(years >= FIRST_LYON, _cells(part, unknown), None)


def _cells(values: np.ndarray, unknown: np.ndarray) -> list[Cell]:
    pairs = zip(unknown, values.tolist(), strict=True)
    return [UNKNOWN if lost else round(value, 1) for lost, value in pairs]


def _totals(table: AidTable, areas: pd.DataFrame) -> Iterator[list[Cell]]:
    """The three totals, not available in the first years; they include what single cells do not show."""
    overseas = areas["departement_code"].str.startswith("97").to_numpy()
    mayotte = areas["departement_code"].eq(MAYOTTE).to_numpy()
    years = np.array(table.years)
    parts = (~overseas, ~mayotte, np.ones(len(areas), dtype=bool))
    until = (_NO_TOTAL_UNTIL, _NO_OVERSEAS_UNTIL, _NO_OVERSEAS_UNTIL)
    for label, inside, last in zip(TOTALS, parts, until, strict=True):
        yield [label, None, *_cells(table.values[inside].sum(axis=0), years <= last)]
