"""The workbook of a release: contents, notes, and one sheet per thematic table, in the form of the DREES.

XlsxWriter writes it: the same calls give the same bytes (its zip carries no date but the one given), and it
holds no formula, so no value is cached beside what a cell shows. Which number is where: ``layout``.
"""

import datetime as dt
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asco_dagster.releases.content import Content
from asco_dagster.releases.contract import CELLS, ReleasedFile, contract_of
from asco_dagster.releases.format import ContentFormat, Media, ReleaseFolder
from asco_dagster.releases.formats.workbook.layout import SHARES, UNITS, Thematic, Value, thematic_tables

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

PATH = "tables/asco_tables.xlsx"
SUPPRESSED = "s"
ABSENT = "–"
_NEVER = dt.datetime(2000, 1, 1)  # a fixed mark, no moment
_FRENCH = "[$-40C]"  # numbers show as in France, whatever the reader's language
_MARKS = {"low_precision": "\N{NO-BREAK SPACE}¹", "unreliable": "\N{NO-BREAK SPACE}²"}
LEGEND = (
    ("s", "Valeur couverte par le secret statistique.", "Suppressed: statistical confidentiality."),
    ("–", "Sans objet ou aucun répondant.", "Not applicable, or no respondent."),
    ("¹", "Précision faible.", "Low precision."),
    ("²", "Peu fiable : à ne pas commenter.", "Unreliable: not to be commented on."),
)
FIRST_ROW = 5  # of the numbers, counted from 0: title twice, unit, an empty row, the headings


def write(content: Content, folder: Path) -> list[ReleasedFile]:
    """Write the workbook."""
    from xlsxwriter import Workbook

    tables = thematic_tables(content)
    raw = io.BytesIO()
    with Workbook(raw, {"in_memory": True}) as book:
        book.set_properties(
            {
                "title": content.wave.release.title.fr,
                "author": content.wave.release.contact,
                "created": _NEVER,
            }
        )
        formats = _formats(book)
        _contents(book.add_worksheet("Sommaire"), content, tables, formats)
        _notes(book.add_worksheet("Notes"), content, formats)
        for table in tables:
            _sheet(book.add_worksheet(table.name), table, content, formats)
    (folder / PATH).parent.mkdir(parents=True, exist_ok=True)
    (folder / PATH).write_bytes(raw.getvalue())
    return [ReleasedFile(PATH)]


def _formats(book: "Workbook") -> dict[Any, Any]:
    formats: dict[Any, Any] = {
        "title": book.add_format({"bold": True, "font_size": 14}),
        "english": book.add_format({"italic": True, "font_color": "#595959"}),
        "head": book.add_format(
            {"bold": True, "text_wrap": True, "valign": "top", "bg_color": "#DDE6F2", "border": 1}
        ),
        "block": book.add_format({"bold": True, "bg_color": "#F2F2F2"}),
        "plain": book.add_format({"text_wrap": True, "valign": "top"}),
        "suppressed": book.add_format({"align": "right", "font_color": "#595959"}),
    }
    for kind, code in (("share", "0.0"), ("total", "#,##0")):
        for flag, mark in (("ok", ""), *_MARKS.items()):
            shown = f'{_FRENCH}{code}"{mark}"' if mark else f"{_FRENCH}{code}"
            formats[kind, flag] = book.add_format({"num_format": shown, "italic": bool(mark)})
    return formats


def _contents(
    sheet: "Worksheet", content: Content, tables: Sequence[Thematic], formats: dict[Any, Any]
) -> None:
    release = content.wave.release
    sheet.write_string(0, 0, release.title.fr, formats["title"])
    sheet.write_string(1, 0, release.title.en, formats["english"])
    sheet.write_string(3, 0, "Sommaire / Contents", formats["block"])
    sheet.write_url(4, 0, "internal:'Notes'!A1", string="Notes")
    sheet.write_string(4, 1, "Sources, champ, précision, secret statistique")
    sheet.write_string(4, 2, "Sources, coverage, precision, confidentiality", formats["english"])
    for row, table in enumerate(tables, 5):
        sheet.write_url(row, 0, f"internal:'{table.name}'!A1", string=table.name)
        sheet.write_string(row, 1, f"{table.title[0]}{_in(table.unit[0])}")
        sheet.write_string(row, 2, f"{table.title[1]}{_in(table.unit[1])}", formats["english"])
    sheet.set_column(0, 0, 12)
    sheet.set_column(1, 2, 80)


def _in(unit: str) -> str:
    return f" ({unit[0].lower()}{unit[1:]})" if unit else ""


def _notes(sheet: "Worksheet", content: Content, formats: dict[Any, Any]) -> None:
    sheet.write_string(0, 0, "Notes", formats["title"])
    for row, (name, text) in enumerate(notes(content), 2):
        sheet.write_string(row, 0, name, formats["head"])
        sheet.write_string(row, 1, text, formats["plain"])
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, 110)


