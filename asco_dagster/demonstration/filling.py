"""Filled questionnaires, fast: the blank one is made once, and each return is the blank with its cells set.

A library that opens and saves each workbook needs about 0.2 s for it; this needs 2 ms, so one core is enough,
and the bytes depend on the answers alone.
"""

import datetime as dt
import io
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from asco_dagster.questionnaires import workbook_layout as at
from asco_dagster.questionnaires.questionnaire import load_questionnaire
from asco_dagster.questionnaires.questions import Codebook
from asco_dagster.questionnaires.workbook import CORE_PROPERTIES, build_workbook, stamped
from asco_dagster.waves import Wave
from asco_dagster.waves.form import UnitType

UNIT_CODE = "unit_code"
_LETTERS = "ABCD"
# What openpyxl writes for a cell that has a style and no value, for a sheet's name, and for its file.
_EMPTY = re.compile(r'<c r="([A-Z]+[0-9]+)"( s="[0-9]+")? t="n" />')
_SHEET = re.compile(r'<sheet [^>]*name="([^"]*)"[^>]*r:id="([^"]*)"')
_TARGET = re.compile(r'<Relationship [^>]*Target="/?([^"]*)"[^>]*Id="([^"]*)"')


@dataclass(frozen=True)
class Return:
    """What one unit sends back.

    Attributes:
        unit_code: INSEE code or SIREN.
        moment: when it was saved, ISO 8601 to the second, without a zone.
        answers: stored value of each question answered: ``1`` and ``0``, the code of a choice, a number with
            a point.
        contact: contact details, by column name.
    """

    unit_code: str
    moment: str
    answers: Mapping[str, str]
    contact: Mapping[str, str]


class Form:
    """The blank questionnaire of a wave, cut at the cells that a return fills.

    Args:
        wave: the wave.
        unit_type: who answers.

    Raises:
        ValueError: the blank lacks a cell that the layout names.
    """

    def __init__(self, wave: Wave, unit_type: UnitType) -> None:
        codebook = load_questionnaire(wave.questionnaire).codebooks[unit_type]
        self._words = {
            question.code: {value: escape(word) for word, value in at.words(question).items()}
            for question in codebook.questions
        }
        self._plain: dict[str, bytes] = {}
        self._cut: dict[str, list[str]] = {}
        cells = _cells(codebook)
        with zipfile.ZipFile(io.BytesIO(build_workbook(wave, unit_type))) as archive:
            tabs = _tabs(archive)
            self._names = archive.namelist()
            for name in self._names:
                content = archive.read(name)
                if tabs.get(name) in cells:
                    self._cut[name] = _cut(content.decode(), cells[tabs[name]])
                else:
                    self._plain[name] = content
        self._properties = self._plain[CORE_PROPERTIES].decode()

    def fill(self, returned: Return) -> bytes:
        """The workbook of one return."""
        values = {code: _text(escape(text)) for code, text in returned.contact.items()}
        values |= {code: self._cell(code, value) for code, value in returned.answers.items()}
        values[UNIT_CODE] = _text(returned.unit_code)
        buffer, moment = io.BytesIO(), zip_moment(returned.moment)
        with zipfile.ZipFile(buffer, "w") as archive:
            for name in self._names:
                if name == CORE_PROPERTIES:
                    content = stamped(self._properties, f"{returned.moment}Z").encode()
                elif name in self._cut:
                    content = _joined(self._cut[name], values)
                else:
                    content = self._plain[name]
                archive.writestr(zipfile.ZipInfo(name, moment), content, zipfile.ZIP_DEFLATED, 6)
        return buffer.getvalue()

    def _cell(self, code: str, value: str) -> str:
        words = self._words[code]
        return _text(words[value]) if words else f"><v>{value}</v></c>"


def write_workbooks(path: Path, returns: Iterable[Return], wave: Wave, unit_type: UnitType) -> int:
    """Write the zip of filled workbooks, one a return, named by the code of its unit.

    Args:
        path: the zip to write.
        returns: the returns, in the order of the zip.
        wave: the wave.
        unit_type: who answers.

    Returns:
        Number of workbooks.
    """
    form, count = Form(wave, unit_type), 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:  # workbooks are compressed already
        for returned in returns:
            name = f"asco-{wave.wave}-{unit_type}-{returned.unit_code}.xlsx"
            entry = zipfile.ZipInfo(name, zip_moment(returned.moment))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, form.fill(returned))
            count += 1
    return count


def zip_moment(moment: str) -> tuple[int, int, int, int, int, int]:
    """An ISO moment as a zip holds it (to two seconds)."""
    when = dt.datetime.fromisoformat(moment)
    return (when.year, when.month, when.day, when.hour, when.minute, when.second)


def _cells(codebook: Codebook) -> dict[str, dict[str, str]]:
    """By tab, what each cell to fill holds, by coordinate."""
    cells: dict[str, dict[str, str]] = {at.META_SHEET: {f"B{at.META_NAMES.index(UNIT_CODE) + 1}": UNIT_CODE}}
    for place in at.layout(codebook):
        cells.setdefault(place.tab, {})[f"{_LETTERS[place.column - 1]}{place.row}"] = place.question
    letter = _LETTERS[at.ANSWER_COLUMN - 1]
    cells[at.CONTACT_TAB] = {f"{letter}{at.FIRST_ROW + n}": code for n, code in enumerate(codebook.contact)}
    return cells


def _tabs(archive: zipfile.ZipFile) -> dict[str, str]:
    """Tab of each sheet's member."""
    relations = archive.read("xl/_rels/workbook.xml.rels").decode()
    targets = {key: target for target, key in _TARGET.findall(relations)}
    return {targets[key]: name for name, key in _SHEET.findall(archive.read("xl/workbook.xml").decode())}


def _cut(sheet: str, keys: Mapping[str, str]) -> list[str]:
    """The sheet in pieces: text up to and with the cell's style, what fills it, text, and so on."""
    pieces: list[str] = []
    end = 0
    found = set()
    for match in _EMPTY.finditer(sheet):
        if match[1] in keys:
            pieces += [f'{sheet[end : match.start()]}<c r="{match[1]}"{match[2] or ""}', keys[match[1]]]
            found.add(match[1])
            end = match.end()
    if found != set(keys):
        raise ValueError(f"the blank lacks the cells {sorted(set(keys) - found)}")
    return [*pieces, sheet[end:]]


def _joined(pieces: list[str], values: Mapping[str, str]) -> bytes:
    """The sheet with its cells set; ``pieces`` as :func:`_cut` gives them."""
    filled = list(pieces)
    filled[1::2] = [values.get(key, "/>") for key in pieces[1::2]]
    return "".join(filled).encode()


def _text(escaped: str) -> str:
    """The rest of a cell that holds a text."""
    return f' t="inlineStr"><is><t>{escaped}</t></is></c>'
