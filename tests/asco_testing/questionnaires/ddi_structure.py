"""The structure that DDI Codebook 2.5 allows, for the elements used here; after its schema and tag library.

No package index at hand ships the schema itself (looked for in PyPI, npm and Debian), so this table is used
in its place: children in their order, how often each may occur, attributes, and what refers to what. It is
nowhere laxer than the published ``codebook.xsd`` for ``stdyDscr``, ``stdyInfo``, ``sumDscr``, ``verStmt``,
``varGrp``, ``var``, ``valrng`` and ``varFormat``, which were compared with it line by line.
"""

import re
import xml.etree.ElementTree as ET

NAMESPACE = "{ddi:codebook:2_5}"
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
GLOBAL = {"ID", LANGUAGE}
_NCNAME = re.compile(r"[A-Za-z_][\w.-]*")

# As the schema has it: ``?`` at most one, ``*`` any number, ``+`` at least one, nothing exactly one.
CHILDREN = {
    "codeBook": "docDscr* stdyDscr fileDscr* dataDscr* otherMat*",
    "stdyDscr": "citation studyAuthorization? stdyInfo* studyDevelopment? method* dataAccs* othrStdyMat*",
    "citation": "titlStmt rspStmt? prodStmt? distStmt? serStmt* verStmt* biblCit* holdings* notes*",
    "titlStmt": "titl subTitl* altTitl* parTitl* IDNo*",
    "prodStmt": "producer* copyright? prodDate* prodPlac* software* fundAg* grantNo*",
    "verStmt": "version? verResp? notes*",
    "stdyInfo": "studyBudget? subject? abstract* sumDscr* qualityStatement? notes* exPostEvaluation*",
    "sumDscr": (
        "timePrd* collDate* nation* geogCover* geogUnit* geoBndBox? boundPoly* anlyUnit* universe* dataKind*"
    ),
    "method": "dataColl* notes* anlyInfo? stdyClas* dataProcessing* codingInstructions*",
    "dataColl": (
        "timeMeth* dataCollector* collectorTraining* frequenc* sampProc* sampleFrame* targetSampleSize*"
        " deviat* collMode* resInstru* instrumentDevelopment* sources? collSitu* actMin* ConOps* weight*"
        " cleanOps*"
    ),
    "dataDscr": "varGrp* nCubeGrp* var* nCube* notes*",
    "varGrp": "labl* txt* concept* defntn? universe? notes*",
    "var": (
        "location* labl* imputation? security? embargo? respUnit? anlysUnit? qstn* valrng* invalrng*"
        " undocCod* universe* TotlResp? sumStat* txt* stdCatgry* catgryGrp* catgry* codInstr* verStmt*"
        " concept* derivation? varFormat? geoMap* catLevel* notes*"
    ),
    "qstn": "preQTxt* qstnLit* postQTxt* forward* backward* ivuInstr*",
    "valrng": "range+ key? notes*",
    "catgry": "catValu? labl* txt* catStat* mrow?",
}
REQUIRED = {("var", "name")}
ATTRIBUTES = {
    "codeBook": {"version"},
    "timePrd": {"event", "date", "cycle"},
    "collDate": {"event", "date", "cycle"},
    "varGrp": {"type", "otherType", "var", "varGrp", "name", "access", "nCube"},
    "var": {"name", "files", "vendor", "dcml", "intrvl", "measUnit", "scale", "nature", "temporal", "geog"},
    "range": {"UNITS", "min", "minExclusive", "max", "maxExclusive"},
    "catgry": {"missing", "missType", "country", "catgry", "level"},
    "varFormat": {"type", "formatname", "schema", "category", "URI"},
}
VALUES = {
    ("var", "intrvl"): {"contin", "discrete"},
    ("varFormat", "type"): {"numeric", "character"},
    ("timePrd", "event"): {"start", "end", "single"},
    ("collDate", "event"): {"start", "end", "single"},
}


def faults(root: ET.Element) -> list[str]:
    """Every place where a document departs from the table."""
    found: list[str] = []
    ids = [element.get("ID", "") for element in root.iter() if element.get("ID") is not None]
    found += [f"ID {name} twice" for name in set(ids) if ids.count(name) > 1]
    found += [f"ID {name} is no name" for name in ids if not _NCNAME.fullmatch(name)]
    for element in root.iter():
        tag = element.tag.removeprefix(NAMESPACE)
        found += _misplaced(element, tag)
        for name, value in element.attrib.items():
            if name not in ATTRIBUTES.get(tag, set()) | GLOBAL:
                found.append(f"{tag} has no attribute {name}")
            if value not in VALUES.get((tag, name), {value}):
                found.append(f"{tag} {name} cannot be {value}")
        found += [
            f"{tag} lacks {name}" for owner, name in REQUIRED if owner == tag and name not in element.attrib
        ]
        if tag == "varGrp":
            found += [f"varGrp names {name}" for name in element.get("var", "").split() if name not in ids]
        if tag not in CHILDREN and not (element.text or "").strip() and not element.attrib:
            found.append(f"{tag} is empty")
    return found


def _misplaced(element: ET.Element, tag: str) -> list[str]:
    children = [child.tag.removeprefix(NAMESPACE) for child in element]
    if tag not in CHILDREN:
        return [f"{tag} holds {child}" for child in children]
    pattern = "".join(
        rf"(?:{one.rstrip('?*+')} ){'' if one[-1] not in '?*+' else one[-1]}" for one in CHILDREN[tag].split()
    )
    found = "".join(f"{child} " for child in children)
    return [] if re.fullmatch(pattern, found) else [f"{tag} holds {found}"]
