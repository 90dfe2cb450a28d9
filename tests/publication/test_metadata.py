"""Every metadata file is read back with the standard's own reader, and says what the tables say."""

import sys
import warnings
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import rdflib
from csvw import CSVW
from pysdmx.io import read_sdmx
from pysdmx.io.reader import get_datasets

from asco_dagster.publication.assets import KINDS
from asco_dagster.publication.described import descriptions
from asco_dagster.publication.metadata.dcat import PATH, write_dcat
from asco_dagster.publication.metadata.prov import PATH as PROVENANCE
from asco_dagster.publication.metadata.prov import write_prov
from asco_dagster.publication.metadata.sdmx import area_id
from asco_dagster.publication.release import Description, Provenance

sys.path.insert(0, str(Path(__file__).parent))
from made_up_content import cells, content

DCAT, DCT = "http://www.w3.org/ns/dcat#", "http://purl.org/dc/terms/"


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("metadata")
    made = content()
    files = [file for kind in KINDS for file in kind(made, folder)]
    entries = {file.path: {"sha256": "0" * 64, "bytes": 1, "rows": file.rows} for file in files}
    inputs = [{"asset": "raw_asco__returns", "address": "returns.zip", "sha256": "1" * 64, "bytes": 1}]
    lock = {"requirements.lock": "2" * 64}
    wave_file = {"name": "2014.yaml", "sha256": "3" * 64}
    provenance = Provenance("c0de", inputs, {}, {}, {}, {}, wave_file, lock)
    told = Description("1.0.0", None, None, entries, provenance)
    write_dcat(made.wave, folder, told)
    write_prov(made.wave, folder, told)
    return folder


@pytest.mark.parametrize("place", ["tables", "tables/fr"])
@pytest.mark.parametrize("stem", ["asco_cells", "departement_profiles", "indicators", "labels"])
def test_each_csv_is_valid_csv_on_the_web(written, place, stem) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        read = CSVW(str(written / place / f"{stem}.csv"), validate=True)
        assert read.is_valid, [str(warning.message) for warning in told]
    (table,) = read.tables
    rows = list(table)
    assert len(rows) == content().tables[stem].rows.num_rows
    if stem == "asco_cells":
        name = descriptions()[stem].columns["estimate"].name_fr if place.endswith("fr") else "estimate"
        own = np.array([np.nan if row[name] is None else float(row[name]) for row in rows])
        np.testing.assert_allclose(own, cells()["estimate"])


def test_a_csv_that_does_not_fit_its_description_is_seen(written, tmp_path) -> None:
    for name in ("asco_cells.csv", "asco_cells.csv-metadata.json"):
        (tmp_path / name).write_bytes((written / "tables" / name).read_bytes())
    raw = (tmp_path / "asco_cells.csv").read_text().replace('"total",0.', '"total",zero.', 1)
    (tmp_path / "asco_cells.csv").write_text(raw)
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        read = CSVW(str(tmp_path / "asco_cells.csv"), validate=True)
        assert not read.is_valid


def test_the_sdmx_structure_holds_against_its_schema(written) -> None:
    message = read_sdmx(written / "sdmx" / "structure.json", validate=True)
    (structure,) = message.get_data_structure_definitions()
    assert [component.id for component in structure.components.dimensions] == [
        "UNIT_TYPE", "INDICATOR", "STATISTIC", "REF_AREA", "SIZE_CLASS", "TIME_PERIOD"
    ]  # fmt: skip
    assert len(structure.components.measures) == 8
    assert {codelist.id for codelist in message.get_codelists()} >= {"CL_REF_AREA", "CL_CONF_STATUS"}


def test_the_sdmx_data_are_the_cells(written) -> None:
    (data,) = get_datasets(written / "sdmx" / "data.csv", written / "sdmx" / "structure.json")
    read, own = data.data, cells()
    assert read["REF_AREA"].tolist() == list(map(area_id, own["geography"], own["area_code"]))
    np.testing.assert_allclose(read["OBS_VALUE"].to_numpy(float), own["estimate"])
    np.testing.assert_allclose(
        read["RESPONDENTS"].to_numpy(float, na_value=np.nan), own["respondents"].astype(float)
    )
    assert (read.loc[read["CONF_STATUS"] != "F", "OBS_VALUE"].isna()).all()
    message = read_sdmx(written / "sdmx" / "structure.json")
    for codelist in message.get_codelists():
        column = codelist.id.removeprefix("CL_")
        assert set(read[column].dropna()) - {""} <= {code.id for code in codelist.items}, column


def test_the_catalogue_record_says_what_dcat_ap_demands(written) -> None:
    graph = rdflib.Graph().parse(written / PATH, format="json-ld", publicID="https://example.org/release/")
    uri = rdflib.URIRef
    (dataset,) = graph.subjects(rdflib.RDF.type, uri(DCAT + "Dataset"))
    (catalogue,) = graph.subjects(rdflib.RDF.type, uri(DCAT + "Catalog"))
    for name in (DCT + "title", DCT + "description", DCT + "publisher", DCAT + "dataset"):
        assert graph.value(catalogue, uri(name)) is not None, name
    mandatory = [DCT + "title", DCT + "description"]
    recommended = [DCT + name for name in ("publisher", "spatial", "temporal", "accessRights")]
    for name in (*mandatory, *recommended, DCAT + "contactPoint", DCAT + "version", DCAT + "theme"):
        assert list(graph.objects(dataset, uri(name))), name
    distributions = list(graph.objects(dataset, uri(DCAT + "distribution")))
    assert len(distributions) == 15
    for distribution in distributions:
        assert graph.value(distribution, uri(DCT + "license")) == uri("https://spdx.org/licenses/etalab-2.0")
        address = str(graph.value(distribution, uri(DCAT + "accessURL"))).removeprefix(
            "https://example.org/release/"
        )
        assert (written / address).is_file()


def test_ddi_and_dictionary_are_there(written) -> None:
    for name in ("commune_2014", "epci_2014"):
        document = ET.parse(written / "ddi" / f"{name}.xml")  # noqa: S314 - our own file
        assert document.getroot().tag == "{ddi:codebook:2_5}codeBook"
    page = (written / "dictionary.html").read_text()
    for stem in ("asco_cells", "departement_profiles", "indicators", "labels"):
        for column in descriptions()[stem].columns.values():
            assert column.name_fr in page or stem == "departement_profiles"


def test_every_file_is_traced_to_its_inputs_code_and_packages(written) -> None:
    graph = rdflib.Graph().parse(
        written / PROVENANCE, format="json-ld", publicID="https://example.org/release/"
    )
    found = graph.query("""
        prefix prov: <http://www.w3.org/ns/prov#> prefix dct: <http://purl.org/dc/terms/>
        prefix spdx: <http://spdx.org/rdf/terms#>
        select ?file ?sum ?code where {
          ?file prov:wasGeneratedBy ?run . ?run prov:used ?used ; prov:wasAssociatedWith ?agent .
          ?used spdx:checksum/spdx:checksumValue ?sum . ?agent a prov:SoftwareAgent ; dct:identifier ?code }
    """)
    rows = {(str(row.file), str(row.sum)[0], str(row.code)) for row in found}
    files = {file for file, *_ in rows}
    assert "https://example.org/release/tables/asco_cells.csv" in files
    assert rows == {(file, digit, "c0de") for file in files for digit in "123"}
