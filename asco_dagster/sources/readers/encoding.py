"""The bytes of a delivered file and their decoding, strict, with the row of the first wrong byte."""

import re
from pathlib import Path

from asco_dagster.errors import OutOfReachError, SourceError

AS_CSV = "save the file as “CSV UTF-8” with semicolons and deliver it again"
AGAIN = "download the file again from its publisher and compare its size"

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_WRONG_TYPES = (
    (b"PK\x03\x04", "this is a workbook or an archive, not delimited text"),
    (b"\xd0\xcf\x11\xe0", "this is an old Office file, not delimited text"),
    (b"%PDF", "this is a PDF, not delimited text"),
    (b"<", "this is a web page or XML, not delimited text"),
)


def read_bytes(path: Path) -> bytes:
    """The bytes of a delivered file that is there and not empty.

    Raises:
        SourceError: it is missing or empty.
        OutOfReachError: the system does not give it.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise SourceError(
            "not found", file=path, remedy="deliver it, or correct its name in the wave's file"
        ) from None
    except OSError as fault:
        raise OutOfReachError.from_os_error(fault, path) from fault
    if not content:
        raise SourceError("the file is empty", file=path, remedy=AGAIN)
    return content


def decode(content: bytes, path: Path, *, sheet: str | None = None, legacy: bool = False) -> str:
    """Text of a UTF-8 file, with or without a byte-order mark, every line ending in one line feed.

    Args:
        content: the file's bytes.
        path: the file, for the error.
        sheet: member of an archive, for the error.
        legacy: whether bytes that are no UTF-8 may be Windows-1252, of which Latin-1's letters are a part, as
            INSEE and the DGCL still publish some files. Returns of the survey never are: nobody could say
            which letters were meant.

    Returns:
        The text; carriage returns before a line feed are gone (INSEE delivers some twice).

    Raises:
        SourceError: it is another type of file, or not UTF-8, with the row of the first wrong byte.
    """
    for signature, what in _WRONG_TYPES:
        if content.lstrip().startswith(signature):
            raise SourceError(what, file=path, sheet=sheet, expected="delimited text in UTF-8", remedy=AS_CSV)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
        if legacy and not wide and (older := _windows_1252(content)) is not None:
            return older
        guess = "UTF-16" if wide else "Latin-1/Windows-1252"
        raise SourceError(
            f"byte 0x{content[fault.start]:02x} is not UTF-8, it looks like {guess}",
            file=path,
            sheet=sheet,
            row=content.count(b"\n", 0, fault.start) + 1,
            expected="UTF-8",
            remedy="save the file as UTF-8 and deliver it again",
        ) from None
    if "\0" in text:
        row = text.count("\n", 0, text.index("\0")) + 1
        raise SourceError("a zero byte: this is not text", file=path, sheet=sheet, row=row, remedy=AGAIN)
    return _one_line_end(text)


def _one_line_end(text: str) -> str:
    while "\r\n" in text:  # a regular expression would hold every line beside the text
        text = text.replace("\r\n", "\n")
    return text


def _windows_1252(content: bytes) -> str | None:
    """The text that these bytes are in Windows-1252; None where one of them is no character of text."""
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(text) else _one_line_end(text)
