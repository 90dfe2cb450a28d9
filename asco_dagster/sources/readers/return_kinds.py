"""What kind of file a return is by its first bytes, whatever its name says; only a zip can be a workbook.

What does not belong here: what is inside a zip (``return_inspection``).
"""

import re

from asco_dagster.sources.readers.refusals import RefusedReturnError

MAX_FILE = 32 * 1024 * 1024

_STARTS = (
    (b"%PDF", "pdf"),
    (b"\x89PNG", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"GIF8", "image"),
    (b"II*\x00", "image"),
    (b"MM\x00*", "image"),
    (b"\x1f\x8b", "nested_archive"),
    (b"7z\xbc\xaf\x27\x1c", "nested_archive"),
    (b"Rar!", "nested_archive"),
    (b"BZh", "nested_archive"),
    (b"\xfd7zXZ", "nested_archive"),
    (b"{\\rtf", "other_document"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def require_zip(content: bytes) -> None:
    """Refuse what does not start as a zip file, with what it is instead.

    Raises:
        RefusedReturnError: empty, too large, or another kind of file.
    """
    if not content:
        raise RefusedReturnError("empty_file")
    if len(content) > MAX_FILE:
        raise RefusedReturnError("too_large", expected=f"≤ {MAX_FILE >> 20} MiB")
    if content.startswith(b"PK\x03\x04"):
        return
    if content.startswith(_OLE):
        raise RefusedReturnError(_kind_of_ole(content))
    for start, reason in _STARTS:
        if content.startswith(start):
            raise RefusedReturnError(reason)
    if content[257:262] == b"ustar":
        raise RefusedReturnError("nested_archive")
    head = content[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head[:5].lower() in (b"<?xml", b"<html", b"<!doc"):
        raise RefusedReturnError("xml_workbook")
    if head and b"\0" not in head and any(mark in head for mark in b";,\t") and _is_text(head):
        raise RefusedReturnError("delimited_text")
    raise RefusedReturnError("not_a_workbook")


def _kind_of_ole(content: bytes) -> str:
    """An OLE container is an encrypted workbook, an old one, or some other Office document."""
    if "EncryptedPackage".encode("utf-16-le") in content:
        return "password"
    if any(name.encode("utf-16-le") in content for name in ("Workbook", "Book")):
        return "old_xls"
    return "other_document"


def _is_text(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as fault:
        # a character cut at the end of the sample, or Latin-1 text; bytes below a blank are neither
        return fault.start > len(head) - 4 or not re.search(rb"[\x00-\x08\x0e-\x1f]", head)
    return True
