"""INSEE's table of passage between commune geographies: every code there ever was, and its commune of today.

Sheet ``COM`` or ``Table de passage``, the header below some lines of title; the same as text; or INSEE's file
of events (``mvtcommune``), from which the passage follows. What does not belong here: which of these codes
were communes at a given date (``staging``), and municipal arrondissements (another sheet).
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from asco_dagster.errors import SourceError
from asco_dagster.sources.readers.encoding import read_bytes
from asco_dagster.sources.readers.provenance import TEXT, text_column, with_source
from asco_dagster.sources.readers.published_table import PublishedTable, plain_name, read_published
from asco_dagster.sources.readers.workbook import (
    WORKBOOK_STARTS,
    Cell,
    code_of,
    collapse,
    is_blank,
    open_workbook,
    sheet_rows,
)

SHEETS = ("COM", "Table de passage")
FORMER = "CODGEO_INI"
HEADER_WITHIN = 15
"""The header stands on row 6 in the editions known; further down than this it is another workbook."""

_COMMUNE = r"(?:\d\d|2[AB])\d{3}"
_EXPECTED = "a commune code of 5 characters such as 01001, 2A004 or 97101"


def read_commune_passage(path: Path, *, vintage: int) -> pd.DataFrame:
    """Read the table of passage.

    Args:
        path: INSEE's workbook, the same as text, or its file of events.
        vintage: year of the geography that it leads to; its columns must be of that year.

    Returns:
        One row a former code and commune of today: ``former_code``, ``commune_code``, ``commune_name``,
        ``source_file``, ``source_sheet``, ``source_row``. A commune that was divided has several rows. A file
        of events has only communes with one: any other code is its own commune.

    Raises:
        SourceError: no such sheet or header, another year, a cell that is no code, a pair twice.
    """
    if not read_bytes(path).startswith(WORKBOOK_STARTS):
        return _from_text(path, vintage)
    workbook = open_workbook(path)
    usual = {plain_name(name) for name in SHEETS}
    sheet = next((name for name in workbook.sheet_names if plain_name(name) in usual), None)
    if sheet is None:
        raise SourceError(
            f"the workbook has the sheets {', '.join(f'“{name}”' for name in workbook.sheet_names)}",
            file=path,
            expected=f"one of {', '.join(f'“{name}”' for name in SHEETS)}",
            remedy="deliver INSEE's table of passage as published",
        )
    rows = sheet_rows(workbook, path, sheet)
    header, places = _header(rows, path, sheet, vintage)
    body = [(number, row) for number, row in enumerate(rows[header + 1 :], header + 2) if not _empty(row)]
    codes = [
        [
            code_of(
                row[place],
                pattern=_COMMUNE,
                width=5,
                path=path,
                sheet=sheet,
                row=number,
                column=place,
                expected=_EXPECTED,
            )
            for place in places[:2]
        ]
        for number, row in body
    ]
    frame = pd.DataFrame(codes, columns=["former_code", "commune_code"], dtype=TEXT)
    frame["commune_name"] = text_column([collapse(row[places[2]]) or None for _, row in body])
    numbers = [number for number, _ in body]
    _check(frame, path, sheet, numbers)
    return with_source(frame, path, sheet=sheet, rows=numbers)


def _from_text(path: Path, vintage: int) -> pd.DataFrame:
    """A passage or a file of events as delimited text."""
    spellings = {
        "former": (FORMER, "COM_AV"),
        "commune": (f"CODGEO_{vintage}", "COM_AP"),
        "name": (f"LIBGEO_{vintage}", "LIBELLE_AP", "NCCENR_AP"),
        "date": ("DATE_EFF",),
        "type before": ("TYPECOM_AV",),
        "type after": ("TYPECOM_AP",),
    }
    found = read_published(path, spellings, required=("former", "commune", "name"))
    table = found.table
    frame = pd.DataFrame(
        {
            "former_code": _codes(found, "former"),
            "commune_code": _codes(found, "commune"),
            "commune_name": table.texts(found.columns["name"]),
        }
    )
    if "date" in found:
        frame = _passage_of_events(frame.assign(row=table.rows), found, vintage)
    else:
        frame["row"] = table.rows
    _check(frame, path, table.sheet or "", frame["row"].tolist())
    rows = frame.pop("row").to_numpy()
    texts = pd.DataFrame({name: text_column(frame[name].tolist()) for name in frame})
    return with_source(texts, path, sheet=table.sheet, rows=rows)


def _codes(found: PublishedTable, meaning: str) -> pd.Series:
    pattern = rf"{_COMMUNE}|\d{{4}}"
    return found.table.codes(found.columns[meaning], pattern, expected=_EXPECTED).str.zfill(5)


def _passage_of_events(events: pd.DataFrame, found: PublishedTable, vintage: int) -> pd.DataFrame:
    """The communes of 1 January of the vintage that hold each code, event by event.

    A commune that was restored is itself again, whatever held it meanwhile.
    """
    dates = found.table.texts(found.columns["date"])
    of_communes = dates <= f"{vintage}-01-01"
    for meaning in ("type before", "type after"):
        if meaning in found:
            of_communes &= found.table.texts(found.columns[meaning]) == "COM"
    events = events.assign(date=dates)[of_communes.fillna(False).astype(bool)]
    holders: dict[str, set[str]] = {code: {code} for code in events["former_code"]}
    for _, day in events.groupby("date", sort=True):
        after: dict[str, set[str]] = {}
        for before, holder in zip(day["former_code"], day["commune_code"], strict=True):
            after.setdefault(before, set()).add(holder)
        holders.update({code: _held_after(code, held, after) for code, held in holders.items()})
    last = events.groupby("commune_code").tail(1).set_index("commune_code")
    pairs = [(code, holder) for code, held in sorted(holders.items()) for holder in sorted(held)]
    frame = pd.DataFrame(pairs, columns=["former_code", "commune_code"])
    for column in ("commune_name", "row"):
        frame[column] = frame["commune_code"].map(last[column])
    return frame


def _held_after(code: str, held: set[str], after: Mapping[str, set[str]]) -> set[str]:
    """The communes that hold a code after the events of a day."""
    moved = set().union(*(after.get(holder, {holder}) for holder in held))
    return {code} if code in moved and code not in held else moved


def no_passage() -> pd.DataFrame:
    """The table of a wave that names no passage: its columns, no row."""
    frame = pd.DataFrame({name: text_column([]) for name in ("former_code", "commune_code", "commune_name")})
    return with_source(frame, Path("none"), sheet=None, rows=[])


def _header(rows: list[list[Cell]], path: Path, sheet: str, vintage: int) -> tuple[int, list[int]]:
    """Index of the header, and of the columns read."""
    wanted = [FORMER, f"CODGEO_{vintage}", f"LIBGEO_{vintage}"]
    for number, row in enumerate(rows[:HEADER_WITHIN]):
        names = [collapse(cell) for cell in row]
        if FORMER not in names:
            continue
        missing = [name for name in wanted if name not in names]
        if missing:
            raise SourceError(
                f"the header has {', '.join(f'“{name}”' for name in names if name)}",
                file=path,
                sheet=sheet,
                row=number + 1,
                expected=f"the columns {', '.join(wanted)}",
                remedy="check that the file is of the vintage named in the wave's file",
            )
        return number, [names.index(name) for name in wanted]
    raise SourceError(
        f"none of the first {HEADER_WITHIN} rows has a column “{FORMER}”",
        file=path,
        sheet=sheet,
        expected=f"a header with {', '.join(wanted)}",
        remedy="deliver INSEE's table of passage as published",
    )


def _empty(row: list[Cell]) -> bool:
    return all(is_blank(cell) for cell in row)


def _check(frame: pd.DataFrame, path: Path, sheet: str, numbers: list[int]) -> None:
    if frame.empty:
        raise SourceError(
            "there is a header but no row of data", file=path, sheet=sheet, remedy="fetch the file again"
        )
    twice = frame.index[frame.duplicated(["former_code", "commune_code"])]
    if len(twice):
        former, today = frame.loc[twice[0], ["former_code", "commune_code"]]
        raise SourceError(
            f"the passage from “{former}” to “{today}” is there twice",
            file=path,
            sheet=sheet,
            row=numbers[int(twice[0])],
            expected="one row a former code and commune",
            remedy="ask INSEE which of the two rows holds",
        )
