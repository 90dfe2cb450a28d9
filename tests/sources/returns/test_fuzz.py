"""Random bytes and random mutations of good returns: the reader always gives a return or a reason, in time.

``make fuzz`` runs thousands; a test run a bounded number, the same each time. Each file is read in a reading
process as in production, with a time limit, so that a hang or a crash of the library shows as what it is.
"""

import io
import os
import random
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any
from unittest import mock
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from asco_dagster.questionnaires.workbook_layout import META_SHEET, layout
from asco_dagster.sources.returns import reading_pool, workbook_cells, workbook_reader
from asco_dagster.sources.returns.archive_members import Member, Where
from asco_dagster.sources.returns.questionnaire_form import Expected, Return
from asco_dagster.sources.returns.refusals import Refusal, RefusedReturnError, reasons
from asco_dagster.sources.returns.workbook_inspection import inspect
from asco_testing.sources.made_returns import codebook, part_of, place_of, repacked, with_cell, workbook

pytestmark = pytest.mark.slow

EXAMPLES = 4_000 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 120
GOOD = workbook()
FORM = {"commune": Expected.of(codebook(), "2014", None)}
TABS = [META_SHEET, *dict.fromkeys(place.tab for place in layout(codebook()))]
PARTS = zipfile.ZipFile(io.BytesIO(GOOD)).namelist()
fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES < 1_000,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def pool() -> Iterator[Any]:
    with reading_pool.open_pool(FORM, 1) as pool:
        yield pool


def _read(pool: Any, content: bytes) -> Return | Refusal:
    """Read one file as the pipeline does: in another process, within the time of a file."""
    member = Member("x", Where("x", content=content))  # type: ignore[arg-type]
    ((_, (_, outcome)),) = reading_pool.finish(pool, [member], reading_pool.start(pool, [member]))
    if isinstance(outcome, Refusal):
        assert outcome.reason in reasons()
        # a hang, a crash and a case that nobody foresaw are refusals in production, and failures here
        assert outcome.reason not in ("too_slow", "reader_died", "unforeseen"), outcome
        assert outcome.sentence("fr") and outcome.sentence("en")
    else:
        assert len(outcome.places) == len(outcome.values) > 0
        assert all(isinstance(value, str) and value for value in outcome.values)
        assert 0 < outcome.completeness <= 1
    return outcome


@fuzzed
@given(content=st.binary(max_size=4096))
def test_random_bytes(pool: Any, content: bytes) -> None:
    assert isinstance(_read(pool, content), Refusal)


@fuzzed
@given(
    content=st.binary(max_size=4096),
    start=st.sampled_from([b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"<?xml", b"PK\x05\x06"]),
)
def test_random_bytes_behind_a_signature(pool: Any, start: bytes, content: bytes) -> None:
    assert isinstance(_read(pool, start + content), Refusal)


@fuzzed
@given(seed=st.integers(0, 2**32), count=st.integers(1, 40))
def test_bytes_changed_anywhere(pool: Any, seed: int, count: int) -> None:
    changed, generator = bytearray(GOOD), random.Random(seed)
    for _ in range(count):
        changed[generator.randrange(len(changed))] = generator.randrange(256)
    _read(pool, bytes(changed))


@fuzzed
@given(start=st.integers(0, len(GOOD)), length=st.integers(0, len(GOOD)), insert=st.binary(max_size=64))
def test_a_stretch_cut_out_or_put_in(pool: Any, start: int, length: int, insert: bytes) -> None:
    _read(pool, GOOD[:start] + insert + GOOD[start + length :])


@fuzzed
@given(tab=st.sampled_from(TABS), seed=st.integers(0, 2**32), count=st.integers(1, 30))
@example(tab="Organisation", seed=143, count=1)  # a control character in place of the name of an attribute
@example(tab="Établissements", seed=427, count=1)  # <roweetPro
@example(tab="Établissements", seed=6117, count=1)  # an attribute without a value
@example(tab="Insertion et logement", seed=367631933, count=2)  # 999s="3"
@example(tab="Petite enfance", seed=21225, count=1)  # t="inJineStr"
def test_xml_of_a_tab_changed_in_a_sound_package(pool: Any, tab: str, seed: int, count: int) -> None:
    generator = random.Random(seed)

    def change(part: bytes) -> bytes:
        changed = bytearray(part)
        for _ in range(count):
            at = generator.randrange(len(changed))
            act = generator.randrange(4)
            if act == 0:
                changed[at] = generator.randrange(256)
            elif act == 1:
                del changed[at : at + generator.randrange(1, 40)]
            elif act == 2:
                changed[at:at] = generator.choice(SNIPPETS)
            else:
                other = generator.randrange(len(changed))
                changed[at:at] = changed[other : other + generator.randrange(1, 80)]
        return bytes(changed)

    content = repacked(GOOD, {part_of(GOOD, tab): change})
    found = _read(pool, content)
    if isinstance(found, Return):  # what the pattern found is what XML says
        with mock.patch.object(workbook_cells, "_usual_cells", lambda *_: None):
            try:
                assert workbook_reader.read_workbook(content, FORM) == found
            except RefusedReturnError as refused:  # the damage is outside of the cells
                assert refused.refusal.reason == "corrupt"
                part = inspect(content).sheet(tab)  # the cells alone are sound XML
                start = part.index(b"<sheetData")
                ElementTree.fromstring(part[start : part.index(b"</sheetData>", start) + 12])  # noqa: S314


