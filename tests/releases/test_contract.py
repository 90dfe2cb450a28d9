"""The contract of the released tables is the one place: what is taken out of it is gone from every format."""

import pyarrow as pa
import pyarrow.parquet
import pytest
import yaml

from asco_dagster.errors import ReleaseError
from asco_dagster.publication import dbt_contract
from asco_dagster.publication.revisions import revisions
from asco_dagster.releases import contract
from asco_dagster.releases.contract import CELLS, contract_of, released, tables
from asco_dagster.releases.disclosure import rounding_steps
from asco_dagster.releases.format import ReleaseFolder
from asco_dagster.releases.formats import faults_of_files, write_content
from asco_dagster.releases.store import ReleaseStore
from asco_dagster.releases.verify import _misshapen
from asco_dagster.waves import load_wave
from asco_dagster.waves.form import Text
from asco_testing.worlds.tiny_content import cells, content

# Columns that a format or the attack cannot do without: their removal is refused.
FILE = contract.FILE
NEEDED = {*contract_of(CELLS).named("key"), "estimate", "ci_low", "ci_high", "status", "quality_flag"}


@pytest.fixture
def undeclare(monkeypatch):
    """Puts the project's own declaration back, at the latest after the test."""

    def back() -> None:
        monkeypatch.setattr(contract, "FILE", FILE)
        tables.cache_clear()

    yield back
    back()


@pytest.fixture
def declared(tmp_path, monkeypatch, undeclare):
    """Declares other tables, for the time of a test: gives a function that changes what the file holds."""
    whole = yaml.safe_load(FILE.read_text(encoding="utf-8"))

    def declare(change) -> None:
        change(whole)
        path = tmp_path / "tables.yaml"
        path.write_text(yaml.safe_dump(whole, sort_keys=False, allow_unicode=True))
        monkeypatch.setattr(contract, "FILE", path)
        tables.cache_clear()

    return declare


@pytest.mark.parametrize("name", [column.name for column in contract_of(CELLS).columns])
def test_a_column_that_is_not_declared_is_in_no_format(name, declared, undeclare, tmp_path) -> None:
    whole = contract_of(CELLS).column(name)
    declared(lambda tables: tables[CELLS]["columns"].pop(name))
    with pytest.raises(ReleaseError, match=f"column {name} of the released table asco_cells is not declared"):
        content()
    made, folder = content(cells().drop(columns=name)), tmp_path / "release"
    if name in NEEDED:
        with pytest.raises(ReleaseError, match=f"column .*{name}.* of the released table {CELLS} is not"):
            write_content(made, folder)
        return
    files = write_content(made, folder)
    manifest = {"files": {file.path: {} for file in files}, "rounding": rounding_steps(load_wave("2014"))}
    assert name not in pyarrow.parquet.read_schema(folder / "tables/asco_cells.parquet").names
    assert name not in (folder / "tables/asco_cells.csv").read_text().splitlines()[0].split(",")
    french = (folder / "tables/fr/asco_cells.csv").read_text().splitlines()[0]
    assert whole.name_fr not in french.split(";")
    for described in ("tables/asco_cells.csv-metadata.json", "tables/fr/asco_cells.csv-metadata.json"):
        assert whole.label.fr not in (folder / described).read_text()
    assert whole.label.en.replace("'", "&#x27;") not in (folder / "dictionary.html").read_text()
    if whole.sdmx is not None:
        assert whole.sdmx.id not in (folder / "sdmx/data.csv").read_text().splitlines()[0].split(",")
        assert f'"{whole.sdmx.id}"' not in (folder / "sdmx/structure.json").read_text()
    models = dict(dbt_contract.contract_files())
    assert f"name: {name}\n" not in next(text for path, text in models.items() if "cells" in path.name)
    assert name not in rounding_steps(load_wave("2014"))
    assert list(faults_of_files(ReleaseFolder(folder, manifest))) == []
    assert list(_misshapen(folder, manifest)) == []
    undeclare()
    assert list(_misshapen(folder, manifest)) == [f"tables/asco_cells.parquet has no column {name}."]


def test_a_column_of_the_revision_table_is_gone_with_its_declaration(declared, tmp_path) -> None:
    declared(lambda tables: tables["revisions"]["columns"].pop("reason_en"))
    store = ReleaseStore(tmp_path / "releases", tmp_path / "sealed", tmp_path / "withdrawn")
    rows = revisions(store, {}, Text(fr="x", en="x"))
    assert "reason_fr" in rows
    assert "reason_en" not in rows


def test_a_declared_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(ReleaseError, match=r"asco_cells has no column cv.*expected every declared column"):
        content(cells().drop(columns="cv"))


def test_a_column_of_another_type_is_refused() -> None:
    with pytest.raises(ReleaseError, match=r"column cv of the released table asco_cells is .*string"):
        content(cells().assign(cv="0.05"))


def test_a_table_that_is_not_declared_is_refused() -> None:
    with pytest.raises(ReleaseError, match="the table surprise is not declared"):
        released("surprise", pa.table({"x": [1]}))


def test_dbt_enforces_what_is_declared() -> None:
    for path, text in dbt_contract.contract_files():
        assert path.read_text(encoding="utf-8") == text, "python -m asco_dagster.publication.dbt_contract"


def test_the_order_of_columns_is_the_declared_one() -> None:
    rows = pa.Table.from_pandas(cells(), preserve_index=False)
    names = [column.name for column in contract_of(CELLS).columns]
    assert released(CELLS, rows.select(names[::-1])).rows.column_names == names


def test_every_declared_key_identifies_rows() -> None:
    made = content()
    for table in made.tables.values():
        key = table.contract.named("key")
        assert key
        assert not table.frame().duplicated(key).any()


def test_a_measure_has_a_unit_and_a_name_is_used_once() -> None:
    for table in tables().values():
        for names in ([c.name for c in table.columns], [c.name_fr for c in table.columns]):
            assert len(names) == len(set(names)), table.name
        assert all(column.unit for column in table.columns if column.role == "measure"), table.name
        assert all(column.kind != "text" for column in table.columns if column.unit), table.name


def test_a_field_that_the_contract_does_not_know_is_refused(declared) -> None:
    declared(lambda tables: tables[CELLS]["columns"]["cv"].update(decimal=2))
    with pytest.raises(ValueError, match="decimal\n  Extra inputs are not permitted"):
        tables()
