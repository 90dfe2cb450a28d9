"""SDMX 3.0: the structure of the cells (SDMX-JSON 2.0) and the cells themselves (SDMX-CSV 2.0).

One dataflow a wave. Dimensions are the key columns of the contract, measures its measures, attributes its
flags. Confidentiality is coded as in SDMX's list of codes (CL_CONF_STATUS): F free, C confidential; by which
rule is not public. Agency and identifiers are this project's: no registry gave them.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asco_dagster.releases.content import Content
from asco_dagster.releases.contract import (
    CELLS,
    Column,
    Concept,
    ReleasedFile,
    Role,
    Table,
    contract_of,
    undeclared,
)
from asco_dagster.releases.documents import write_json
from asco_dagster.releases.format import CSV, JSON, ContentFormat, ReleaseFolder, same_values

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
CODED: tuple[Role, ...] = ("key", "flag")
DATA_TYPES = {"integer": "Integer", "number": "Double"}
TIME = Concept(id="TIME_PERIOD", fr="Année de référence", en="Reference year")


def write(content: Content, folder: Path) -> list[ReleasedFile]:
    """Write the structure message and the data message."""
    rows = _observations(content)
    (folder / DATA).parent.mkdir(parents=True, exist_ok=True)
    (folder / DATA).write_bytes(rows.to_csv(index=False, lineterminator="\r\n").encode())
    return [write_json(folder, STRUCTURE, structure(content)), ReleasedFile(DATA, len(rows))]


def components(table: Table, role: Role) -> list[tuple[Concept, Column]]:
    """Columns of a role that SDMX carries, with their concepts."""
    return [(column.sdmx, column) for column in table.columns if column.role == role and column.sdmx]


def dataflow_id(content: Content) -> str:
    """Identifier of the wave's dataflow."""
    return f"ASCO_{content.wave.wave}"


def area_id(geography: str, code: str) -> str:
    """An area as one code: codes of régions and départements overlap."""
    return f"{AREA_PREFIX[geography]}{code}"


def _observations(content: Content) -> "pd.DataFrame":
    """The data message: one row per cell, suppressed ones with their status and without a number."""
    import pandas as pd

    released = content.tables[CELLS]
    cells, table = released.frame(), released.contract
    if missing := [name for name in ("geography", "area_code", "status") if name not in cells]:
        raise undeclared(CELLS, missing)
    prefix = cells["geography"].map(AREA_PREFIX)
    free = {code: sdmx for code, (sdmx, *_) in CONFIDENTIALITY.items()}
    cells = cells.assign(area_code=prefix + cells["area_code"], status=cells["status"].map(free))
    columns = {concept.id: cells[column.name] for concept, column in components(table, "key")}
    columns[TIME.id] = pd.Series(content.wave.reference_year, index=cells.index)
    behind = (*components(table, "measure"), *components(table, "flag"))
    columns |= {concept.id: cells[column.name] for concept, column in behind}
    rows = pd.DataFrame(columns)
    rows.insert(0, "STRUCTURE", "dataflow")
    rows.insert(1, "STRUCTURE_ID", f"{AGENCY}:{dataflow_id(content)}({VERSION})")
    rows.insert(2, "ACTION", "I")
    return rows


def structure(content: Content) -> dict[str, Any]:
    """The structure message: concepts, code lists, data structure and dataflow."""
    wave, table = content.wave, content.tables[CELLS].contract
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
            "conceptSchemes": [_concepts(table)],
            "codelists": [
                _codelist(concept.id, _codes(content, column.name))
                for role in CODED
                for concept, column in components(table, role)
            ],
            "dataStructures": [_data_structure(table)],
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


def _concepts(table: Table) -> dict[str, Any]:
    ordered = [
        *(concept for concept, _ in components(table, "key")),
        TIME,
        *(concept for concept, _ in (*components(table, "measure"), *components(table, "flag"))),
    ]
    concepts = [{"id": concept.id, **_named(concept.fr, concept.en)} for concept in ordered]
    return {**_maintained("CS_ASCO", "Concepts de l'enquête ASCO", "Concepts of ASCO"), "concepts": concepts}


