"""INSEE's legal populations by commune, in every layout that INSEE has delivered them in since 2013.

Two files for métropole and overseas (2013), ``donnees_communes.csv`` plain or zipped, the workbook
``ensemble`` with its nine sheets, and files cut down to code, name and population.
"""

from pathlib import Path

import pandas as pd

from asco_dagster.errors import SourceError
from asco_dagster.sources.readers.delimited_table import DelimitedTable
from asco_dagster.sources.readers.provenance import NOT_READ, no_rows, text_column, with_source
from asco_dagster.sources.readers.published_table import PublishedTable, read_published
from asco_dagster.territory.codes import COMMUNE

_SPELLINGS: dict[str, tuple[str, ...]] = {
    "code": ("DEPCOM", "CODGEO", "COM", "INSEE", "Code INSEE", "Code géographique"),
    "number": ("CODCOM", "Code commune"),
    "name": ("LIBMIN", "Commune", "Nom de la commune", "LIBGEO", "Libellé", "NCC", "NOM_COM", "Nom"),
    "departement": ("CODDEP", "DEP", "Code département"),
    "region": ("CODREG", "REG", "Code région"),
}
"""What INSEE calls each column; ``COM`` is the code in some layouts and the name in others."""

_USUAL = ("donnees_communes", "Communes")
_DEPARTEMENT = r"\d{1,2}|2[AB]|9[78]\d"
_REGION = r"\d{1,2}"
_NUMBER = r"\d{1,3}"
_EXPECTED = "a commune code of 5 characters such as 01001, 2A004 or 97101"


def read_legal_populations(path: Path, *, vintage: int) -> pd.DataFrame:
    """Read legal populations by commune.

    Args:
        path: the CSV, the workbook, or the zip that holds one of them.
        vintage: reference year of the populations; 2013 selects ``PMUN13`` where columns carry a year.

    Returns:
        One row per commune or municipal arrondissement: ``commune_code``, ``commune_name``,
        ``departement_code`` and ``region_code`` (as delivered: régions of the vintage, overseas départements
        as INSEE numbers them in that file; null where the file has none), ``population`` (municipal,
        inhabitants), ``source_file``, ``source_sheet`` (sheet or member, else null), ``source_row``.

    Raises:
        SourceError: changed header, another vintage, a cell that is no code or number, a commune twice, or an
            archive without the table.
    """
    found = _table(path, vintage)
    table = found.table
    codes = _commune_codes(found)
    _check_unique(codes, found)
    frame = pd.DataFrame(
        {
            "commune_code": codes,
            "commune_name": table.texts(found.columns["name"]),
            "departement_code": _optional(found, "departement", _DEPARTEMENT, "a département code"),
            "region_code": _optional(found, "region", _REGION, "a région code of 2 digits"),
            "population": table.integers(found.columns["population"]),
        }
    )
    frame.attrs[NOT_READ] = found.left_out
    return with_source(frame, path, sheet=table.sheet, rows=table.rows)


def no_populations() -> pd.DataFrame:
    """The table of a wave that names no such file."""
    return no_rows("commune_code", "commune_name", "departement_code", "region_code", population="int64")


def _table(path: Path, vintage: int) -> PublishedTable:
    """The table, in whichever of the layouts its header announces."""
    spellings = {**_SPELLINGS, "population": _population_names(vintage)}
    found = read_published(path, spellings, required=("population",), usual=_USUAL)
    # Before 2021 the split layout calls the commune's name COM; its code is département and number.
    if "code" in found and "name" not in found and not _holds_codes(found.table, found.columns["code"]):
        columns = {**found.columns, "name": found.columns["code"]}
        del columns["code"]
        found = PublishedTable(found.table, columns, found.left_out)
    if "code" not in found and "number" in found and _holds_whole_codes(found):
        columns = {**found.columns, "code": found.columns["number"]}
        found = PublishedTable(found.table, columns, found.left_out)
    missing = [] if "name" in found else ["Commune"]
    if "code" not in found and not {"departement", "number"} <= found.columns.keys():
        missing.append("COM")
    if missing:
        raise SourceError(
            f"the columns are not those of this file: missing {', '.join(f'“{name}”' for name in missing)}",
            file=path,
            sheet=found.table.sheet,
            expected="code (COM, or DEP and CODCOM), name (Commune) and municipal population (PMUN)",
            remedy="check the vintage in the wave's file; a new name of a column is added to its reader",
        )
    return found


def _population_names(vintage: int) -> tuple[str, ...]:
    """Names of the column of municipal population; one that carries another year is none of them."""
    dated = (f"PMUN{vintage % 100:02d}", f"PMUN{vintage}", f"PMUN_{vintage}", f"P{vintage % 100:02d}_POP")
    return (*dated, "PMUN", "Population municipale", f"Population municipale {vintage}")


def _holds_codes(table: DelimitedTable, name: str) -> bool:
    """Whether a column holds commune codes, by its first row; codes of the first départements lose a zero."""
    first = table.cell(name, 0).strip()
    return first[:1].isdigit()


def _holds_whole_codes(found: PublishedTable) -> bool:
    """Whether the column of numbers within the département holds codes of four or five characters instead."""
    first = found.table.cell(found.columns["number"], 0).strip()
    return len(first) > len("001")


def _optional(found: PublishedTable, meaning: str, pattern: str, expected: str) -> pd.Series:
    """A column of codes that some layouts lack; ``1`` is 01 again."""
    if meaning not in found:
        return text_column([None] * len(found.table.rows))
    codes = found.table.codes(found.columns[meaning], pattern, expected=expected, optional=True)
    return codes.str.zfill(2)


def _commune_codes(found: PublishedTable) -> pd.Series:
    """Codes of 5 characters; where the file splits them, département and number put side by side again."""
    table = found.table
    if "code" in found:
        codes = table.codes(found.columns["code"], rf"{COMMUNE}|\d{{4}}", expected=_EXPECTED)
        return codes.str.zfill(5)
    column = found.columns["number"]
    departements = table.codes(
        found.columns["departement"], _DEPARTEMENT, expected="a département code"
    ).str.zfill(2)
    numbers = table.codes(column, _NUMBER, expected="the commune's number in its département")
    put_together = []
    for index, (departement, number) in enumerate(zip(departements, numbers, strict=True)):
        code = _put_together(departement, number)
        if code is None:
            raise table.refuse(
                f"“{departement}” and “{number}” make no commune code",
                index=index,
                column=column,
                expected=_EXPECTED,
                remedy="check that no spreadsheet has rewritten the codes",
            )
        put_together.append(code)
    return pd.Series(put_together, dtype="string")


def _put_together(departement: str, number: str) -> str | None:
    """A commune code; overseas, the département's third digit is also the first of a three-digit number."""
    if len(departement) == 2:
        return departement + number.zfill(3)
    if len(number) == 3:
        return departement[:2] + number if number[0] == departement[2] else None
    return departement + number.zfill(2)


def _check_unique(codes: pd.Series, found: PublishedTable) -> None:
    twice = codes.index[codes.duplicated()]
    if len(twice):
        first = int(codes.index[codes == codes[twice[0]]][0])
        raise found.table.refuse(
            f"commune “{codes[twice[0]]}” is already on row {found.table.rows[first]}",
            index=int(twice[0]),
            column=found.columns["code" if "code" in found else "number"],
            expected="one row per commune",
            remedy="ask INSEE which of the two rows is right",
        )
