"""The DGCL's yearly list of intercommunal bodies (EPCI) and the communes that belong to them.

As CSV or workbook, in every layout since 1999. All rows of the file are kept, syndicats included.
"""

import re
from pathlib import Path

import pandas as pd

from asco_dagster.errors import SourceError
from asco_dagster.sources.readers.delimited_table import DelimitedTable
from asco_dagster.sources.readers.provenance import NOT_READ, text_column, with_source
from asco_dagster.sources.readers.published_table import PublishedTable, plain_name, read_published
from asco_dagster.territory.natures import known_natures, nature_of

LEGAL_POPULATION_LAG = 4
"""Legal populations carry a year up to so many years before the list that prints them."""

_SPELLINGS: dict[str, tuple[str, ...]] = {
    "epci_siren": ("siren", "siren_epci", "siren_groupement", "n_siren", "numero_siren", "siren_gfp"),
    "epci_name": ("nom", "raison_sociale", "nom_epci", "nom_complet", "nom_du_groupement", "nom_groupement"),
    "epci_nature": ("nature", "nature_juridique", "nature_epci", "nature_jur", "forme_juridique"),
    "epci_taxation": ("fiscalite", "mode_financ", "mode_financement", "mode_de_financement"),
    "member_count": ("nb_com", "nb_membres", "nb_nom", "nb_communes", "nombre_de_membres"),
    "epci_population_total": ("ptot", "total_pop_tot", "ptot_epci", "population_totale"),
    "epci_population_municipal": ("pmun", "total_pop_mun", "pmun_epci", "population_municipale"),
    "commune_code": ("insee", "insee_com", "insee_membre", "insee_commune", "depcom", "codgeo"),
    "commune_siren": ("siren_com", "siren_membre", "siren_commune"),
    "commune_name": ("nom_com", "nom_membre", "nom_commune", "libgeo"),
    "commune_population_total": ("ptot_com", "ptot_membre"),
    "commune_population_municipal": ("pmun_com", "pmun_membre"),
}
"""What the DGCL calls each column, the layout of 2014 first; the yearly names ``pmun_2024`` too."""

_REQUIRED = ("epci_siren", "epci_name", "epci_nature", "commune_code", "commune_name")
_YEARLY = {"ptot": "commune_population_total", "pmun": "commune_population_municipal"}
_YEARS = range(1990, 2101)
_YEARLY_NAME = re.compile(r"(ptot|pmun) ?(\d{4})")
_NUMBERS = frozenset(name for name in _SPELLINGS if "population" in name or "count" in name)
_SIREN = r"\d{3} ?\d{3} ?\d{3}"
_CODES = {
    "epci_siren": (_SIREN, "a SIREN of 9 digits"),
    "commune_code": (r"\d{4,5}|2[AaBb]\d{3}", "a commune code such as 01001, 1001 or 2A004"),
    "commune_siren": (_SIREN, "a SIREN of 9 digits"),
}
_ROWS_SHOWN = 10


def read_epci_members(path: Path, *, vintage: int) -> pd.DataFrame:
    """Read the list of EPCI and members.

    Args:
        path: the DGCL's CSV or workbook.
        vintage: year of the list; population columns that name a year must go with it.

    Returns:
        One row per membership: ``epci_siren``, ``epci_name``, ``epci_nature``, ``epci_taxation``,
        ``member_count``, ``epci_population_total``, ``epci_population_municipal`` (inhabitants),
        ``commune_code`` (as delivered: ``1001`` stays so), ``commune_siren``, ``commune_name``,
        ``commune_population_total``, ``commune_population_municipal``, ``source_file``, ``source_sheet``,
        ``source_row``. Texts and whole numbers are nullable: a syndicat may have members that are no commune,
        and old lists lack some columns.

    Raises:
        SourceError: changed header, a cell that is no code or number, an unknown legal form, a population of
            another vintage, or a commune in two bodies with a tax of their own.
    """
    found = read_published(
        path, _spellings(), required=(*_REQUIRED, "commune_population_municipal"), usual=("liste",)
    )
    table = found.table
    _check_one_vintage(table, vintage)
    frame = pd.DataFrame({target: _column(found, target) for target in _SPELLINGS})
    kinds = _kinds(frame, found)
    _check_memberships(frame, kinds, found)
    frame.attrs[NOT_READ] = found.left_out
    return with_source(frame, path, sheet=table.sheet, rows=table.rows)


