"""Publishers' workbooks: opening them, their sheets, and a cell as a code or a number.

Reads xlsx, xls and ods through python-calamine, by content and not by the file's ending, since publishers
rename one into the other.
"""

import datetime
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from asco_dagster.errors import SourceError
from asco_dagster.sources.readers.encoding import AGAIN, read_bytes

Cell = int | float | str | bool | datetime.time | datetime.date | datetime.datetime | datetime.timedelta

WORKBOOK_STARTS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""First bytes of xlsx and ods, and of xls."""

_WHITE = re.compile(r"\s+")


@contextmanager
def _refusing(path: Path, sheet: str | None = None) -> Iterator[None]:
    """Turn whatever the workbook library raises on a broken file into a sentence."""
    try:
        yield
    except PasswordError:
        raise SourceError(
            "the workbook is protected by a password", file=path, remedy="deliver it without a password"
        ) from None
    except (KeyboardInterrupt, SystemExit, MemoryError, SourceError):
        raise
    # A damaged file may make the Rust library panic, and its PanicException is no Exception.
    except BaseException as fault:
        if not isinstance(fault, (CalamineError, Exception)) and type(fault).__name__ != "PanicException":
            raise
        raise SourceError(
            f"the workbook is damaged or cut short ({type(fault).__name__})",
            file=path,
            sheet=sheet,
            remedy=AGAIN,
        ) from fault


def open_workbook(path: Path, *, content: bytes | None = None) -> CalamineWorkbook:
    """Open an xlsx, xls or ods file.

    Args:
        path: the file.
        content: its bytes when they are not in the file itself (member of an archive).

    Returns:
        The workbook; its sheets are read on demand.

    Raises:
        SourceError: missing, empty, no workbook, damaged, or protected by a password.
    """
    member = content is not None
    content = read_bytes(path) if content is None else content
    if not content.startswith(WORKBOOK_STARTS):
        raise SourceError(
            "this is not a workbook",
            file=path,
            expected="an xlsx, xls or ods file",
            remedy="check that the file was not saved from an error page or exported as text",
        )
    with _refusing(path):
        try:
            return CalamineWorkbook.from_filelike(io.BytesIO(content))
        except CalamineError:
            if member:
                raise
            # Opening by content says only that it failed; by the file's ending it also says why (password).
            return CalamineWorkbook.from_path(str(path))
    raise AssertionError("unreachable: the block above returns or raises")


@dataclass(frozen=True)
class Sheet:
    """A sheet, and the errors about its cells.

    Attributes:
        path: the file.
        name: the sheet's name, letter for letter.
        rows: all rows from A1 on, so that index + 1 is the row that a spreadsheet shows; of equal length, an
            empty cell is ``""``.
    """

    path: Path
    name: str
    rows: list[list[Cell]]

    def refuse(
        self,
        what: str,
        *,
        row: int | None = None,
        column: int | None = None,
        expected: str | None = None,
        remedy: str,
    ) -> SourceError:
        """An error about the sheet, or its cell in a row (from 1) and a column (from 0)."""
        letter = None if column is None else column_letter(column)
        return SourceError(
            what, file=self.path, sheet=self.name, row=row, column=letter, expected=expected, remedy=remedy
        )

    def code(self, cell: Cell, *, pattern: str, width: int, row: int, column: int, expected: str) -> str:
        """A cell as a code; Excel turns ``01`` into the number 1 and ``971`` into 971.0, undone here.

        Args:
            cell: text or number.
            pattern: regular expression that the code matches from end to end.
            width: a code that came as a number gets zeros in front up to this width.
            row: the row, from 1.
            column: the column, from 0.
            expected: the code in words, for the error.

        Raises:
            SourceError: the cell is a fraction, a date or a word.
        """
        text = as_text(cell).zfill(width) if is_number(cell) else str(cell).strip()
        if not re.fullmatch(pattern, text):
            raise self.refuse(
                f"“{collapse(cell)}” is not a code",
                row=row,
                column=column,
                expected=expected,
                remedy="Have the publisher correct the cell, or check that no column has shifted",
            )
        return text


def read_sheet(workbook: CalamineWorkbook, path: Path, name: str) -> Sheet:
    """Read a sheet.

    Args:
        workbook: from ``open_workbook``.
        path: its file, for the error.
        name: the sheet's name, letter for letter.

    Raises:
        SourceError: no such sheet (the error lists those there are), or it is damaged.
    """
    if name not in workbook.sheet_names:
        raise SourceError(
            "the sheet is missing",
            file=path,
            sheet=name,
            expected=f"one of the sheets {', '.join(f'“{name}”' for name in workbook.sheet_names)}",
            remedy="check the year or the edition in the wave's file",
        )
    with _refusing(path, name):
        return Sheet(path, name, workbook.get_sheet_by_name(name).to_python(skip_empty_area=False))
    raise AssertionError("unreachable: the block above returns or raises")


def collapse(cell: Cell) -> str:
    """A cell as one line of text: line breaks and runs of blanks become one blank, ends are trimmed."""
    return _WHITE.sub(" ", str(cell)).strip()


def is_blank(cell: Cell) -> bool:
    """Whether nothing can be seen in the cell."""
    return isinstance(cell, str) and not cell.strip()


def is_number(cell: Cell) -> bool:
    """Whether the cell holds a number (Excel's booleans are none)."""
    return isinstance(cell, (int, float)) and not isinstance(cell, bool)


def as_text(cell: Cell) -> str:
    """A cell as it reads: ``12.0`` is ``12``, any other number keeps every digit, text stays as it is."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return cell if isinstance(cell, str) else str(cell)


def column_letter(index: int) -> str:
    """The letter of a column as a spreadsheet shows it.

    Args:
        index: counted from 0.

    Returns:
        ``A`` for 0, ``AA`` for 26.
    """
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
