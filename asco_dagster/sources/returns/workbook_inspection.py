"""Is this file a workbook that may be opened? Answered from its bytes, before anything parses it.

The kind of file, the zip directory, the size of what it inflates to, macros, links, DTDs, and the tabs with
the part that holds each. Every part that is read is inflated once under a limit and must end exactly where
its directory says, so that no other reader can see more than was inspected; parts that nobody reads are not
judged.
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from xml.etree import ElementTree  # DTDs are refused before it parses anything

from asco_dagster.questionnaires.workbook_layout import FRONT_TABS
from asco_dagster.sources.returns.refusals import RefusedReturnError

MAX_FILE = 32 * 1024 * 1024
MAX_PART = 8 * 1024 * 1024
MAX_INFLATED = 64 * 1024 * 1024
MAX_PARTS = 2_000
BOMB_SIZE = 4 * 1024 * 1024  # below it, a high ratio is only a long text
BOMB_RATIO = 100

_UNSAFE = re.compile(r"^[/\\]|(^|[/\\])\.\.([/\\]|$)|[:\0]", re.MULTILINE)
_PARSED = (
    "[content_types].xml",
    "_rels/.rels",
    "xl/workbook.xml",
    "xl/_rels/workbook.xml.rels",
    "xl/styles.xml",
    "xl/sharedstrings.xml",
    "docprops/core.xml",
)
"""What is read besides the tabs; what other parts hold (pictures, ``customXml``) does not matter."""
_HARMFUL = (
    ("macros", re.compile(r"vbaproject|vbadata|macrosheets/|dialogsheets/|activex/|/ctrlprops/")),
    ("external_link", re.compile(r"externallinks/|(^|/)connections\.xml$|querytables/", re.MULTILINE)),
    ("embedded_object", re.compile(r"embeddings/")),
)
_MACRO_TYPE = re.compile(rb"macroenabled|vbaproject")
_DECLARED = re.compile(rb"<!(?:DOCTYPE|ENTITY)")
_ENCODING = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([\w.-]+)""")
_MODIFIED = re.compile(rb"<dcterms:modified[^>]*>\s*([0-9T:Z.+-]{10,35})\s*<")
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_STRICT = "{http://purl.oclc.org/ooxml/spreadsheetml/main}"
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


@dataclass(frozen=True)
class Package:
    """A workbook that may be opened.

    Attributes:
        parts: the XML of each part that is read, by its name in lower case.
        sheets: name of each tab, in order, and the name under which the workbook looks for its part.
        modified: when it was last saved, as the workbook says; None when it does not.
    """

    parts: dict[str, bytes]
    sheets: dict[str, str]
    modified: str | None

    def sheet(self, tab: str) -> bytes:
        """The XML of a tab."""
        return self.parts[self.sheets[tab].lower()]


