"""The DGCL's yearly list of intercommunal bodies (EPCI) and the communes that belong to them.

Two layouts, told apart by the header: the CSV up to 2014 and the workbook since 2020. All rows of the file
are kept, syndicats included. What does not belong here: giving codes their lost zero back (``staging``).
"""

import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from asco_dagster.errors import SourceError
from asco_dagster.sources.readers.delimited import check_header
from asco_dagster.sources.readers.delimited_table import DelimitedTable, read_delimited
from asco_dagster.sources.readers.encoding import read_bytes
from asco_dagster.sources.readers.provenance import with_source
from asco_dagster.sources.readers.workbook import (
    WORKBOOK_STARTS,
    as_text,
    collapse,
    open_workbook,
    sheet_rows,
)

FISCAL_NATURES = frozenset({"CC", "CA", "CU", "SAN", "ME", "MET", "METRO", "MET69"})
"""Bodies with a tax of their own: a commune belongs to one of them at most."""

TERRITORIAL_NATURES = frozenset({"EPT"})
"""Territories inside the métropole du Grand Paris: a commune belongs to one, and to the métropole as well."""

LEGAL_POPULATION_LAG = 4
"""Legal populations carry a year up to so many years before the list that prints them."""

_COLUMNS_2014 = {
    "siren": "epci_siren",
    "nom": "epci_name",
    "nature": "epci_nature",
    "fiscalite": "epci_taxation",
    "nb_com": "member_count",
    "ptot": "epci_population_total",
    "pmun": "epci_population_municipal",
    "insee": "commune_code",
    "siren_com": "commune_siren",
    "nom_com": "commune_name",
    "ptot_com": "commune_population_total",
    "pmun_com": "commune_population_municipal",
}
_COLUMNS_WORKBOOK = {
    "siren": "epci_siren",
    "raison_sociale": "epci_name",
    "nature_juridique": "epci_nature",
    "mode_financ": "epci_taxation",
    "nb_membres": "member_count",
    "total_pop_tot": "epci_population_total",
    "total_pop_mun": "epci_population_municipal",
    "insee": "commune_code",
    "siren_membre": "commune_siren",
    "nom_membre": "commune_name",
}
_NOT_KEPT = ("dept", "dep_com")
_YEARLY = {"ptot": "commune_population_total", "pmun": "commune_population_municipal"}
_YEARLY_NAME = re.compile(r"(?:ptot|pmun)_\d{4}")
_NUMBERS = frozenset(name for name in _COLUMNS_2014.values() if "population" in name or "count" in name)
_CODES = {
    "epci_siren": (r"\d{9}", "a SIREN of 9 digits"),
    "commune_code": (r"\d{4,5}|2[AB]\d{3}", "a commune code such as 01001, 1001 or 2A004"),
    "commune_siren": (r"\d{9}", "a SIREN of 9 digits"),
}


def read_epci_members(path: Path, *, vintage: int) -> pd.DataFrame:
    """Read the list of EPCI and members.

    Args:
        path: the DGCL's CSV (2014 layout) or workbook (layout since 2020).
        vintage: year of the list; the workbook's population columns must go with it.

    Returns:
        One row a membership: ``epci_siren``, ``epci_name``, ``epci_nature``, ``epci_taxation``,
        ``member_count``, ``epci_population_total``, ``epci_population_municipal`` (inhabitants),
        ``commune_code`` (as delivered: ``1001`` stays so), ``commune_siren``, ``commune_name``,
        ``commune_population_total``, ``commune_population_municipal``, ``source_file``, ``source_sheet``,
        ``source_row``. Texts and whole numbers are nullable: a syndicat may have members that are no commune.

    Raises:
        SourceError: changed header, a cell that is no code or number, a population of another vintage, or
            a commune in two bodies with a tax of their own.
    """
    table = _workbook_table(path) if read_bytes(path).startswith(WORKBOOK_STARTS) else read_delimited(path)
    feeds = _feeds(table, vintage)
    frame = pd.DataFrame({target: _column(table, name, target) for name, target in feeds.items()})
    frame = frame[list(_COLUMNS_2014.values())].copy()
    _check_memberships(frame, table)
    return with_source(frame, path, sheet=table.sheet, rows=table.rows)


