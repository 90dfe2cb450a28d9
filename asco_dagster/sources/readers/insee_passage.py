"""INSEE's table of passage between commune geographies: every code there ever was, and its commune of today.

Sheet ``COM`` or ``Table de passage``; the same as text; or INSEE's file of events (``mvtcommune``), from
which the passage follows. Municipal arrondissements are in another sheet, which is not read.
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from asco_dagster.errors import SourceError
from asco_dagster.sources.readers.encoding import AGAIN
from asco_dagster.sources.readers.provenance import no_rows, text_column, with_source
from asco_dagster.sources.readers.published_table import PublishedTable, plain_name, read_published
from asco_dagster.sources.readers.workbook import collapse
from asco_dagster.territory.codes import COMMUNE

SHEETS = ("COM", "Table de passage")
_EXPECTED = "a commune code of 5 characters such as 01001, 2A004 or 97101"


def read_commune_passage(path: Path, *, vintage: int) -> pd.DataFrame:
    """Read the table of passage.

    Args:
        path: INSEE's workbook, the same as text, or its file of events.
        vintage: year of the geography that it leads to; its columns must be of that year.

    Returns:
        One row per former code and commune of today: ``former_code``, ``commune_code``, ``commune_name``,
        ``source_file``, ``source_sheet``, ``source_row``. A commune that was divided has several rows. A file
        of events has only communes with one: any other code is still its commune.

    Raises:
        SourceError: no such sheet or header, another year, a cell that is no code, a pair twice.
    """
    spellings = {
        "former": ("CODGEO_INI", "COM_AV"),
        "commune": (f"CODGEO_{vintage}", "COM_AP"),
        "name": (f"LIBGEO_{vintage}", "LIBELLE_AP", "NCCENR_AP"),
        "date": ("DATE_EFF",),
        "type before": ("TYPECOM_AV",),
        "type after": ("TYPECOM_AP",),
    }
    found = read_published(path, spellings, required=("former", "commune", "name"), usual=SHEETS)
    table = found.table
    if table.sheet is not None and plain_name(table.sheet) not in map(plain_name, SHEETS):
        raise SourceError(
            f"the table is in the sheet “{table.sheet}”",
            file=path,
            expected=f"one of {', '.join(f'“{name}”' for name in SHEETS)}",
            remedy="deliver INSEE's table of passage as published",
        )
    frame = pd.DataFrame(
        {
            "former_code": _codes(found, "former"),
            "commune_code": _codes(found, "commune"),
            "commune_name": table.texts(found.columns["name"]).map(collapse, na_action="ignore"),
        }
    )
    if "date" in found:
        frame = _passage_of_events(frame.assign(row=table.rows), found, vintage)
    else:
        frame["row"] = table.rows
    _check_unique(frame, found)
    rows = frame.pop("row").to_numpy()
    texts = pd.DataFrame({name: text_column(frame[name].tolist()) for name in frame})
    return with_source(texts, path, sheet=table.sheet, rows=rows)


def _codes(found: PublishedTable, meaning: str) -> pd.Series:
    pattern = rf"{COMMUNE}|\d{{4}}"
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
    """The table of a wave that names no passage."""
    return no_rows("former_code", "commune_code", "commune_name")


def _check_unique(frame: pd.DataFrame, found: PublishedTable) -> None:
    if frame.empty:
        raise SourceError(
            "no event of the file is a commune's, up to the vintage", file=found.table.path, remedy=AGAIN
        )
    twice = frame.index[frame.duplicated(["former_code", "commune_code"])]
    if len(twice):
        former, today, row = frame.loc[twice[0], ["former_code", "commune_code", "row"]]
        raise SourceError(
            f"the passage from “{former}” to “{today}” is there twice",
            file=found.table.path,
            sheet=found.table.sheet,
            row=int(row),
            expected="one row per former code and commune",
            remedy="ask INSEE which of the two rows is right",
        )
