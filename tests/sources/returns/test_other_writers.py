"""Returns saved again by other programs: the same answers, whatever their manner of writing a workbook."""

import io
import random
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape, unescape

import pandas as pd
import pytest
from openpyxl import load_workbook

from asco_dagster.questionnaires.workbook_layout import META_SHEET
from asco_dagster.sources.returns.questionnaire_form import Expected, Return
from asco_dagster.sources.returns.workbook_reader import read_workbook
from asco_testing.sources.made_returns import UNIT, codebook, repacked, workbook

pytestmark = pytest.mark.slow

UNITS = {"commune": UNIT, "epci": "200000172"}
_INLINE = re.compile(rb't="inlineStr"><is><t(?: xml:space="preserve")?>(.*?)</t></is></c>')
_MAIN = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def _given(unit_type: str) -> dict[str, str]:
    """Answers of every kind: all choices, small and large numbers, decimals, some questions left empty."""
    generator = random.Random(3)
    given = {}
    for question in codebook(unit_type).questions:
        if generator.random() < 0.1:
            continue
        if question.type == "boolean":
            given[question.code] = generator.choice("01")
        elif question.type == "choice":
            given[question.code] = generator.choice(question.choices).code
        elif question.type == "integer":
            given[question.code] = str(generator.choice([0, 1, 999, 123_456_789]))
        else:
            # no more than the fifteen digits that a spreadsheet keeps
            given[question.code] = generator.choice(["0", "0.1", "12.5", "1234567.89", "0.123456789012345"])
    return given


def _read(content: bytes, unit_type: str) -> dict[str, str]:
    form = Expected.of(codebook(unit_type), "2014", None)
    found = read_workbook(content, {unit_type: form})
    assert isinstance(found, Return)
    assert found.unit_code == UNITS[unit_type]
    return {
        form.places[place].question: value for place, value in zip(found.places, found.values, strict=True)
    }


def by_openpyxl(content: bytes, _: Path) -> bytes:
    out = io.BytesIO()
    load_workbook(io.BytesIO(content)).save(out)
    return out.getvalue()


def by_pandas(content: bytes, _: Path) -> bytes:
    out = io.BytesIO()
    sheets = pd.read_excel(io.BytesIO(content), sheet_name=None, header=None, dtype=object, engine="openpyxl")
    with pd.ExcelWriter(out, engine="openpyxl") as writer:
        for name, sheet in sheets.items():
            sheet.to_excel(writer, sheet_name=name, header=False, index=False)
    return out.getvalue()


def by_libreoffice(content: bytes, folder: Path) -> bytes:
    if shutil.which("soffice") is None:
        pytest.skip("LibreOffice is not installed (Debian: libreoffice-calc-nogui)")
    (folder / "return.xlsx").write_bytes(content)
    subprocess.run(
        [
            *("soffice", f"-env:UserInstallation=file://{folder}/profile", "--headless"),
            *("--convert-to", "xlsx:Calc MS Excel 2007 XML", "--outdir", str(folder / "out")),
            str(folder / "return.xlsx"),
        ],
        check=True,
        capture_output=True,
        timeout=180,
    )
    return (folder / "out" / "return.xlsx").read_bytes()


def by_libreoffice_twice_through_ods(content: bytes, folder: Path) -> bytes:
    if shutil.which("soffice") is None:
        pytest.skip("LibreOffice is not installed (Debian: libreoffice-calc-nogui)")
    (folder / "return.xlsx").write_bytes(content)
    for kind, path in (("ods", folder / "return.xlsx"), ("xlsx", folder / "out" / "return.ods")):
        subprocess.run(
            [
                *("soffice", f"-env:UserInstallation=file://{folder}/profile", "--headless"),
                *("--convert-to", kind, "--outdir", str(folder / "out"), str(path)),
            ],
            check=True,
            capture_output=True,
            timeout=180,
        )
    return (folder / "out" / "return.xlsx").read_bytes()


