"""SDMX 3.0: the structure of the cells (SDMX-JSON 2.0) and the cells themselves (SDMX-CSV 2.0).

One dataflow a wave. Confidentiality is coded as in SDMX's own list of codes (CL_CONF_STATUS): F free, C
confidential; by which rule is not public. Agency and identifiers are this project's own: no registry gave
them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asco_dagster.publication.content import Content
from asco_dagster.publication.metadata.documents import write_json
from asco_dagster.releases.contract import ReleasedFile

if TYPE_CHECKING:
    import pandas as pd

STRUCTURE = "sdmx/structure.json"
DATA = "sdmx/data.csv"
AGENCY, VERSION = "DREES", "1.0.0"
SCHEMA = (
    "https://raw.githubusercontent.com/sdmx-twg/sdmx-json/master/structure-message/tools/schemas/2.0.0/"
    "sdmx-json-structure-schema.json"
)
URN = "urn:sdmx:org.sdmx.infomodel"
AREA_PREFIX = {"france": "", "region": "REG_", "departement": "DEP_"}
CONFIDENTIALITY = {
    "V": ("F", "Libre de diffusion", "Free (free for publication)"),
    "c": ("C", "Information confidentielle", "Confidential statistical information"),
}
# Dimensions, measures and attributes: identifier, released column, French and English name.
DIMENSIONS = (
    ("UNIT_TYPE", "unit_type", "Type de collectivité", "Type of body"),
    ("INDICATOR", "indicator", "Indicateur", "Indicator"),
    ("STATISTIC", "statistic", "Statistique", "Statistic"),
    ("REF_AREA", "area_code", "Territoire", "Area"),
    ("SIZE_CLASS", "size_class", "Taille", "Size class"),
)
MEASURES = (
    ("OBS_VALUE", "estimate", "Estimation", "Estimate"),
    ("STANDARD_ERROR", "standard_error", "Erreur type", "Standard error"),
    ("CI_LOW", "ci_low", "Borne basse de l'intervalle à 95 %", "Lower bound of the 95 % interval"),
    ("CI_HIGH", "ci_high", "Borne haute de l'intervalle à 95 %", "Upper bound of the 95 % interval"),
    ("CV", "cv", "Coefficient de variation", "Coefficient of variation"),
    ("RESPONDENTS", "respondents", "Répondants", "Respondents"),
    ("WEIGHTED_UNITS", "weighted_units", "Unités pondérées", "Weighted units"),
    ("DENOMINATOR", "denominator", "Dénominateur", "Denominator"),
)
ATTRIBUTES = (
    ("CONF_STATUS", "status", "Statut de confidentialité", "Confidentiality status"),
    ("QUALITY_FLAG", "quality_flag", "Précision", "Precision"),
)
TIME = ("TIME_PERIOD", "", "Année de référence", "Reference year")


def write_sdmx(content: Content, folder: Path) -> list[ReleasedFile]:
    """Write the structure message and the data message."""
    rows = _observations(content)
    (folder / DATA).parent.mkdir(parents=True, exist_ok=True)
    (folder / DATA).write_bytes(rows.to_csv(index=False, lineterminator="\r\n").encode())
    return [write_json(folder, STRUCTURE, structure(content)), ReleasedFile(DATA, len(rows))]


def dataflow_id(content: Content) -> str:
    """Identifier of the wave's dataflow."""
    return f"ASCO_{content.wave.wave}"


def area_id(geography: str, code: str) -> str:
    """An area as one code: codes of régions and départements overlap."""
    return f"{AREA_PREFIX[geography]}{code}"


def _observations(content: Content) -> "pd.DataFrame":
    """The data message: one row a cell, suppressed ones with their status and without a number."""
    # integers with nulls stay integers
    cells = content.tables["asco_cells"].rows.to_pandas(integer_object_nulls=True)
    prefix = cells["geography"].map(AREA_PREFIX)
    free = {code: own for code, (own, *_) in CONFIDENTIALITY.items()}
    cells = cells.assign(area_code=prefix + cells["area_code"], status=cells["status"].map(free))
    columns = {name: cells[column] for name, column, *_ in DIMENSIONS}
    columns[TIME[0]] = content.wave.reference_year
    columns |= {name: cells[column] for name, column, *_ in (*MEASURES, *ATTRIBUTES)}
    rows = type(cells)(columns)
    rows.insert(0, "STRUCTURE", "dataflow")
    rows.insert(1, "STRUCTURE_ID", f"{AGENCY}:{dataflow_id(content)}({VERSION})")
    rows.insert(2, "ACTION", "I")
    return rows