def inspect(content: bytes) -> Package:
    """Judge a file by its bytes.

    Args:
        content: the whole file.

    Returns:
        Its tabs, inflated.

    Raises:
        RefusedReturnError: it is no xlsx workbook, is damaged or protected, or might do harm.
    """
    require_zip(content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            entries = package.infolist()
    except zipfile.BadZipFile:
        whole = b"PK\x05\x06" in content[-66_000:]
        raise RefusedReturnError("corrupt" if whole else "truncated") from None
    except (ValueError, OSError, NotImplementedError, struct.error, EOFError, UnicodeDecodeError):
        raise RefusedReturnError("corrupt") from None
    _require_sane(entries)
    by_name = {entry.filename.lower(): entry for entry in entries}
    _require_xlsx(by_name, content)
    parts = {name: _inflate(content, by_name[name]) for name in _PARSED if name in by_name}
    _require_plain_xml(parts.values())
    sheets = _sheets(parts, by_name)
    read = {path.lower() for tab, path in sheets.items() if tab not in FRONT_TABS}
    tabs = {name: _inflate(content, by_name[name]) for name in read if name not in parts}
    _require_plain_xml(tabs.values())
    for name, entry in by_name.items():
        if name not in parts and name not in tabs and name.endswith((".xml", ".rels")):
            _require_no_bomb(content, entry)
    if _MACRO_TYPE.search(parts["[content_types].xml"].lower()):
        raise RefusedReturnError("macros")
    core = _MODIFIED.search(parts.get("docprops/core.xml", b""))
    return Package({**parts, **tabs}, sheets, core.group(1).decode() if core else None)


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


def _require_sane(entries: list[zipfile.ZipInfo]) -> None:
    """Refuse a directory that announces too much, lies, or names places outside the workbook."""
    names = [entry.filename.lower() for entry in entries]
    if len(names) > MAX_PARTS:
        raise RefusedReturnError("zip_bomb", expected=f"≤ {MAX_PARTS} parts")
    if min((entry.header_offset for entry in entries), default=0) > 0:
        raise RefusedReturnError("corrupt")  # bytes before the first part: two readers may see two files
    if len(set(names)) < len(names):
        raise RefusedReturnError("duplicate_parts")
    if _UNSAFE.search("\n".join([entry.orig_filename for entry in entries])):
        raise RefusedReturnError("unsafe_part")
    for entry in entries:
        if entry.flag_bits & 0x1:
            raise RefusedReturnError("password")
        if entry.file_size > BOMB_SIZE and entry.file_size > BOMB_RATIO * max(entry.compress_size, 1):
            raise RefusedReturnError("zip_bomb", expected=f"≤ {BOMB_RATIO} : 1")
    if sum(entry.file_size for entry in entries) > MAX_INFLATED:
        raise RefusedReturnError("zip_bomb", expected=f"≤ {MAX_INFLATED >> 20} MiB")


def _require_xlsx(entries: dict[str, zipfile.ZipInfo], content: bytes) -> None:
    """Refuse zip files that are no plain xlsx workbook."""
    if "mimetype" in entries:
        kind = _inflate(content, entries["mimetype"])
        raise RefusedReturnError("opendocument" if b"spreadsheet" in kind else "other_document")
    if "[content_types].xml" not in entries:
        raise RefusedReturnError("nested_archive")
    if "xl/workbook.bin" in entries:
        raise RefusedReturnError("binary_workbook")
    for reason, pattern in _HARMFUL:
        if pattern.search("\n".join(entries)):
            raise RefusedReturnError(reason)
    if "xl/workbook.xml" not in entries:
        raise RefusedReturnError("other_document")


def _inflate(content: bytes, entry: zipfile.ZipInfo) -> bytes:
    """A part's bytes, which must be exactly what the directory announces."""
    if entry.file_size > MAX_PART:
        raise RefusedReturnError("zip_bomb", expected=f"≤ {MAX_PART >> 20} MiB")
    start = entry.header_offset
    if content[start : start + 4] != b"PK\x03\x04":
        raise RefusedReturnError("corrupt")
    name_length, extra_length = struct.unpack_from("<HH", content, start + 26)
    data = start + 30 + name_length + extra_length
    raw = content[data : data + entry.compress_size]
    local = content[start + 30 : start + 30 + name_length]
    encoded = entry.orig_filename.encode("utf-8" if entry.flag_bits & 0x800 else "cp437", "replace")
    if local != encoded or len(raw) < entry.compress_size:
        raise RefusedReturnError("corrupt")
    if entry.compress_type == zipfile.ZIP_STORED:
        part, whole = raw, True
    elif entry.compress_type == zipfile.ZIP_DEFLATED:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            part = inflater.decompress(raw, entry.file_size + 1)
        except zlib.error:
            raise RefusedReturnError("corrupt") from None
        whole = inflater.eof or (not raw and not entry.file_size)
    else:
        raise RefusedReturnError("unreadable", expected="deflate")
    if len(part) > entry.file_size:
        raise RefusedReturnError("zip_bomb", expected=f"{entry.file_size} B")
    if not whole or len(part) != entry.file_size or zlib.crc32(part) != entry.CRC:
        raise RefusedReturnError("corrupt")
    return part


def _require_plain_xml(parts: Collection[bytes]) -> None:
    """Refuse DTDs, entities, and encodings in which they could hide; one search through all parts."""
    joined = b"".join(parts)
    if _DECLARED.search(joined):
        raise RefusedReturnError("xml_entities")
    if b"\0" in joined or any(part.startswith((b"\xfe\xff", b"\xff\xfe")) for part in parts):
        raise RefusedReturnError("xml_encoding", expected="UTF-8")
    for part in parts:
        encoding = _ENCODING.search(part, 0, 200)
        if encoding and encoding.group(1).lower() not in (b"utf-8", b"us-ascii", b"ascii"):
            raise RefusedReturnError("xml_encoding", expected="UTF-8")


def _require_no_bomb(content: bytes, entry: zipfile.ZipInfo) -> None:
    """Refuse a part that nobody reads only if it is made to harm whoever opens it."""
    try:
        _inflate(content, entry)
    except RefusedReturnError as refused:
        if refused.refusal.reason == "zip_bomb" and entry.file_size <= MAX_PART:
            raise


def _sheets(parts: dict[str, bytes], present: Collection[str]) -> dict[str, str]:
    """The tabs in order, each with the name of its part."""
    book, relations = parts.get("xl/workbook.xml"), parts.get("xl/_rels/workbook.xml.rels")
    if book is None or relations is None:
        raise RefusedReturnError("corrupt")
    sheets: dict[str, str] = {}
    for name, target in _targets(book, relations):
        path = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        if path.lower() not in present or name in sheets:
            raise RefusedReturnError("corrupt")
        sheets[name] = path
    return sheets


def _targets(book: bytes, relations: bytes) -> tuple[tuple[str, str], ...]:
    """Name of each tab and its target."""
    try:
        listed = ElementTree.fromstring(book)  # noqa: S314
        linked = ElementTree.fromstring(relations)  # noqa: S314
    except (ElementTree.ParseError, ValueError):
        raise RefusedReturnError("corrupt") from None
    by_id = {relation.get("Id"): relation.get("Target", "") for relation in linked}
    found = []
    for space in (_MAIN, _STRICT):
        for sheet in listed.findall(f"{space}sheets/{space}sheet"):
            key = next((value for name, value in sheet.items() if name.endswith("}id")), None)
            found.append((sheet.get("name") or "", by_id.get(key, "")))
    return tuple(found)
