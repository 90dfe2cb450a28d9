"""INSEE's legal populations by commune, in the three layouts that INSEE has delivered them in.

Métropole and overseas départements of 2013 come as two files, later vintages as ``donnees_communes.csv``,
plain or inside a zip. What does not belong here: régions of today, codes repaired, communes merged.
"""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from asco_dagster.errors import SourceError
from asco_dagster.sources.readers.delimited import check_header
from asco_dagster.sources.readers.delimited_table import DelimitedTable, read_delimited
from asco_dagster.sources.readers.encoding import AGAIN, read_bytes
from asco_dagster.sources.readers.provenance import text_column, with_source

ARCHIVE_MEMBER = "donnees_communes.csv"

_COMMUNE = r"(?:\d\d|2[AB])\d{3}"
_DEPARTEMENT = r"\d\d|2[AB]|97\d"
_EXPECTED = "a commune code of 5 characters such as 01001, 2A004 or 97101"


@dataclass(frozen=True)
class _Layout:
    """Columns of a layout: those read, by what they say, and others that may stand beside them."""

    commune: str
    name: str
    departement: str
    region: str
    population: str
    beside: frozenset[str]
    number_in_departement: bool = False


def read_legal_populations(path: Path, *, vintage: int) -> pd.DataFrame:
    """Read legal populations by commune.

    Args:
        path: the CSV, or the zip that holds ``donnees_communes.csv``.
        vintage: reference year of the populations; 2013 selects ``PMUN13``.

    Returns:
        One row a commune: ``commune_code``, ``commune_name``, ``departement_code`` and ``region_code`` (as
        delivered: régions of the vintage, overseas départements as INSEE numbers them in that file),
        ``population`` (municipal, inhabitants), ``source_file``, ``source_sheet`` (member of the zip, else
        null), ``source_row``.

    Raises:
        SourceError: changed header, another vintage, a cell that is no code or number, a commune twice, or a
            zip without the file.
    """
    content = read_bytes(path)
    table = _from_archive(path, content) if content.startswith(b"PK\x03\x04") else read_delimited(path)
    layout = _layout(table, vintage)
    codes = _commune_codes(table, layout)
    _check_unique(codes, table, layout)
    frame = pd.DataFrame(
        {
            "commune_code": codes,
            "commune_name": table.texts(layout.name),
            "departement_code": table.codes(layout.departement, _DEPARTEMENT, expected="a département code"),
            "region_code": table.codes(layout.region, r"\d\d", expected="a région code of 2 digits"),
            "population": table.integers(layout.population),
        }
    )
    return with_source(frame, path, sheet=table.sheet, rows=table.rows)


def no_populations() -> pd.DataFrame:
    """The table of a wave that names no such file: its columns, no row."""
    names = ("commune_code", "commune_name", "departement_code", "region_code")
    frame = pd.DataFrame({name: text_column([]) for name in names})
    frame["population"] = pd.Series([], dtype="int64")
    return with_source(frame, Path("none"), sheet=None, rows=[])


def _from_archive(path: Path, content: bytes) -> DelimitedTable:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            found = [name for name in names if PurePosixPath(name).name.casefold() == ARCHIVE_MEMBER]
            member = archive.read(found[0]) if len(found) == 1 else b""
    # A damaged archive may raise any of these, depending on where it is damaged.
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        RuntimeError,
        OSError,
        EOFError,
        ValueError,
    ) as fault:
        raise SourceError(
            f"the archive is damaged or cut short ({type(fault).__name__})", file=path, remedy=AGAIN
        ) from fault
    if not member:
        raise SourceError(
            f"the archive holds {', '.join(f'“{name}”' for name in names[:10]) or 'nothing'}",
            file=path,
            expected=f"one “{ARCHIVE_MEMBER}” with content",
            remedy="deliver INSEE's archive as published",
        )
    return read_delimited(path, content=member, sheet=found[0])


def _layout(table: DelimitedTable, vintage: int) -> _Layout:
    """The layout that the header announces, with every column accounted for."""
    header = set(table.header)
    if "DEPCOM" in header:
        beside = frozenset(
            name
            for name in header
            if name in {"ZE94", "ARR", "CAN", "DEPARR", "DEPPCT"} or name.startswith(("PMUN", "PSDC"))
        )
        layout = _Layout("DEPCOM", "LIBMIN", "DEP", "REG", f"PMUN{vintage % 100:02d}", beside)
    elif header & {"CODREG", "CODDEP"}:
        beside = frozenset({"REG", "ARR", "CODARR", "CAN", "CODCAN", "PCAP", "PTOT"})
        layout = _Layout("CODCOM", "COM", "CODDEP", "CODREG", "PMUN", beside, number_in_departement=True)
    else:
        beside = frozenset({"Région", "ARR", "CAN", "CODCOM", "PCAP", "PTOT"})
        layout = _Layout("COM", "Commune", "DEP", "REG", "PMUN", beside)
    read = (layout.commune, layout.name, layout.departement, layout.region, layout.population)
    check_header(
        table.header, required=read, known=lambda name: name in beside, path=table.path, sheet=table.sheet
    )
    return layout


def _commune_codes(table: DelimitedTable, layout: _Layout) -> pd.Series:
    """Codes of 5 characters; where the file splits them, département and number put side by side again."""
    if not layout.number_in_departement:
        return table.codes(layout.commune, _COMMUNE, expected=_EXPECTED)
    departements = table.codes(layout.departement, _DEPARTEMENT, expected="a département code")
    numbers = table.codes(layout.commune, r"\d{2,3}", expected="the commune's number in its département")
    codes = []
    for index, (departement, number) in enumerate(zip(departements, numbers, strict=True)):
        # Overseas, the third digit of the département is also the first of a three-digit number.
        overlaps = len(departement) + len(number) == 6 and departement[2] == number[0]
        code = departement[:2] + number if overlaps else departement + number
        if len(code) != 5:
            raise table.refuse(
                f"“{departement}” and “{number}” make no commune code",
                index=index,
                column=layout.commune,
                expected=_EXPECTED,
                remedy="check that no spreadsheet has rewritten the codes",
            )
        codes.append(code)
    return pd.Series(codes, dtype="string")


def _check_unique(codes: pd.Series, table: DelimitedTable, layout: _Layout) -> None:
    twice = codes.index[codes.duplicated()]
    if len(twice):
        first = int(codes.index[codes == codes[twice[0]]][0])
        raise table.refuse(
            f"commune “{codes[twice[0]]}” stands on row {table.rows[first]} already",
            index=int(twice[0]),
            column=layout.commune,
            expected="one row a commune",
            remedy="ask INSEE which of the two rows holds",
        )