def _workbook_table(path: Path) -> DelimitedTable:
    """The workbook's only sheet with a header of this list, in the shape of a delimited table."""
    workbook = open_workbook(path)
    sheets = {name: sheet_rows(workbook, path, name) for name in workbook.sheet_names}
    found = [
        name for name, rows in sheets.items() if rows and "siren" in [collapse(cell) for cell in rows[0]]
    ]
    if len(found) != 1:
        raise SourceError(
            f"{len(found)} of the sheets {', '.join(f'“{name}”' for name in sheets)} have a column “siren”",
            file=path,
            row=1,
            expected="one sheet with the list, its header on row 1",
            remedy="deliver the DGCL's workbook as published",
        )
    header, *body = sheets[found[0]]
    kept = [(number, row) for number, row in enumerate(body, 2) if any(collapse(cell) for cell in row)]
    if not kept:
        raise SourceError(
            "there is a header but no row of data", file=path, sheet=found[0], remedy="fetch the file again"
        )
    texts = ((number, [as_text(cell) for cell in row]) for number, row in kept)
    return DelimitedTable.of(path, found[0], [collapse(cell) for cell in header], texts)


def _feeds(table: DelimitedTable, vintage: int) -> Mapping[str, str]:
    """Which column of the file feeds which column of the frame."""
    if "raison_sociale" not in table.header and table.sheet is None:
        check_header(table.header, required=_COLUMNS_2014, known=lambda name: False, path=table.path)
        return _COLUMNS_2014
    check_header(
        table.header,
        required=(*_NOT_KEPT, *_COLUMNS_WORKBOOK),
        known=lambda name: bool(_YEARLY_NAME.fullmatch(name)),
        path=table.path,
        sheet=table.sheet,
    )
    yearly = {}
    for stem, target in _YEARLY.items():
        found = [name for name in table.header if name.startswith(f"{stem}_")]
        if len(found) != 1 or not 0 <= vintage - int(found[0][-4:]) <= LEGAL_POPULATION_LAG:
            raise SourceError(
                f"its population column is “{'”, “'.join(found)}”"
                if found
                else f"it has no column “{stem}_…”",
                file=table.path,
                sheet=table.sheet,
                row=1,
                expected=f"one “{stem}_” with a year from {vintage - LEGAL_POPULATION_LAG} to {vintage}",
                remedy="check that the file is of the vintage named in the wave's file",
            )
        yearly[found[0]] = target
    return _COLUMNS_WORKBOOK | yearly


def _column(table: DelimitedTable, name: str, target: str) -> pd.Series:
    if target in _NUMBERS:
        return table.integers(name, optional=True)
    if target in _CODES:
        pattern, expected = _CODES[target]
        return table.codes(name, pattern, expected=expected, optional=target != "epci_siren")
    return table.texts(name)


def _check_memberships(frame: pd.DataFrame, table: DelimitedTable) -> None:
    """A commune has one body with a tax of its own, and one territory inside the métropole du Grand Paris."""
    for natures in (FISCAL_NATURES, TERRITORIAL_NATURES):
        members = frame.loc[frame["epci_nature"].isin(natures), "commune_code"]
        without = members.index[members.isna()]
        twice = members.index[members.duplicated() & members.notna()]
        if len(without):
            fault, index = "a member of a body with its own tax has no commune code", int(without[0])
        elif len(twice):
            index = int(twice[0])
            first = int(members.index[members == members[index]][0])
            fault = f"commune “{members[index]}” has an EPCI on row {table.rows[first]} already"
        else:
            continue
        raise SourceError(
            fault,
            file=table.path,
            sheet=table.sheet,
            row=int(table.rows[index]),
            column="insee",
            expected="each commune in one body with its own tax",
            remedy="ask the DGCL which of the two rows holds",
        )
