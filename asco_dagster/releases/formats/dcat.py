"""DCAT-AP 3 (JSON-LD): the release as a dataset in a catalogue, each file a distribution of it.

Things that the profile gives a class carry that very class, not a narrower one alone: its official shapes are
read without the vocabularies that would relate the two.

It describes the version, so it is written once the version is known. Addresses are relative to the release
folder, wherever a copy of it is.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from asco_dagster.releases.contract import ReleasedFile
from asco_dagster.releases.documents import (
    FRANCE,
    HOMEPAGE,
    LICENCE_DOCUMENT,
    PUBLISHER,
    both,
    write_json,
)
from asco_dagster.releases.format import Media, ReleaseFolder, VersionFormat
from asco_dagster.releases.formats import formats
from asco_dagster.releases.release import Description
from asco_dagster.waves import Wave

PATH = "catalog.jsonld"
AUTHORITY = "http://publications.europa.eu/resource/authority"
CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "spdx": "http://spdx.org/rdf/terms#",
    "adms": "http://www.w3.org/ns/adms#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
}
KEYWORDS = ("action sociale", "communes", "CCAS", "EPCI")


def write(wave: Wave, folder: Path, version: Description) -> list[ReleasedFile]:
    """Write the catalogue record of a version."""
    files = {path: (entry, media) for path, entry in sorted(version.files.items()) if (media := _media(path))}
    publisher = {
        "@id": HOMEPAGE,
        "@type": "foaf:Agent",
        "foaf:name": both(PUBLISHER, "Directorate for Research, Studies, Evaluation and Statistics (DREES)"),
        "dct:type": {
            "@id": "http://purl.org/adms/publishertype/NationalAuthority",
            "@type": "skos:Concept",
            "skos:prefLabel": both("Autorité nationale", "National authority"),
        },
    }
    dataset = _dataset(wave, version.version, publisher)
    dataset["dcat:distribution"] = [_distribution(path, *found) for path, found in files.items()]
    catalogue = {
        "@context": CONTEXT,
        "@id": "./#catalogue",
        "@type": "dcat:Catalog",
        "dct:title": both("Diffusions de l'enquête ASCO", "Releases of the ASCO survey"),
        "dct:description": both(
            "Tableaux protégés de l'enquête ASCO.", "Protected tables of the ASCO survey."
        ),
        "dct:publisher": publisher,
        "dct:license": {"@id": LICENCE_DOCUMENT, "@type": "dct:LicenseDocument"},
        "dcat:dataset": [dataset],
    }
    return [write_json(folder, PATH, catalogue)]


def _media(path: str) -> Media | None:
    """What a released file is as a distribution; None where it only describes the data."""
    return next((media for one in formats() if (media := one.media(path))), None)


def _dataset(wave: Wave, version: str, publisher: Mapping[str, Any]) -> dict[str, Any]:
    start, end = f"{wave.reference_year}-01-01", f"{wave.reference_year}-12-31"
    return {
        "@id": "./#dataset",
        "@type": "dcat:Dataset",
        "dct:identifier": f"asco-{wave.wave}",
        "dct:title": both(wave.release.title.fr, wave.release.title.en),
        "dct:description": both(
            f"{wave.label.fr} : parts et totaux estimés par France, région, département et taille, avec leur "
            "précision ; les cellules couvertes par le secret statistique sont vides.",
            f"{wave.label.en}: estimated shares and totals by France, région, département and size, with "
            "their precision; suppressed cells are empty.",
        ),
        "dcat:version": version,
        "dct:publisher": publisher,
        "dcat:contactPoint": {
            "@type": ["vcard:Organization", "vcard:Kind"],
            "vcard:fn": wave.release.contact,
            "vcard:hasURL": {"@id": HOMEPAGE},
        },
        "dct:accessRights": {"@id": f"{AUTHORITY}/access-right/PUBLIC", "@type": "dct:RightsStatement"},
        "dct:spatial": {"@id": FRANCE, "@type": "dct:Location"},
        "dct:temporal": {
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": {"@type": "xsd:date", "@value": start},
            "dcat:endDate": {"@type": "xsd:date", "@value": end},
        },
        "dct:language": [
            {"@id": f"{AUTHORITY}/language/{code}", "@type": "dct:LinguisticSystem"}
            for code in ("FRA", "ENG")
        ],
        "dcat:theme": {
            "@id": f"{AUTHORITY}/data-theme/SOCI",
            "@type": "skos:Concept",
            "skos:prefLabel": both("Population et société", "Population and society"),
        },
        "dcat:keyword": [{"@language": "fr", "@value": word} for word in KEYWORDS],
    }


def _distribution(path: str, entry: Mapping[str, Any], media: Media) -> dict[str, Any]:
    return {
        "@id": f"./{path}#distribution",
        "@type": "dcat:Distribution",
        "dct:title": {"@language": "fr", "@value": path},
        "dcat:accessURL": {"@id": f"./{path}"},
        "dcat:downloadURL": {"@id": f"./{path}"},
        "dct:license": {"@id": LICENCE_DOCUMENT, "@type": "dct:LicenseDocument"},
        "dcat:mediaType": {
            "@id": f"http://www.iana.org/assignments/media-types/{media.type}",
            "@type": "dct:MediaType",
        },
        "dct:format": {"@id": f"{AUTHORITY}/file-type/{media.file_type}", "@type": "dct:MediaTypeOrExtent"},
        "dcat:byteSize": {"@type": "xsd:nonNegativeInteger", "@value": str(entry["bytes"])},
        "spdx:checksum": {
            "@type": "spdx:Checksum",
            "spdx:algorithm": {
                "@id": "spdx:checksumAlgorithm_sha256",
                "@type": "spdx:ChecksumAlgorithm",
            },
            "spdx:checksumValue": {"@type": "xsd:hexBinary", "@value": entry["sha256"]},
        },
    }


def faults(file: str, release: ReleaseFolder) -> Iterator[str]:
    """Whether each distribution is a file of the release, with the checksum that the manifest has."""
    document = json.loads((release.path / file).read_text(encoding="utf-8"))
    for dataset in document["dcat:dataset"]:
        for distribution in dataset["dcat:distribution"]:
            path = distribution["dcat:downloadURL"]["@id"].removeprefix("./")
            checksum = distribution["spdx:checksum"]["spdx:checksumValue"]["@value"]
            if release.manifest["files"].get(path, {}).get("sha256") != checksum:
                yield f"{file} describes another file than {path} of the release."


FORMAT = VersionFormat({PATH: None}, faults, write)