SNIPPETS = (
    *(b"<c", b"</c>", b"<row>", b"</row>", b"<v>", b"</v>", b"<f>1</f>", b"<is>", b"<t>", b"</sheetData>"),
    *(
        b' r="A1"',
        b' r="XFD1048576"',
        b' r="A99999999999"',
        b' r="ZZZZ1"',
        b' r="1"',
        b' t="s"',
        b' t="e"',
        b' t="d"',
    ),
    *(
        b' t="b"',
        b' t="str"',
        b"&amp;",
        b"&#0;",
        b"&#xD800;",
        b"&x;",
        b"<![CDATA[",
        b"]]>",
        b"<!--",
        b"-->",
        b"\xff\xfe",
    ),
    *(
        b"<mergeCells><mergeCell ref='C4:D9'/></mergeCells>",
        b"999999999999999999999",
        b"-1",
        b"1e400",
        b"NaN",
    ),
)


@fuzzed
@given(
    name=st.sampled_from(PARTS), content=st.one_of(st.none(), st.binary(max_size=2048)), flip=st.booleans()
)
def test_a_part_replaced_or_gone(pool: Any, name: str, content: bytes | None, flip: bool) -> None:
    if content is None:
        _read(pool, repacked(GOOD, {name: None}))
    else:
        _read(
            pool, repacked(GOOD, {name: lambda part: (part[: len(part) // 2] + content) if flip else content})
        )


@fuzzed
@given(
    kind=st.sampled_from(["boolean", "choice", "integer", "decimal", "amount"]),
    attribute=st.sampled_from(
        ["", ' t="s"', ' t="n"', ' t="b"', ' t="d"', ' t="e"', ' t="str"', ' t="inlineStr"', ' t="?"']
    ),
    value=st.one_of(st.text(max_size=40), st.floats().map(str), st.integers().map(str), st.dates().map(str)),
)
def test_any_value_in_a_cell(pool: Any, kind: str, attribute: str, value: str) -> None:
    from xml.sax.saxutils import escape

    told = escape("".join(sign for sign in value if sign.isprintable())).replace("\\", "\\\\")
    inner = f"<is><t>{told}</t></is>" if "inline" in attribute else f"<v>{told}</v>"
    tab, cell = place_of(kind)
    _read(pool, with_cell(GOOD, tab, cell, f"{attribute}>{inner}</c>"))


@fuzzed
@given(seed=st.integers(0, 2**32))
def test_the_directory_of_the_zip_changed(pool: Any, seed: int) -> None:
    """Sizes, offsets, methods and flags of the directory and of the local headers, where parsers differ."""
    generator, changed = random.Random(seed), bytearray(GOOD)
    signatures = [
        at
        for at in range(len(GOOD) - 4)
        if GOOD[at : at + 4] in (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06")
    ]
    for _ in range(generator.randrange(1, 4)):
        at = generator.choice(signatures) + generator.randrange(4, 46)
        if at < len(changed):
            changed[at] = generator.choice([0, 1, 8, 0x7F, 0x80, 0xFF, generator.randrange(256)])
    _read(pool, bytes(changed))


@fuzzed
@given(size=st.integers(0, 30_000_000), level=st.integers(1, 9))
def test_parts_of_any_size(pool: Any, size: int, level: int) -> None:
    out = io.BytesIO(GOOD)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED, compresslevel=level) as package:
        package.writestr(
            "xl/extra.xml",
            b"<a>" + bytes(size).replace(b"\0", b" ") + b"</a>" if size < 200_000 else bytes(size),
        )
    _read(pool, out.getvalue())


def test_a_mutation_is_never_accepted_when_a_checksum_is_wrong() -> None:
    """The inspection itself must see it: the library is never asked."""
    package = inspect(GOOD)
    for name in ("xl/workbook.xml", "xl/styles.xml"):
        with zipfile.ZipFile(io.BytesIO(GOOD)) as archive:
            assert zlib.crc32(package.parts[name]) == archive.getinfo(name).CRC
