"""W3C PROV-O (JSON-LD): which inputs, code, rules and packages each released file comes from.

PROV and not RO-Crate, whose root must carry the date of publication: the time of release is in the manifest
only, and so is the state of the gates.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from asco_dagster.releases.contract import ReleasedFile
from asco_dagster.releases.documents import HOMEPAGE, PUBLISHER, write_json
from asco_dagster.releases.format import ReleaseFolder, VersionFormat
from asco_dagster.releases.release import Description
from asco_dagster.waves import Wave

PATH = "provenance.jsonld"
CONTEXT = {
    "prov": "http://www.w3.org/ns/prov#",
    "dct": "http://purl.org/dc/terms/",
    "spdx": "http://spdx.org/rdf/terms#",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
}
RUN, CODE, OFFICE = "./#run", "./#code", HOMEPAGE


def write(wave: Wave, folder: Path, version: Description) -> list[ReleasedFile]:
    """Write the provenance of a version."""
    made_by = version.provenance
    inputs = [_entity(f"./#input/{file['asset']}/{file['address']}", file) for file in made_by.inputs]
    settings = [
        _entity(f"./#{name}", {"sha256": sha256, "address": name})
        for name, sha256 in ((made_by.wave_file.get("name"), made_by.wave_file.get("sha256")),
                             *made_by.dependencies.items())
        if name
    ]  # fmt: skip
    files = [
        _entity(f"./{path}", {**entry, "address": path})
        | {
            "prov:wasGeneratedBy": {"@id": RUN},
            "prov:wasAttributedTo": {"@id": OFFICE},
            "prov:wasDerivedFrom": _ids(inputs),
        }
        for path, entry in sorted(version.files.items())
    ]
    run = {
        "@id": RUN,
        "@type": "prov:Activity",
        "rdfs:label": f"asco run {wave.wave}, version {version.version}",
        "prov:used": _ids([*inputs, *settings]),
        "prov:wasAssociatedWith": [{"@id": CODE}, {"@id": OFFICE}],
    }
    code = {
        "@id": CODE,
        "@type": ["prov:SoftwareAgent", "prov:Agent"],
        "rdfs:label": "asco_dagster",
        "dct:identifier": made_by.code_version,
    }
    office = {"@id": OFFICE, "@type": ["prov:Organization", "prov:Agent"], "foaf:name": PUBLISHER}
    graph = [run, code, office, *inputs, *settings, *files]
    return [write_json(folder, PATH, {"@context": CONTEXT, "@graph": graph})]


def _entity(identifier: str, file: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "@id": identifier,
        "@type": "prov:Entity",
        "rdfs:label": file["address"],
        "spdx:checksum": {
            "@type": "spdx:Checksum",
            "spdx:algorithm": {"@id": "spdx:checksumAlgorithm_sha256"},
            "spdx:checksumValue": file["sha256"],
        },
    }


def _ids(entities: list[dict[str, Any]]) -> list[dict[str, str]]:
    return [{"@id": entity["@id"]} for entity in entities]


def faults(file: str, release: ReleaseFolder) -> Iterator[str]:
    """Whether each file that it traces is a file of the release, with the checksum that the manifest has."""
    document = json.loads((release.path / file).read_text(encoding="utf-8"))
    for entity in document["@graph"]:
        if "prov:wasGeneratedBy" in entity:
            path, checksum = entity["rdfs:label"], entity["spdx:checksum"]["spdx:checksumValue"]
            if release.manifest["files"].get(path, {}).get("sha256") != checksum:
                yield f"{file} traces another file than {path} of the release."


FORMAT = VersionFormat({PATH: None}, faults, write)