def _codelist(name: str, codes: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    listed = [{"id": code, **_named(fr, en)} for code, (fr, en) in codes.items()]
    return {**_maintained(f"CL_{name}", f"Codes : {name}", f"Codes: {name}"), "codes": listed}


def _codes(content: Content, column: str) -> Mapping[str, tuple[str, str]]:
    """Codes of a column; an indicator asked of both types of bodies has one code and the first label."""
    labels = content.labels.get(column, {})
    if column == "indicator":
        first: dict[str, tuple[str, str]] = {}
        for code, label in labels.items():
            first.setdefault(code.split(":")[1], label)
        return first
    if column == "area_code":
        return {area_id(*code.split(":")): label for code, label in labels.items()}
    if column == "status":
        return {code: (fr, en) for code, fr, en in CONFIDENTIALITY.values()}
    return labels


def _data_structure(table: Table) -> dict[str, Any]:
    dimensions = [
        {**_identity(concept), "position": position, **_coded(concept)}
        for position, (concept, _) in enumerate(components(table, "key"), 1)
    ]
    attributes = [
        {
            **_identity(concept),
            **_coded(concept),
            "usage": "mandatory" if column.is_required else "optional",
            "attributeRelationship": {"observation": {}},
        }
        for concept, column in components(table, "flag")
    ]
    measures = [
        {**_identity(concept), "localRepresentation": {"format": {"dataType": DATA_TYPES[column.kind]}}}
        for concept, column in components(table, "measure")
    ]
    time = {
        **_identity(TIME),
        "localRepresentation": {"format": {"dataType": "ObservationalTimePeriod"}},
    }
    lists = {
        "attributeList": {"id": "AttributeDescriptor", "attributes": attributes},
        "dimensionList": {"id": "DimensionDescriptor", "dimensions": dimensions, "timeDimension": time},
        "measureList": {"id": "MeasureDescriptor", "measures": measures},
    }
    return {
        **_maintained("DSD_ASCO", "Structure des cellules ASCO", "Structure of the ASCO cells"),
        "dataStructureComponents": lists,
    }


def _identity(concept: Concept) -> dict[str, Any]:
    return {
        "id": concept.id,
        "conceptIdentity": f"{URN}.conceptscheme.Concept={AGENCY}:CS_ASCO({VERSION}).{concept.id}",
    }


def _coded(concept: Concept) -> dict[str, Any]:
    codes = f"{URN}.codelist.Codelist={AGENCY}:CL_{concept.id}({VERSION})"
    return {"localRepresentation": {"enumeration": codes}}


def faults(file: str, release: ReleaseFolder) -> Iterator[str]:
    """What structure and data say otherwise than the cells do."""
    return (_faults_of_structure if file == STRUCTURE else _faults_of_data)(file, release)


def _faults_of_structure(file: str, release: ReleaseFolder) -> Iterator[str]:
    """Whether the structure has the concepts and the components that the data have."""
    import pandas as pd

    data = json.loads((release.path / file).read_text(encoding="utf-8"))["data"]
    (structure,), (scheme,) = data["dataStructures"], data["conceptSchemes"]
    concepts = [concept["id"] for concept in scheme["concepts"]]
    lists = structure["dataStructureComponents"]
    described = [
        *(dimension["id"] for dimension in lists["dimensionList"]["dimensions"]),
        lists["dimensionList"]["timeDimension"]["id"],
        *(measure["id"] for measure in lists["measureList"]["measures"]),
        *(attribute["id"] for attribute in lists["attributeList"]["attributes"]),
    ]
    if not described == concepts == list(pd.read_csv(release.path / DATA, nrows=0).columns)[3:]:
        yield f"{file} does not describe the columns of {DATA}."


def _faults_of_data(file: str, release: ReleaseFolder) -> Iterator[str]:
    """Whether every key, measure and flag is that of the cells."""
    import pandas as pd

    table = contract_of(CELLS)
    rows, read = release.rows(table), pd.read_csv(release.path / file, dtype=str, keep_default_na=False)
    roles: tuple[Role, ...] = ("key", "measure", "flag")
    carried = [found for role in roles for found in components(table, role)]
    codes = {sdmx: code for code, (sdmx, *_) in CONFIDENTIALITY.items()}
    texts = pd.DataFrame({column.name: read[concept.id] for concept, column in carried})
    texts["status"] = texts["status"].map(codes).fillna("")
    rows = rows.assign(area_code=rows["geography"].map(AREA_PREFIX) + rows["area_code"])
    if not same_values(texts, rows[list(texts.columns)]):
        yield f"{file} does not say what the cells say."


FORMAT = ContentFormat({STRUCTURE: JSON, DATA: CSV}, faults, write)
