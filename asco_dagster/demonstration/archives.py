"""Workbooks and zips whose bytes depend on their content alone: no clock, no name of a machine."""

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

Cell = str | int | float | None
Sheet = tuple[str, Iterable[Sequence[Cell]]]

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can hold
_STAMP = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*(<)")


def write_workbook(path: Path, sheets: Iterable[Sheet]) -> None:
    """Write an xlsx file, row by row.

    Args:
        path: the file to write.
        sheets: name and rows of each sheet, in order; an empty cell is None.
    """
    from openpyxl import Workbook

    workbook = Workbook(write_only=True)
    for name, rows in sheets:
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(row)
    raw = io.BytesIO()
    workbook.save(raw)
    with zipfile.ZipFile(raw) as archive:
        write_zip(path, [(name, _without_dates(archive.read(name))) for name in archive.namelist()])


def write_zip(path: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """Write a zip whose members all carry the same date.

    Args:
        path: the file to write.
        members: name and content, in order.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, content in members:
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)


def _without_dates(content: bytes) -> bytes:
    """The properties of a workbook with a fixed date; anything else as it is."""
    if b"<dcterms:" not in content:
        return content
    return _STAMP.sub(rb"\g<1>2000-01-01T00:00:00Z\g<2>", content)
