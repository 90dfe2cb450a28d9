"""Every metadata file is read back with the standard's own reader, and says what the tables say."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rdflib
from csvw import CSVW
from pysdmx.io import read_sdmx
from pysdmx.io.reader import get_datasets

from asco_dagster.releases.contract import contract_of, tables
from asco_dagster.releases.formats import write_content, write_version
from asco_dagster.releases.formats.dcat import PATH
from asco_dagster.releases.formats.prov import PATH as PROVENANCE
from asco_dagster.releases.formats.sdmx import area_id
from asco_dagster.releases.release import Description, Provenance
from asco_testing.publication.metadata_validators import (
    BASE,
    csvw_faults,
    dcat_faults,
    ddi_faults,
    html_faults,
    record,
    sdmx_faults,
)
from asco_testing.worlds.tiny_content import cells, content, every_table

DCAT, DCT = "http://www.w3.org/ns/dcat#", "http://purl.org/dc/terms/"
STEMS = [one.stem for one in tables().values() if one.file.startswith("tables/")]


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("metadata")
    made = content(**every_table())
    assert set(made.tables) == set(STEMS)
    files = write_content(made, folder)
    entries = {file.path: {"sha256": "0" * 64, "bytes": 1, "rows": file.rows} for file in files}
    inputs = [{"asset": "raw_asco__returns", "address": "returns.zip", "sha256": "1" * 64, "bytes": 1}]
    lock = {"requirements.lock": "2" * 64}
    wave_file = {"name": "2014.yaml", "sha256": "3" * 64}
    provenance = Provenance("c0de", inputs, {}, {}, {}, {}, wave_file, lock)
    version = Description("1.0.0", None, None, entries, provenance)
    write_version(made.wave, folder, version)
    return folder


@pytest.mark.parametrize("place", ["tables", "tables/fr"])
@pytest.mark.parametrize("stem", STEMS)
def test_each_csv_is_valid_csv_on_the_web(written, place, stem) -> None:
    assert csvw_faults(written / place / f"{stem}.csv") == []
    (table,) = CSVW(str(written / place / f"{stem}.csv")).tables
    rows = list(table)
    assert len(rows) == len(pd.read_parquet(written / "tables" / f"{stem}.parquet"))
    if stem == "asco_cells":
        name = contract_of(stem).column("estimate").name_fr if place.endswith("fr") else "estimate"
        own = np.array([np.nan if row[name] is None else float(row[name]) for row in rows])
        np.testing.assert_allclose(own, cells()["estimate"])


def test_a_csv_that_does_not_fit_its_description_is_seen(written, tmp_path) -> None:
    for name in ("asco_cells.csv", "asco_cells.csv-metadata.json"):
        (tmp_path / name).write_bytes((written / "tables" / name).read_bytes())
    raw = (tmp_path / "asco_cells.csv").read_text().replace('"total",0.', '"total",zero.', 1)
    (tmp_path / "asco_cells.csv").write_text(raw)
    assert csvw_faults(tmp_path / "asco_cells.csv")


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
    assert sdmx_faults(written / "sdmx") == []


def test_the_catalogue_record_conforms_to_the_official_shapes(written) -> None:
    assert dcat_faults(record(written / PATH)) == []


@pytest.mark.parametrize(
    ("about", "lost"),
    [
        (DCAT + "Dataset", DCT + "title"),
        (DCAT + "Catalog", DCT + "publisher"),
        (DCAT + "Distribution", DCAT + "accessURL"),
        ("http://spdx.org/rdf/terms#Checksum", "http://spdx.org/rdf/terms#algorithm"),
    ],
)
def test_a_record_that_lacks_what_is_mandatory_is_seen(written, about, lost) -> None:
    graph = record(written / PATH)
    for subject in list(graph.subjects(rdflib.RDF.type, rdflib.URIRef(about))):
        graph.remove((subject, rdflib.URIRef(lost), None))
    (told,) = dcat_faults(graph)
    assert "Less than 1 values" in told


def test_the_catalogue_record_says_what_dcat_ap_demands(written) -> None:
    graph = record(written / PATH)
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
    released = [
        path.relative_to(written) for part in ("tables", "sdmx") for path in (written / part).rglob("*.*")
    ]
    data = {path.as_posix() for path in released if not path.name.endswith("-metadata.json")}
    assert data == {
        str(graph.value(one, uri(DCAT + "accessURL"))).removeprefix(BASE) for one in distributions
    }
    for distribution in distributions:
        assert graph.value(distribution, uri(DCT + "license")) == uri("https://spdx.org/licenses/etalab-2.0")
        address = str(graph.value(distribution, uri(DCAT + "accessURL"))).removeprefix(BASE)
        assert (written / address).is_file()


def test_ddi_and_dictionary_are_there(written) -> None:
    for name in ("commune_2014", "epci_2014"):
        assert ddi_faults(written / "ddi" / f"{name}.xml") == []
    assert html_faults(written / "dictionary.html") == []
    page = (written / "dictionary.html").read_text()
    for stem in STEMS:
        for column in contract_of(stem).columns:
            assert column.name_fr in page or stem == "departement_profiles"


def test_every_file_is_traced_to_its_inputs_code_and_packages(written) -> None:
    graph = record(written / PROVENANCE)
    found = graph.query("""
        prefix prov: <http://www.w3.org/ns/prov#> prefix dct: <http://purl.org/dc/terms/>
        prefix spdx: <http://spdx.org/rdf/terms#>
        select ?file ?sum ?code where {
          ?file prov:wasGeneratedBy ?run . ?run prov:used ?used ; prov:wasAssociatedWith ?agent .
          ?used spdx:checksum/spdx:checksumValue ?sum . ?agent a prov:SoftwareAgent ; dct:identifier ?code }
    """)
    rows = {(str(row.file), str(row.sum)[0], str(row.code)) for row in found}
    files = {file for file, *_ in rows}
    assert f"{BASE}tables/asco_cells.csv" in files
    assert rows == {(file, digit, "c0de") for file in files for digit in "123"}
