"""The blank Excel questionnaire of a codebook: tabs, drop-downs, locked cells, and the hidden sheet.

How the workbook looks to the person who fills it in, in French; the cells of the questions are in
``workbook_layout``. openpyxl writes it: xlsxwriter takes 0.04 s instead of 0.16, but a blank is written once
a type of unit, and the demonstration needs openpyxl anyway.
"""

import io
import re
import zipfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from asco_dagster.questionnaires import workbook_layout as at
from asco_dagster.questionnaires.questionnaire import load_questionnaire
from asco_dagster.questionnaires.questions import Codebook, Module, Question
from asco_dagster.waves import Wave
from asco_dagster.waves.form import UnitType

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

CORE_PROPERTIES = "docProps/core.xml"
CONTACT_LABELS = {
    "CONTACT_NAME": "Nom de la personne qui répond",
    "CONTACT_PHONE": "Téléphone",
    "CONTACT_EMAIL": "Adresse électronique",
}
UNITS = {
    "eur": "en euros",
    "fte": "en équivalents temps plein",
    "person": "en personnes",
    "household": "en ménages",
    "establishment": "en établissements",
    "place": "en places",
    "file": "en dossiers",
    "year": "année",
}
_WHO = {"commune": "Questionnaire des communes", "epci": "Questionnaire des intercommunalités"}
_INSTRUCTIONS = (
    "Répondez dans les cellules jaunes ; les autres sont verrouillées.",
    "Pour les questions fermées, choisissez une réponse dans la liste déroulante.",
    "Donnez les nombres en chiffres, sans espace, sans unité et sans formule.",
    "Une question précédée de « si » ne se pose que si la question nommée a reçu la réponse « Oui ».",
    "Laissez vide ce que vous ne savez pas : un zéro est une réponse.",
    "Ne renommez, ne déplacez et ne supprimez aucun onglet, aucune ligne et aucune colonne.",
    "Vos coordonnées ne servent qu'à vous joindre : elles ne sont conservées dans aucune base.",
)
_WIDTHS = {"A": 26, "B": 78, "C": 22, "D": 44}
_LIST_COLUMN = 4  # first column of the drop-downs' lists in the hidden sheet
_MOMENT = re.compile(r"(<dcterms:(?:created|modified)[^>]*>)[^<]*(<)")
_NEVER = "2000-01-01T00:00:00Z"  # no clock in a blank: written twice, the bytes are the same
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can hold


def build_workbook(wave: Wave, unit_type: UnitType, unit_code: str | None = None) -> bytes:
    """Write the blank questionnaire.

    Args:
        wave: the wave, whose codebook of that type of unit is printed.
        unit_type: who answers.
        unit_code: INSEE code or SIREN of the unit that it is for; None leaves it open.

    Returns:
        The xlsx file; the same arguments give the same bytes.
    """
    from openpyxl import Workbook

    questionnaire = load_questionnaire(wave.questionnaire)
    codebook, name = questionnaire.codebooks[unit_type], questionnaire.identifier(unit_type)
    book = Workbook()
    book.remove(book.active)
    meta = (codebook.version, unit_type, unit_code, wave.wave, name)
    lists = _meta_sheet(book, codebook, meta)
    _cover(book.create_sheet(at.COVER_TAB), codebook, wave.wave, unit_code)
    _instructions(book.create_sheet(at.INSTRUCTIONS_TAB), codebook)
    _contact(book.create_sheet(at.CONTACT_TAB), codebook)
    for module in codebook.modules:
        _module(book.create_sheet(module.tab or module.code), module, lists)
    _protect(book)
    return _bytes(book)


def _meta_sheet(book: "Workbook", codebook: Codebook, values: Sequence[str | None]) -> dict[str, str]:
    """Write the hidden sheet; gives the range of each drop-down's list by question."""
    from openpyxl.utils import get_column_letter

    sheet = book.create_sheet(at.META_SHEET)
    sheet.sheet_state = "veryHidden"
    for row, (name, value) in enumerate(zip(at.META_NAMES, values, strict=True), 1):
        sheet.cell(row, 1, name)
        sheet.cell(row, 2, value).number_format = "@"
    columns: dict[tuple[str, ...], str] = {}
    ranges = {}
    for question in codebook.questions:
        words = tuple(at.words(question))
        if words and words not in columns:
            column = _LIST_COLUMN + len(columns)
            for row, word in enumerate(words, 1):
                sheet.cell(row, column, word)
            letter = get_column_letter(column)
            columns[words] = f"'{at.META_SHEET}'!${letter}$1:${letter}${len(words)}"
        if words:
            ranges[question.code] = columns[words]
    return ranges


def _cover(sheet: "Worksheet", codebook: Codebook, wave: str, unit_code: str | None) -> None:
    lines = (
        (f"Action sociale des communes et intercommunalités, {wave}", None),
        (_WHO[codebook.questionnaire], None),
        ("Version du questionnaire", codebook.version),
        ("Code de l'unité", unit_code),
    )
    for row, (label, value) in enumerate(lines, 2):
        sheet.cell(row, at.LABEL_COLUMN, label).style = "Headline 1" if row == 2 else "Normal"
        if value is not None:
            sheet.cell(row, at.ANSWER_COLUMN, value).number_format = "@"
    _widen(sheet)