def _spellings() -> dict[str, tuple[str, ...]]:
    """The names of the columns, those of members' populations with any year included."""
    dated = {
        target: tuple(f"{stem}{between}{year}" for year in _YEARS for between in ("_", ""))
        for stem, target in _YEARLY.items()
    }
    return {target: (*names, *dated.get(target, ())) for target, names in _SPELLINGS.items()}


def _check_one_vintage(table: DelimitedTable, vintage: int) -> None:
    """Of each population there is one column with a year at most, and that year goes with the list's."""
    for stem in _YEARLY:
        dated = {name: match for name in table.header if (match := _YEARLY_NAME.fullmatch(plain_name(name)))}
        found = [name for name, match in dated.items() if match[1] == stem]
        years = [int(dated[name][2]) for name in found]
        if len(found) > 1 or any(not 0 <= vintage - year <= LEGAL_POPULATION_LAG for year in years):
            raise SourceError(
                f"its population column is “{'”, “'.join(found)}”",
                file=table.path,
                sheet=table.sheet,
                row=1,
                expected=f"one “{stem}_” with a year from {vintage - LEGAL_POPULATION_LAG} to {vintage}",
                remedy="check that the file is of the vintage named in the wave's file",
            )


def _column(found: PublishedTable, target: str) -> pd.Series:
    table = found.table
    if target not in found:
        empty = [None] * len(table.rows)
        return pd.Series(empty, dtype="Int64") if target in _NUMBERS else text_column(empty)
    name = found.columns[target]
    if target in _NUMBERS:
        return table.integers(name, optional=True)
    if target in _CODES:
        pattern, expected = _CODES[target]
        codes = table.codes(name, pattern, expected=expected, optional=target != "epci_siren")
        return codes.str.replace(" ", "").str.upper()
    return table.texts(name)


def _kinds(frame: pd.DataFrame, found: PublishedTable) -> pd.Series:
    """Kind of the body of each row, by its legal form.

    Raises:
        SourceError: a legal form is none of the vocabulary; dropped, its communes would be in no EPCI.
    """
    spellings = frame["epci_nature"].fillna("")
    known = {text: nature_of(text) for text in spellings.unique()}
    unknown = spellings.index[spellings.map(lambda text: known[text] is None)]
    if len(unknown):
        forms = ", ".join(f"“{text}”" for text in sorted(set(spellings[unknown])))
        rows = found.table.rows[unknown]
        shown = ", ".join(str(row) for row in rows[:_ROWS_SHOWN])
        more = f" and {len(rows) - _ROWS_SHOWN} more" if len(rows) > _ROWS_SHOWN else ""
        raise SourceError(
            f"the legal form {forms} is unknown, on rows {shown}{more}",
            file=found.table.path,
            sheet=found.table.sheet,
            row=int(rows[0]),
            column=found.columns["epci_nature"],
            expected=f"one of {known_natures()}",
            remedy="add the form to asco_dagster/territory/natures.py with its kind, or correct the rows",
        )
    return spellings.map({text: nature.kind for text, nature in known.items() if nature})


def _check_memberships(frame: pd.DataFrame, kinds: pd.Series, found: PublishedTable) -> None:
    """A commune has one body with a tax of its own, and one territory inside the métropole du Grand Paris."""
    table = found.table
    for kind in ("own_tax", "territory"):
        members = frame.loc[kinds == kind, "commune_code"].str.zfill(5)
        without = members.index[members.isna()]
        twice = members.index[members.duplicated() & members.notna()]
        if len(without):
            fault, index = "a member of a body with its own tax has no commune code", int(without[0])
        elif len(twice):
            index = int(twice[0])
            first = int(members.index[members == members[index]][0])
            code = str(frame["commune_code"].iloc[index])
            fault = f"commune “{code}” already has an EPCI on row {table.rows[first]}"
        else:
            continue
        raise SourceError(
            fault,
            file=table.path,
            sheet=table.sheet,
            row=int(table.rows[index]),
            column=found.columns["commune_code"],
            expected="each commune in one body with its own tax",
            remedy="ask the DGCL which of the two rows is right",
        )