def notes(content: Content) -> list[tuple[str, str]]:
    """What a reader must know, as pairs of heading and text, in French and English."""
    wave = content.wave
    precision = wave.precision
    days = f"{wave.collection.start:%d/%m/%Y} – {wave.collection.end:%d/%m/%Y}"
    return [
        ("Source", f"DREES, enquête ASCO : {wave.label.fr}."),
        ("Champ", "France, outre-mer compris ; communes et EPCI à fiscalité propre."),
        ("Coverage", "France with its overseas départements; communes and EPCI with own-source tax revenue."),
        ("Collecte / Collection", f"Année de référence {wave.reference_year} ; {days}."),
        ("Estimation", "Réponses pondérées : plan de sondage, non-réponse, calage sur marges."),
        ("Secret statistique",
         f"Aucune valeur n'est diffusée si elle repose sur moins de {wave.disclosure.minimum_respondents} "
         f"répondants, si un contributeur en représente plus de {100 * wave.disclosure.dominance_share:g} %, "
         "ou si elle permet d'en retrouver une autre."),
        ("Précision",
         f"¹ et ² suivent les seuils de la vague : un intervalle trop large (demi-largeur d'au moins "
         f"{_points(precision.half_width.low_precision)} ou {_points(precision.half_width.unreliable)} "
         f"points pour une part, coefficient de variation d'au moins {100 * precision.cv.low_precision:g} ou "
         f"{100 * precision.cv.unreliable:g} % pour un total), ou une taille efficace d'échantillon de moins "
         f"de {precision.effective_size.low_precision:g} ou {precision.effective_size.unreliable:g}."),
        *((sign, f"{fr} / {en}") for sign, fr, en in LEGEND),
        ("Lecture", "Une part de 72,0 signifie que 72,0 % des collectivités du champ répondent oui."),
        ("Contact", wave.release.contact),
        ("Licence", "Licence Ouverte 2.0 / Open Licence 2.0 (Etalab)"),
    ]  # fmt: skip


def _points(share: float) -> str:
    return f"{100 * share:g}".replace(".", ",")


def _sheet(sheet: "Worksheet", table: Thematic, content: Content, formats: dict[Any, Any]) -> None:
    sheet.write_string(0, 0, f"{table.name}. {table.title[0]}", formats["title"])
    sheet.write_string(1, 0, table.title[1], formats["english"])
    sheet.write_string(2, 0, " / ".join(part for part in table.unit if part))
    sheet.write_string(FIRST_ROW - 1, 0, "", formats["head"])
    for column, heading in enumerate(table.columns, 1):
        sheet.write_string(FIRST_ROW - 1, column, heading, formats["head"])
    kind = _kind_of(table.unit[0])
    row = FIRST_ROW
    for heading, values in table.rows:
        kind = kind if values else _kind_of(heading, kind)
        sheet.write_string(row, 0, heading, formats["plain"] if values else formats["block"])
        for column, value in enumerate(values, 1):
            _cell(sheet, row, column, value, kind, formats)
        row += 1
    _foot(sheet, row + 1, table, content, formats)
    sheet.freeze_panes(FIRST_ROW, 1)
    sheet.set_column(0, 0, 48)
    sheet.set_column(1, len(table.columns), 17)
    sheet.set_landscape()
    sheet.repeat_rows(FIRST_ROW - 1)


def _kind_of(unit: str, otherwise: str = "share") -> str:
    """Whether the numbers below a unit are shares or totals."""
    kinds = {fr: "share" if name in SHARES else "total" for name, (fr, _) in UNITS.items()}
    return kinds.get(unit, otherwise)


def _cell(
    sheet: "Worksheet", row: int, column: int, value: Value, kind: str, formats: dict[Any, Any]
) -> None:
    number, status, flag = value
    if status and status != "V":
        sheet.write_string(row, column, SUPPRESSED, formats["suppressed"])
    elif number is None:
        sheet.write_string(row, column, ABSENT, formats["suppressed"])
    else:
        shown = round(100 * number, 4) if kind == "share" else number
        sheet.write_number(row, column, shown, formats[kind, flag or "ok"])


def _foot(sheet: "Worksheet", row: int, table: Thematic, content: Content, formats: dict[Any, Any]) -> None:
    lines = [f"{sign} : {fr} / {en}" for sign, fr, en in LEGEND]
    who = content.label("unit_type", table.unit_type)
    lines += [
        f"Champ : {who}, France, outre-mer compris.",
        f"Source : DREES, ASCO {content.wave.wave} (année de référence {content.wave.reference_year}).",
    ]
    for line in lines:
        sheet.write_string(row, 0, line)
        row += 1
    sheet.write_url(row, 0, "internal:'Sommaire'!A1", string="Retour au sommaire")


def faults(file: str, release: ReleaseFolder) -> Iterator[str]:
    """Numbers of a thematic table that are no released estimate."""
    from python_calamine import CalamineWorkbook

    cells = release.rows(contract_of(CELLS))
    shown = cells[cells["estimate"].notna()]
    totals = shown["statistic"] == "total"
    known = {round(100 * share, 4) for share in shown.loc[~totals, "estimate"]}
    known |= set(shown.loc[totals, "estimate"])
    book = CalamineWorkbook.from_path(str(release.path / file))
    for name in book.sheet_names:
        found = {
            value
            for row in book.get_sheet_by_name(name).to_python()
            for value in row
            if isinstance(value, (int, float)) and not isinstance(value, bool)
        }
        if unknown := found - known:
            yield f"{file}: sheet {name} holds {len(unknown)} numbers that no released cell has."


FORMAT = ContentFormat(
    {PATH: Media("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "XLSX")}, faults, write
)