def with_shared_strings(content: bytes, _: Path) -> bytes:
    """Texts in one part, as Excel writes them."""
    texts: dict[bytes, int] = {}

    def share(match: re.Match[bytes]) -> bytes:
        return b't="s"><v>%d</v></c>' % texts.setdefault(match[1], len(texts))

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]
    changes: dict[str, Callable[[bytes], bytes]] = {
        name: lambda part: _INLINE.sub(share, part) for name in sheets
    }
    changes["xl/_rels/workbook.xml.rels"] = lambda part: part.replace(
        b"</Relationships>",
        b'<Relationship Id="rIdS" Target="sharedStrings.xml" Type="%b/sharedStrings"/></Relationships>'
        % _OFFICE,
    )
    changes["[Content_Types].xml"] = lambda part: part.replace(
        b"</Types>",
        b'<Override PartName="/xl/sharedStrings.xml" ContentType="application/'
        b'vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>',
    )
    changed = repacked(content, changes)  # type: ignore[arg-type]
    items = b"".join(b'<si><t xml:space="preserve">%b</t></si>' % text for text in texts)
    table = b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n<sst xmlns="%b">%b</sst>' % (
        _MAIN,
        items,
    )
    return repacked(changed, added={"xl/sharedStrings.xml": table})


def with_rich_shared_strings(content: bytes, folder: Path) -> bytes:
    """Texts in runs, as Excel writes them when a word was made bold or corrected in its cell."""

    def in_runs(part: bytes) -> bytes:
        def split(match: re.Match[bytes]) -> bytes:
            text = unescape(match[1].decode())
            runs = (text[: len(text) // 2], text[len(text) // 2 :])
            return "".join(
                f'<r><rPr><b/></rPr><t xml:space="preserve">{escape(run)}</t></r>' for run in runs if run
            ).encode()

        return re.sub(rb'<t xml:space="preserve">(.*?)</t>', split, part)

    return repacked(with_shared_strings(content, folder), {"xl/sharedStrings.xml": in_runs})


def with_a_prefix(content: bytes, _: Path) -> bytes:
    """Every element of the tabs under a prefix, as .NET libraries write them."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]

    def prefixed(part: bytes) -> bytes:
        part = re.sub(rb"<(/?)([A-Za-z]\w*)(?=[ />])", rb"<\1x:\2", part)
        return part.replace(b' xmlns="', b' xmlns:x="', 1)

    return repacked(content, dict.fromkeys(sheets, prefixed))


def spread_over_lines(content: bytes, _: Path) -> bytes:
    """An element a line, as someone's XML editor leaves it."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]
    return repacked(content, dict.fromkeys(sheets, lambda part: re.sub(rb"(<row|<c )", rb"\n  \1", part)))


def without_places(content: bytes, _: Path) -> bytes:
    """No place on any cell, which the format allows where none is left out."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]

    def bare(part: bytes) -> bytes:
        rows = re.split(rb"(?=<row )", part)
        return b"".join(re.sub(rb'<c r="[A-Z]+\d+"', b"<c", row) if _is_full(row) else row for row in rows)

    return repacked(content, dict.fromkeys(sheets, bare))


def _is_full(row: bytes) -> bool:
    letters = re.findall(rb'<c r="([A-Z])\d+"', row)
    return letters == [b"A", b"B", b"C", b"D"][: len(letters)]


WRITERS = (
    by_openpyxl,
    by_pandas,
    by_libreoffice,
    by_libreoffice_twice_through_ods,
    with_shared_strings,
    with_rich_shared_strings,
    with_a_prefix,
    spread_over_lines,
    without_places,
)


@pytest.mark.parametrize("unit_type", UNITS)
@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.__name__)
def test_reads_the_same(writer: Callable[[bytes, Path], bytes], unit_type: str, tmp_path: Path) -> None:
    given = _given(unit_type)
    content = workbook(UNITS[unit_type], given=given, unit_type=unit_type)
    as_written = _read(content, unit_type)
    assert set(as_written) == set(given)
    again = writer(content, tmp_path)
    assert again != content
    assert META_SHEET in zipfile.ZipFile(io.BytesIO(again)).read("xl/workbook.xml").decode()
    assert _read(again, unit_type) == as_written
