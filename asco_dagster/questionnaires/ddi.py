"""A questionnaire as DDI Codebook 2.5, the form in which statistical archives describe a survey's variables.

One study description and one variable a question, in French and English; no frequencies, which are
confidential. Elements are in the order that the schema of DDI 2.5 requires; no package at hand ships that
schema, so a test checks the structure against its tag library.
"""

import xml.etree.ElementTree as ET
from typing import Any

from asco_dagster.questionnaires.questionnaire import load_questionnaire
from asco_dagster.questionnaires.questions import Codebook, Question
from asco_dagster.questionnaires.workbook_layout import NO, YES
from asco_dagster.waves import Wave
from asco_dagster.waves.form import Text, UnitType

NAMESPACE = "ddi:codebook:2_5"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_UNIVERSE = {
    "commune": Text(fr="Communes de l'échantillon", en="Communes of the sample"),
    "epci": Text(
        fr="EPCI à fiscalité propre de l'échantillon", en="Sampled EPCI with own-source tax revenue"
    ),
}
_YES_NO = (("1", Text(fr=YES, en="Yes")), ("0", Text(fr=NO, en="No")))


def ddi_codebook(wave: Wave, unit_type: UnitType) -> bytes:
    """Describe a questionnaire.

    Args:
        wave: the wave.
        unit_type: who answers.

    Returns:
        The XML document, UTF-8; the same codebook and wave give the same bytes.
    """
    questionnaire = load_questionnaire(wave.questionnaire)
    codebook, name = questionnaire.codebooks[unit_type], questionnaire.identifier(unit_type)
    root = ET.Element("codeBook", {"xmlns": NAMESPACE, "version": "2.5", "ID": name})
    _study(ET.SubElement(root, "stdyDscr"), wave, codebook)
    data = ET.SubElement(root, "dataDscr")
    for module in codebook.modules:
        variables = " ".join(question.code for question in module.questions)
        group = ET.SubElement(data, "varGrp", {"ID": f"MODULE_{module.code}", "var": variables})
        _both(group, "labl", module.label)
        if module.source:
            _text(group, "txt", module.source, "fr")
    asked = {question.code: question for question in codebook.questions}
    for question in codebook.questions:
        _variable(data, question, asked, codebook)
    ET.indent(root)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _study(study: ET.Element, wave: Wave, codebook: Codebook) -> None:
    citation = ET.SubElement(study, "citation")
    titles = ET.SubElement(citation, "titlStmt")
    _text(titles, "titl", f"{wave.label.fr} ({_UNIVERSE[codebook.questionnaire].fr})", "fr")
    _text(titles, "parTitl", f"{wave.label.en} ({_UNIVERSE[codebook.questionnaire].en})", "en")
    ET.SubElement(ET.SubElement(citation, "prodStmt"), "producer").text = wave.release.contact
    version = ET.SubElement(ET.SubElement(citation, "verStmt"), "version")
    version.text = codebook.version
    information = ET.SubElement(study, "stdyInfo")
    if codebook.provenance:
        _both(information, "abstract", codebook.provenance)
    summary = ET.SubElement(information, "sumDscr")
    ET.SubElement(summary, "timePrd", {"event": "single", "date": str(wave.reference_year)})
    for event, day in (("start", wave.collection.start), ("end", wave.collection.end)):
        ET.SubElement(summary, "collDate", {"event": event, "date": day.isoformat()})
    _text(summary, "nation", "France", "fr")
    _both(summary, "universe", _UNIVERSE[codebook.questionnaire])
    collection = ET.SubElement(ET.SubElement(study, "method"), "dataColl")
    for edit in codebook.edits:
        sentence = f"{edit.code} ({edit.severity}, {edit.rule}): {edit.label.en}"
        _text(collection, "cleanOps", sentence, "en")


def _variable(data: ET.Element, question: Question, asked: dict[str, Question], codebook: Codebook) -> None:
    closed = question.type in ("boolean", "choice")
    attributes = {"ID": question.code, "name": question.code, "intrvl": "discrete" if closed else "contin"}
    if question.unit:
        attributes["measUnit"] = question.unit
    variable = ET.SubElement(data, "var", attributes)
    _both(variable, "labl", question.label)
    _text(ET.SubElement(variable, "qstn"), "qstnLit", question.label.fr, "fr")
    if question.range is not None:
        low, high = (f"{bound:.15g}" for bound in question.range)
        ET.SubElement(ET.SubElement(variable, "valrng"), "range", {"min": low, "max": high})
    _both(variable, "universe", _universe(question, asked, codebook))
    choices: Any = [(choice.code, choice.label) for choice in question.choices]
    for code, label in choices or (_YES_NO if question.type == "boolean" else ()):
        category = ET.SubElement(variable, "catgry")
        ET.SubElement(category, "catValu").text = code
        _both(category, "labl", label)
    ET.SubElement(variable, "varFormat", {"type": "character" if question.type == "choice" else "numeric"})


def _universe(question: Question, asked: dict[str, Question], codebook: Codebook) -> Text:
    """Who is asked."""
    universe = _UNIVERSE[codebook.questionnaire]
    if question.asked_if is None:
        return universe
    above = asked[question.asked_if].label
    return Text(
        fr=f"{universe.fr} ayant répondu « {YES} » à {question.asked_if} ({above.fr})",
        en=f"{universe.en} that answered yes to {question.asked_if} ({above.en})",
    )


def _both(parent: ET.Element, tag: str, label: Text) -> None:
    _text(parent, tag, label.fr, "fr")
    _text(parent, tag, label.en, "en")


def _text(parent: ET.Element, tag: str, text: str, language: str) -> None:
    ET.SubElement(parent, tag, {_LANGUAGE: language}).text = text
