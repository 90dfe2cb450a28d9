"""The corpus of broken returns: what people and machines do to a questionnaire, and the reason of each."""

import bz2
import gzip
import io
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from asco_dagster.questionnaires.workbook_layout import FIRST_ROW, META_SHEET, layout
from asco_testing.sources.made_returns import (
    STRANGER,
    codebook,
    part_of,
    place_of,
    repacked,
    text,
    with_cell,
    with_tab,
    workbook,
)

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
ENTITIES = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
)


@dataclass(frozen=True)
class Broken:
    """One broken return.

    Attributes:
        kind: what was done to it.
        content: its bytes.
        reason: the reason that it must be refused for.
        tab: the tab that must be named.
        cell: the cell that must be named.
        name: name of the file.
    """

    kind: str
    content: bytes
    reason: str
    tab: str | None = None
    cell: str | None = None
    name: str = ""


@cache
def corpus() -> tuple[Broken, ...]:
    """Every broken return that lies in an archive under a harmless name."""
    return (*_files(), *_packages(), *_parts(), *_identities(), *_tabs(), *_cells())


def _files() -> Iterator[Broken]:
    """Files that are no xlsx workbook at all."""
    good = workbook()
    yield Broken("empty file", b"", "empty_file")
    yield Broken("cut in the middle", good[: len(good) // 2], "truncated")
    yield Broken("without its last byte", good[:-30], "truncated")
    yield Broken("only the signature", b"PK\x03\x04", "truncated")
    yield Broken("encrypted (OLE container)", _ole("EncryptedPackage", "EncryptionInfo"), "password")
    yield Broken("xls renamed", _xls(), "old_xls")
    yield Broken("doc renamed", _ole("WordDocument"), "other_document")
    yield Broken("ods renamed", _open_document("spreadsheet"), "opendocument")
    yield Broken("odt renamed", _open_document("text"), "other_document")
    yield Broken(
        "docx renamed",
        _zip({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<a/>"}),
        "other_document",
    )
    yield Broken(
        "xlsb renamed",
        _zip({"[Content_Types].xml": b"<Types/>", "xl/workbook.bin": b"\x83\x01"}),
        "binary_workbook",
    )
    yield Broken(
        "XML 2003 workbook",
        b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook/>',
        "xml_workbook",
    )
    yield Broken("web page saved as xlsx", b"<html><table><tr><td>1</td></tr></table></html>", "xml_workbook")
    yield Broken("csv renamed", "code;réponse\nORG_CCAS;Oui\n".encode(), "delimited_text")
    yield Broken("csv renamed, Latin-1", "code;réponse\nORG_CCAS;Oui\n".encode("latin-1"), "delimited_text")
    yield Broken("PDF", b"%PDF-1.7\n1 0 obj", "pdf")
    yield Broken("photograph", b"\xff\xd8\xff\xe0\x00\x10JFIF", "image")
    yield Broken("PNG", b"\x89PNG\r\n\x1a\n", "image")
    yield Broken("RTF", b"{\\rtf1\\ansi}", "other_document")
    yield Broken("random bytes", bytes(range(256)) * 8, "not_a_workbook")
    yield Broken("zeros", bytes(4096), "not_a_workbook")
    yield Broken("zip of workbooks", _zip({"a.xlsx": good, "b.xlsx": good}), "nested_archive")
    yield Broken("gzip", gzip.compress(good), "nested_archive")
    yield Broken("bzip2", bz2.compress(good), "nested_archive")
    yield Broken("xz", lzma.compress(good), "nested_archive")
    yield Broken("7z", b"7z\xbc\xaf\x27\x1c\x00\x04", "nested_archive")
    yield Broken("rar", b"Rar!\x1a\x07\x01\x00", "nested_archive")
    yield Broken("tar", _tar_of(good), "nested_archive")


def _packages() -> Iterator[Broken]:
    """Zip files that lie, or climb, or inflate."""
    good = workbook()
    yield Broken("bytes flipped in a part", _flipped(good), "corrupt")
    yield Broken("directory damaged", _directory_damaged(good), "corrupt")
    yield Broken("local name differs from the directory", _renamed_locally(good), "corrupt")
    yield Broken("parts encrypted (zip password)", _flag_encrypted(good), "password")
    yield Broken(
        "zip bomb: one part of zeros", repacked(good, added={"xl/media/a.xml": bytes(20_000_000)}), "zip_bomb"
    )
    many = {f"xl/x{number}.xml": bytes(4_100_000) for number in range(17)}
    yield Broken("zip bomb: many parts below the limit", repacked(good, added=many), "zip_bomb")
    yield Broken("zip bomb: the directory understates a part", _understated(good), "zip_bomb")
    yield Broken(
        "zip bomb: thousands of parts",
        repacked(good, added={f"xl/y{n}.xml": b"<a/>" for n in range(2_001)}),
        "zip_bomb",
    )
    yield Broken(
        "part climbs out", repacked(good, added={"../../etc/cron.d/x": b"* * * * * root"}), "unsafe_part"
    )
    yield Broken("part with an absolute path", repacked(good, added={"/etc/passwd": b"x"}), "unsafe_part")
    yield Broken("part on another drive", repacked(good, added={"C:/x": b"x"}), "unsafe_part")
    yield Broken("part with backslashes", repacked(good, added={"..\\..\\x": b"x"}), "unsafe_part")
    yield Broken("part twice", _part_twice(good), "duplicate_parts")
    yield Broken("part in an unknown compression", _packed_with(good, zipfile.ZIP_LZMA), "unreadable")


def _parts() -> Iterator[Broken]:
    """Workbooks with parts that may do harm."""
    good = workbook()
    tab, _ = place_of("boolean")

    def declared(part: bytes) -> bytes:
        return ENTITIES + part

    def utf16(part: bytes) -> bytes:
        return part.decode().encode("utf-16")

    def latin(part: bytes) -> bytes:
        return b'<?xml version="1.0" encoding="iso-8859-1"?>' + part

    yield Broken("macros", repacked(good, added={"xl/vbaProject.bin": OLE}), "macros")
    yield Broken(
        "xlsm renamed",
        repacked(
            good,
            {"[Content_Types].xml": lambda p: p.replace(b"spreadsheetml.sheet.main", b"macroEnabled.main")},
        ),
        "macros",
    )
    yield Broken(
        "Excel 4 macro sheet", repacked(good, added={"xl/macrosheets/sheet1.xml": b"<a/>"}), "macros"
    )
    yield Broken("ActiveX control", repacked(good, added={"xl/activeX/activeX1.xml": b"<a/>"}), "macros")
    yield Broken(
        "external link",
        repacked(good, added={"xl/externalLinks/externalLink1.xml": b"<a/>"}),
        "external_link",
    )
    yield Broken("data connection", repacked(good, added={"xl/connections.xml": b"<a/>"}), "external_link")
    yield Broken(
        "embedded object", repacked(good, added={"xl/embeddings/oleObject1.bin": OLE}), "embedded_object"
    )
    yield Broken("XML entity bomb in a tab", with_tab(good, tab, declared), "xml_entities")
    yield Broken("XML entity bomb in the styles", repacked(good, {"xl/styles.xml": declared}), "xml_entities")
    yield Broken(
        "external entity",
        repacked(good, {"docProps/core.xml": lambda p: b'<!DOCTYPE a SYSTEM "file:///etc/passwd">' + p}),
        "xml_entities",
    )
    yield Broken("tab in UTF-16", with_tab(good, tab, utf16), "xml_encoding")
    yield Broken("tab declared Latin-1", with_tab(good, tab, latin), "xml_encoding")
    yield Broken("tab is no XML", with_tab(good, tab, lambda part: part[: len(part) // 2]), "corrupt")
    yield Broken("workbook part missing", repacked(good, {"xl/workbook.xml": None}), "other_document")
    yield Broken("tab's part missing", repacked(good, {part_of(good, tab): None}), "corrupt")
    yield Broken("relations missing", repacked(good, {"xl/_rels/workbook.xml.rels": None}), "corrupt")
    yield Broken("content types missing", repacked(good, {"[Content_Types].xml": None}), "nested_archive")


def _identities() -> Iterator[Broken]:
    """Questionnaires of someone else."""
    good = workbook()

    def meta(cell: str, value: str) -> bytes:
        return with_cell(good, META_SHEET, cell, text(value))

    renamed = repacked(good, {"xl/workbook.xml": lambda p: p.replace(META_SHEET.encode(), b"_other", 1)})
    yield Broken("hidden tab missing", renamed, "meta_missing", META_SHEET)
    yield Broken(
        "hidden tab emptied",
        with_tab(good, META_SHEET, lambda p: re.sub(rb"<sheetData>.*</sheetData>", b"<sheetData/>", p)),
        "meta_altered",
        META_SHEET,
    )
    yield Broken("version erased", with_cell(good, META_SHEET, "B1", "/>"), "meta_altered", META_SHEET, "B1")
    yield Broken(
        "unit code turned into a number",
        with_cell(good, META_SHEET, "B3", "><v>1001</v></c>"),
        "meta_altered",
        META_SHEET,
        "B3",
    )
    yield Broken(
        "name of a field altered",
        with_cell(good, META_SHEET, "A3", text("code")),
        "meta_altered",
        META_SHEET,
        "B3",
    )
    yield Broken("foreign version", meta("B1", "2002.1"), "foreign_version", META_SHEET, "B1")
    yield Broken("other wave", meta("B4", "2025"), "other_wave", META_SHEET, "B4")
    yield Broken(
        "wrong type of unit", workbook("200000172", unit_type="epci"), "wrong_unit_type", META_SHEET, "B2"
    )
    yield Broken("unknown unit", workbook("99"), "unknown_unit", META_SHEET, "B3")
    yield Broken("unit outside the sample", workbook(STRANGER), "unit_outside_sample", META_SHEET, "B3")
    yield Broken("two units in one", workbook("01001;01002"), "two_units", META_SHEET, "B3")
    yield Broken(
        "formula as unit code",
        with_cell(good, META_SHEET, "B3", ' t="str"><f>"01"&amp;"001"</f><v>01001</v></c>'),
        "formula",
        META_SHEET,
        "B3",
    )
    yield Broken("blank questionnaire", workbook(given={}), "nothing_answered")


def _tabs() -> Iterator[Broken]:
    """Tabs gone, renamed, added; rows moved."""
    good = workbook()
    first, second = list(dict.fromkeys(place.tab for place in layout(codebook())))[:2]
    code = f"A{FIRST_ROW}"
    yield Broken("tab missing", _without_tab(good, second), "missing_tab", second)
    yield Broken("tab renamed", _with_tab_renamed(good, second, "Feuil1"), "renamed_tab", "Feuil1")
    yield Broken("tab added", _with_tab_added(good), "extra_tab", "Feuil1")
    yield Broken(
        "row inserted",
        with_tab(good, first, lambda p: _shift_rows(p, FIRST_ROW, 1)),
        "shifted_rows",
        first,
        code,
    )
    yield Broken("row deleted", with_tab(good, first, _first_row_deleted), "deleted_rows", first, code)
    yield Broken(
        "codes erased",
        with_tab(good, first, lambda p: re.sub(rb'<c r="A\d+".*?</c>', b"", p)),
        "foreign_template",
        first,
        code,
    )
    yield Broken(
        "column inserted",
        with_tab(
            good,
            first,
            lambda p: re.sub(rb'<c r="([A-D])', lambda m: b'<c r="' + chr(m[1][0] + 1).encode(), p),
        ),
        "foreign_template",
        first,
        code,
    )
    yield Broken("tabs exchanged", _tabs_exchanged(good, first, second), "foreign_template", first, code)
    far = b'<row r="1048576"><c r="XFD1048576" t="n"><v>1</v></c></row></sheetData>'
    yield Broken(
        "cell at the very end of the sheet",
        with_tab(good, first, lambda p: p.replace(b"</sheetData>", far)),
        "sheet_too_large",
        first,
        "XFD1048576",
    )
    rows = b"".join(b'<row r="%d"><c r="A%d"><v>1</v></c></row>' % (n, n) for n in range(100, 150_000))
    yield Broken(
        "huge number of rows",
        with_tab(good, first, lambda p: p.replace(b"</sheetData>", rows + b"</sheetData>")),
        "sheet_too_large",
        first,
    )


def _cells() -> Iterator[Broken]:
    """Answers that cannot be one."""
    good = workbook()
    for kind, reason, rest in (
        ("integer", "formula", "><f>6*2</f><v>12</v></c>"),
        ("boolean", "formula", ' t="str"><f>IF(1,"Oui")</f><v>Oui</v></c>'),
        ("amount", "formula", f'><x:f xmlns:x="{MAIN}">1+1</x:f><v>2</v></c>'),
        ("amount", "error_value", ' t="e"><v>#REF!</v></c>'),
        ("integer", "error_value", ' t="e"><v>#DIV/0!</v></c>'),
        ("integer", "text_in_number", text("environ douze")),
        ("decimal", "text_in_number", text("1,5 ETP")),
        ("amount", "text_in_number", text("12.500,00")),
        ("integer", "boolean_in_number", ' t="b"><v>1</v></c>'),
        ("integer", "date_in_answer", ' t="d"><v>2014-12-31T00:00:00</v></c>'),
        ("boolean", "date_in_answer", ' t="d"><v>2014-12-31</v></c>'),
        ("amount", "impossible_number", "><v>1e999</v></c>"),
        ("amount", "impossible_number", "><v>NaN</v></c>"),
        ("choice", "cell_too_long", text("a" * 1_000_000)),
        ("choice", "cell_too_long", text("é" * 40_000)),
        ("integer", "corrupt", ' t="s"><v>99999</v></c>'),
        ("integer", "unusual_cell", "><v>1</v><v>2</v></c>"),
    ):
        tab, cell = place_of(kind)
        content = with_cell(good, tab, cell, rest)
        yield Broken(f"{reason}, {kind}: {rest[:40]}", content, reason, tab, cell)
    tab, cell = place_of("integer")
    merge = f'</sheetData><mergeCells count="1"><mergeCell ref="{cell}:D{cell[1:]}" /></mergeCells>'.encode()
    yield Broken(
        "merged answer",
        with_tab(good, tab, lambda p: p.replace(b"</sheetData>", merge)),
        "merged_answer",
        tab,
        cell,
    )
    column = b'</sheetData><mergeCells count="1"><mergeCell ref="C:D"/></mergeCells>'
    yield Broken(
        "merged column",
        with_tab(good, tab, lambda p: p.replace(b"</sheetData>", column)),
        "merged_answer",
        tab,
    )


def _zip(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return out.getvalue()


def _open_document(kind: str) -> bytes:
    return _zip({"mimetype": f"application/vnd.oasis.opendocument.{kind}".encode(), "content.xml": b"<a/>"})


def _ole(*streams: str) -> bytes:
    """The beginning of an OLE container and the names of its streams, which is what tells its kind."""
    return OLE + bytes(504) + b"".join(name.encode("utf-16-le").ljust(128, b"\0") for name in streams)


def _xls() -> bytes:
    import xlwt

    book, out = xlwt.Workbook(), io.BytesIO()
    book.add_sheet("Organisation").write(3, 2, "Oui")
    book.save(out)
    return out.getvalue()


def _tar_of(content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("a.xlsx")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def _data_start(content: bytes, entry: zipfile.ZipInfo) -> int:
    names = struct.unpack_from("<HH", content, entry.header_offset + 26)
    return entry.header_offset + 30 + sum(names)


def _entry(content: bytes, name: str) -> zipfile.ZipInfo:
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        return package.getinfo(name)


def _flipped(content: bytes) -> bytes:
    start = _data_start(content, _entry(content, "xl/styles.xml"))
    return (
        content[: start + 20]
        + bytes(byte ^ 0xFF for byte in content[start + 20 : start + 40])
        + content[start + 40 :]
    )


def _directory_damaged(content: bytes) -> bytes:
    start = content.index(b"PK\x01\x02")
    return content[:start] + b"PK\x09\x09" + content[start + 4 :]


def _renamed_locally(content: bytes) -> bytes:
    """The name beside the data says something else than the directory: two readers would see two files."""
    start = _entry(content, "xl/styles.xml").header_offset + 30
    return content[:start] + b"xl/stylez.xml" + content[start + 13 :]


def _flag_encrypted(content: bytes) -> bytes:
    changed, position = bytearray(content), 0
    while (position := content.find(b"PK\x01\x02", position + 1)) >= 0:
        changed[position + 8] |= 1
    return bytes(changed)


def _understated(content: bytes) -> bytes:
    """A part announced as 100 bytes, with their checksum, which inflates to megabytes."""
    full = b"<a>" + bytes(8_000_000).replace(b"\0", b" ") + b"</a>"
    made = bytearray(repacked(content, added={"xl/z.xml": full}))
    for signature, offset in ((b"PK\x03\x04", 14), (b"PK\x01\x02", 16)):
        position = (
            bytes(made).rindex(b"xl/z.xml", 0)
            if signature == b"PK\x01\x02"
            else bytes(made).index(b"xl/z.xml")
        )
        start = bytes(made).rindex(signature, 0, position)
        struct.pack_into("<I", made, start + offset, zlib.crc32(full[:100]))
        struct.pack_into("<I", made, start + offset + 8, 100)
    return bytes(made)


def _part_twice(content: bytes) -> bytes:
    import warnings

    out = io.BytesIO(content)
    with warnings.catch_warnings(), zipfile.ZipFile(out, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("xl/workbook.xml", b"<workbook/>")
    return out.getvalue()


def _packed_with(content: bytes, method: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", method) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return out.getvalue()


def _without_tab(content: bytes, tab: str) -> bytes:
    return repacked(
        content, {"xl/workbook.xml": lambda p: re.sub(rf'<sheet [^>]*name="{tab}"[^>]*/>'.encode(), b"", p)}
    )


def _with_tab_renamed(content: bytes, tab: str, name: str) -> bytes:
    return repacked(
        content, {"xl/workbook.xml": lambda p: p.replace(f'name="{tab}"'.encode(), f'name="{name}"'.encode())}
    )


def _with_tab_added(content: bytes) -> bytes:
    """A second tab of notes, which uses the part of the cover."""

    def change(part: bytes) -> bytes:
        first = re.search(rb'<sheet [^>]*name="Accueil"[^>]*/>', part)[0]
        return part.replace(
            first, first + first.replace(b'"Accueil"', b'"Feuil1"').replace(b'sheetId="', b'sheetId="9')
        )

    return repacked(content, {"xl/workbook.xml": change})


def _tabs_exchanged(content: bytes, first: str, second: str) -> bytes:
    one, other = part_of(content, first), part_of(content, second)
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        parts = {one: package.read(other), other: package.read(one)}
    return repacked(content, {name: lambda _, name=name: parts[name] for name in parts})


def _shift_rows(part: bytes, start: int, by: int) -> bytes:
    def move(match: re.Match[bytes]) -> bytes:
        row = int(match[2])
        return match[1] + str(row + by if row >= start else row).encode() + b'"'

    part = re.sub(rb'(<row r=")(\d+)"', move, part)
    return re.sub(rb'(<c r="[A-Z]+)(\d+)"', move, part)


def _first_row_deleted(part: bytes) -> bytes:
    part = re.sub(rb'<row r="%d".*?</row>' % FIRST_ROW, b"", part, count=1)
    return _shift_rows(part, FIRST_ROW + 1, -1)