def structure(content: Content) -> dict[str, Any]:
    """The structure message: concepts, code lists, data structure and dataflow."""
    wave = content.wave
    return {
        "meta": {
            "schema": SCHEMA,
            "id": f"ASCO_{wave.wave}_STRUCTURE",
            # a message must say when it was prepared; the end of collection, since no clock is released
            "prepared": f"{wave.collection.end.isoformat()}T00:00:00Z",
            "test": False,
            "contentLanguages": ["fr", "en"],
            "sender": {"id": AGENCY},
        },
        "data": {
            "conceptSchemes": [_concepts()],
            "codelists": [_codelist(name, codes) for name, codes in _codes(content).items()],
            "dataStructures": [_data_structure()],
            "dataflows": [
                {
                    **_maintained(dataflow_id(content), wave.release.title.fr, wave.release.title.en),
                    "structure": f"{URN}.datastructure.DataStructure={AGENCY}:DSD_ASCO({VERSION})",
                }
            ],
        },
    }


def _maintained(identifier: str, fr: str, en: str) -> dict[str, Any]:
    return {"id": identifier, "agencyID": AGENCY, "version": VERSION, **_named(fr, en)}


def _named(fr: str, en: str) -> dict[str, Any]:
    return {"name": fr, "names": {"fr": fr, "en": en}}


def _concepts() -> dict[str, Any]:
    concepts = [
        {"id": identifier, **_named(fr, en)}
        for identifier, _, fr, en in (*DIMENSIONS, TIME, *MEASURES, *ATTRIBUTES)
    ]
    return {**_maintained("CS_ASCO", "Concepts de l'enquête ASCO", "Concepts of ASCO"), "concepts": concepts}


def _codelist(name: str, codes: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    listed = [{"id": code, **_named(fr, en)} for code, (fr, en) in codes.items()]
    return {**_maintained(f"CL_{name}", f"Codes : {name}", f"Codes: {name}"), "codes": listed}


def _codes(content: Content) -> dict[str, dict[str, tuple[str, str]]]:
    """Codes by concept; an indicator asked of both types of bodies has one code and the first label."""
    labels = content.labels
    indicators: dict[str, tuple[str, str]] = {}
    for code, label in labels["indicator"].items():
        indicators.setdefault(code.split(":")[1], label)
    return {
        "UNIT_TYPE": dict(labels["unit_type"]),
        "INDICATOR": indicators,
        "STATISTIC": dict(labels["statistic"]),
        "REF_AREA": {area_id(*code.split(":")): label for code, label in labels["area_code"].items()},
        "SIZE_CLASS": dict(labels["size_class"]),
        "CONF_STATUS": {code: (fr, en) for code, fr, en in CONFIDENTIALITY.values()},
        "QUALITY_FLAG": dict(labels["quality_flag"]),
    }


def _data_structure() -> dict[str, Any]:
    dimensions = [_component(name, position, coded=True) for position, (name, *_) in enumerate(DIMENSIONS, 1)]
    measures = [_component(name, None, coded=False) for name, *_ in MEASURES]
    attributes = [
        {**_component(name, None, coded=True), "usage": usage, "attributeRelationship": {"observation": {}}}
        for (name, *_), usage in zip(ATTRIBUTES, ("mandatory", "optional"), strict=True)
    ]
    time = {
        "id": TIME[0],
        "conceptIdentity": _concept(TIME[0]),
        "localRepresentation": {"format": {"dataType": "ObservationalTimePeriod"}},
    }
    components = {
        "attributeList": {"id": "AttributeDescriptor", "attributes": attributes},
        "dimensionList": {"id": "DimensionDescriptor", "dimensions": dimensions, "timeDimension": time},
        "measureList": {"id": "MeasureDescriptor", "measures": measures},
    }
    return {
        **_maintained("DSD_ASCO", "Structure des cellules ASCO", "Structure of the ASCO cells"),
        "dataStructureComponents": components,
    }


def _component(name: str, position: int | None, *, coded: bool) -> dict[str, Any]:
    if coded:
        kind: dict[str, Any] = {"enumeration": f"{URN}.codelist.Codelist={AGENCY}:CL_{name}({VERSION})"}
    else:
        kind = {"format": {"dataType": "Integer" if name == "RESPONDENTS" else "Double"}}
    placed = {} if position is None else {"position": position}
    return {"id": name, "conceptIdentity": _concept(name), **placed, "localRepresentation": kind}


def _concept(name: str) -> str:
    return f"{URN}.conceptscheme.Concept={AGENCY}:CS_ASCO({VERSION}).{name}"
