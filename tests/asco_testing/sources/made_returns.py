"""Filled questionnaires for the tests, and the tools to break them: parts of the zip, cells of a tab."""

import datetime as dt
import io
import re
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from asco_dagster.demonstration.filling import Form, Return
from asco_dagster.questionnaires.questionnaire import load_questionnaire
from asco_dagster.questionnaires.questions import Codebook
from asco_dagster.questionnaires.workbook_layout import layout
from asco_dagster.sources.returns.quarantine import Quarantine
from asco_dagster.sources.returns.reading import Delivered, Returns, read_returns
from asco_dagster.sources.returns.settling import Window
from asco_dagster.waves import load_wave

UNIT, OTHER_UNIT, STRANGER = "01001", "2A004", "75056"
SAMPLED = {("commune", UNIT), ("commune", OTHER_UNIT), ("commune", "01002"), ("epci", "200000172")}
ANY_DAY = Window(dt.date(2014, 1, 1), dt.date(2033, 12, 31))
PHONE = "01 99 00 12 34"
Change = Callable[[bytes], bytes]


def codebook(unit_type: str = "commune") -> Codebook:
    return load_questionnaire(load_wave("2014").questionnaire).codebooks[unit_type]


@cache
def form(unit_type: str = "commune") -> Form:
    return Form(load_wave("2014"), unit_type)


def answers(unit_type: str = "commune", *, share: float = 1.0) -> dict[str, str]:
    """The first questions up to a share of them, each with an answer."""
    questions = codebook(unit_type).questions
    given = {}
    for question in questions[: max(1, round(len(questions) * share))]:
        if question.type == "boolean":
            given[question.code] = "1"
        elif question.type == "choice":
            given[question.code] = question.choices[0].code
        else:
            given[question.code] = "12" if question.type == "integer" else "1234.5"
    return given


def workbook(
    unit: str = UNIT,
    moment: str = "2015-10-02T08:00:00",
    *,
    share: float = 1.0,
    unit_type: str = "commune",
    given: dict[str, str] | None = None,
) -> bytes:
    contact = dict.fromkeys(codebook(unit_type).contact, PHONE)
    told = answers(unit_type, share=share) if given is None else given
    return form(unit_type).fill(Return(unit, moment, told, contact))


def place_of(kind: str, unit_type: str = "commune") -> tuple[str, str]:
    """Tab and cell of the first question of a type."""
    of_type = {question.code: question.type for question in codebook(unit_type).questions}
    place = next(place for place in layout(codebook(unit_type)) if of_type[place.question] == kind)
    return place.tab, f"C{place.row}"


def part_of(content: bytes, tab: str) -> str:
    """Name of the part that holds a tab."""
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        book = package.read("xl/workbook.xml").decode()
        relations = package.read("xl/_rels/workbook.xml.rels").decode()
    key = re.search(rf'<sheet [^>]*name="{re.escape(tab)}"[^>]*r:id="([^"]+)"', book)[1]
    for relation in re.findall(r"<Relationship [^>]*>", relations):
        if f'Id="{key}"' in relation:
            return re.search(r'Target="/?(?:xl/)?([^"]+)"', relation)[1].join(("xl/", ""))
    raise AssertionError(tab)


def repacked(
    content: bytes,
    changes: dict[str, Change | None] | None = None,
    *,
    added: dict[str, bytes] | None = None,
) -> bytes:
    """The workbook with parts changed (left out where the change is None) and others added."""
    changes, out = changes or {}, io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            change = changes.get(name, lambda part: part)
            if change is not None:
                new.writestr(name, change(old.read(name)))
        for name, part in (added or {}).items():
            new.writestr(name, part)
    return out.getvalue()


def with_tab(content: bytes, tab: str, change: Change) -> bytes:
    """The workbook with the XML of one tab changed."""
    return repacked(content, {part_of(content, tab): change})


def with_cell(content: bytes, tab: str, cell: str, rest: str) -> bytes:
    """The workbook with one cell set: ``rest`` is what follows ``<c r="C4" s="1"``."""

    def change(part: bytes) -> bytes:
        pattern = rf'(<c r="{cell}"(?: s="[0-9]+")?)(?:[^>]*/>|.*?</c>)'
        changed, count = re.subn(pattern.encode(), rf"\g<1>{rest}".encode(), part, count=1)
        assert count == 1, cell
        return changed

    return with_tab(content, tab, change)


def text(value: str) -> str:
    return f' t="inlineStr"><is><t>{value}</t></is></c>'


def zipped(path: Path, files: dict[str, bytes], *, stored: bool = True) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, (2015, 11, 3, 10, 0, 0))
            archive.writestr(entry, content, archive.compression)
    return path


def read(
    path: Path | list[Delivered],
    quarantine: Path | None = None,
    *,
    sampled: set[tuple[str, str]] | None = SAMPLED,
    collection: Window | None = None,
    unit_types: tuple[str, ...] = ("commune",),
    workers: int = 2,
) -> Returns:
    return read_returns(
        [Delivered(path)] if isinstance(path, Path) else path,
        codebooks={unit_type: codebook(unit_type) for unit_type in unit_types},
        wave="2014",
        sampled=sampled,
        collection=collection or ANY_DAY,
        workers=workers,
        quarantine=None if quarantine is None else Quarantine(quarantine),
    )