def _instructions(sheet: "Worksheet", codebook: Codebook) -> None:
    sheet.cell(1, at.LABEL_COLUMN, "Comment répondre").style = "Headline 1"
    texts = [*_INSTRUCTIONS, *([codebook.provenance.fr] if codebook.provenance else [])]
    for row, text in enumerate(texts, at.HEADER_ROW):
        _wrapped(sheet, row, at.LABEL_COLUMN, text)
    _widen(sheet)


def _contact(sheet: "Worksheet", codebook: Codebook) -> None:
    sheet.cell(1, at.LABEL_COLUMN, "Vos coordonnées").style = "Headline 1"
    for row, code in enumerate(codebook.contact, at.FIRST_ROW):
        sheet.cell(row, at.QUESTION_COLUMN, code)
        sheet.cell(row, at.LABEL_COLUMN, CONTACT_LABELS.get(code, code))
        _open(sheet.cell(row, at.ANSWER_COLUMN), "@")
    _widen(sheet)


def _module(sheet: "Worksheet", module: Module, lists: dict[str, str]) -> None:
    sheet.cell(1, at.LABEL_COLUMN, module.label.fr).style = "Headline 1"
    for column, title in enumerate(("Code", "Question", "Réponse", "Précision"), 1):
        sheet.cell(at.HEADER_ROW, column, title).style = "Headline 3"
    for row, question in enumerate(module.questions, at.FIRST_ROW):
        sheet.cell(row, at.QUESTION_COLUMN, question.code)
        _wrapped(sheet, row, at.LABEL_COLUMN, question.label.fr)
        _wrapped(sheet, row, at.NOTE_COLUMN, _note(question))
        _open(sheet.cell(row, at.ANSWER_COLUMN), "General" if question.type != "amount" else "#,##0.00")
        validation = _validation(question, lists)
        if validation is not None:
            validation.add(sheet.cell(row, at.ANSWER_COLUMN).coordinate)
            sheet.add_data_validation(validation)
    sheet.freeze_panes = sheet.cell(at.FIRST_ROW, at.ANSWER_COLUMN)
    _widen(sheet)


def _note(question: Question) -> str:
    """Filter and unit, as the person who answers reads them."""
    filtered = f"si « {at.YES} » à {question.asked_if}" if question.asked_if else ""
    return " ; ".join(part for part in (filtered, UNITS.get(question.unit or "", "")) if part)


def _validation(question: Question, lists: dict[str, str]) -> Any:
    """The rule by which the spreadsheet accepts an answer."""
    from openpyxl.worksheet.datavalidation import DataValidation

    common = {"allow_blank": True, "showErrorMessage": True, "errorTitle": "Réponse impossible"}
    if question.code in lists:
        error = "Choisissez une réponse dans la liste."
        return DataValidation(type="list", formula1=lists[question.code], error=error, **common)
    if question.range is None:
        return None
    low, high = (f"{bound:.15g}" for bound in question.range)
    kind, word = ("whole", "entier ") if question.type == "integer" else ("decimal", "")
    error = f"Donnez un nombre {word}de {low} à {high}."
    return DataValidation(type=kind, operator="between", formula1=low, formula2=high, error=error, **common)


def _open(cell: Any, number_format: str) -> None:
    """A cell to answer in: unlocked, yellow, framed."""
    from openpyxl.styles import Alignment, Border, PatternFill, Protection, Side

    thin = Side(style="thin", color="FF999999")
    cell.protection = Protection(locked=False)
    cell.fill = PatternFill("solid", fgColor="FFFFF6CC")
    cell.border = Border(left=thin, right=thin, top=thin, bottom=thin)
    cell.alignment = Alignment(vertical="top")
    cell.number_format = number_format


def _wrapped(sheet: "Worksheet", row: int, column: int, text: str) -> None:
    from openpyxl.styles import Alignment

    sheet.cell(row, column, text or None).alignment = Alignment(wrap_text=True, vertical="top")


def _widen(sheet: "Worksheet") -> None:
    for letter, width in _WIDTHS.items():
        sheet.column_dimensions[letter].width = width


def _protect(book: "Workbook") -> None:
    """Lock every cell but the answers, and the order and names of the tabs; without a password."""
    from openpyxl.workbook.protection import WorkbookProtection

    for sheet in book.worksheets:
        sheet.protection.sheet = True
        sheet.protection.formatColumns = False  # a column may be made wider to read it
        sheet.protection.formatRows = False
    book.security = WorkbookProtection(lockStructure=True)
    book.active = book.sheetnames.index(at.COVER_TAB)


def _bytes(book: "Workbook") -> bytes:
    """The file, without the moment at which openpyxl wrote it."""
    book.properties.creator = "asco_dagster"
    raw, fixed = io.BytesIO(), io.BytesIO()
    book.save(raw)
    with zipfile.ZipFile(raw) as written, zipfile.ZipFile(fixed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in written.namelist():
            content = written.read(name)
            if name == CORE_PROPERTIES:
                content = stamped(content.decode(), _NEVER).encode()
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)
    return fixed.getvalue()


def stamped(properties: str, moment: str) -> str:
    """The core properties of a workbook as if written at a moment (ISO 8601, UTC, ending in Z)."""
    return _MOMENT.sub(rf"\g<1>{moment}\g<2>", properties)
