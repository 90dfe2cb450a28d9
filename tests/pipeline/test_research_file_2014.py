"""The research file of the demonstration: from the answers to a release folder that verify examines alone."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pyarrow as pa
import pytest

from asco_dagster.confidentiality.released import rounding_steps
from asco_dagster.confidentiality.research import research_table
from asco_dagster.errors import DisclosureError
from asco_dagster.gates.checks import run_gate
from asco_dagster.places import Places
from asco_dagster.publication.assets import _write
from asco_dagster.publication.release import Provenance, publish
from asco_dagster.publication.research import RISK_STEM, STEM, released_rows, research_faults
from asco_dagster.publication.shelf import Shelf, read_manifest
from asco_dagster.publication.tables import write_released_table
from asco_dagster.publication.verify import CELLS, PROFILES, examine
from asco_dagster.settings import Settings
from asco_dagster.warehouse import open_database, write_table
from asco_dagster.waves import Wave, load_wave
from asco_dagster.waves.statistics import ResearchFile

ASKED = ResearchFile(k=5, diversity=2, fraction=0.8, seed=2014)


def asking(asked: ResearchFile | None) -> Wave:
    wave = load_wave("2014")
    return wave.model_copy(update={"disclosure": wave.disclosure.model_copy(update={"research_file": asked})})


@pytest.fixture(scope="module")
def made(released: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A copy of the released wave in which the research file was made, and a release folder with it."""
    home = tmp_path_factory.mktemp("research")
    shutil.copytree(released[0] / "waves", home / "waves")
    places, wave = Places(home), asking(ASKED)
    with open_database(places.database("2014")) as database:
        step = SimpleNamespace(wave=wave, database=database)
        table = research_table(step)
        write_table(database, "sec_asco__research_file", table.rows)
        write_table(database, "pub_asco__research_file", released_rows(step).rows)
        published = publish(
            "2014",
            Shelf.of(places, "2014"),
            lambda folder: _write(step, folder),
            Provenance("test", [], {}, wave.disclosure.model_dump(), rounding_steps(wave)),
        )
    return SimpleNamespace(places=places, wave=wave, table=table, folder=published.folder)


def test_neither_shipped_wave_asks_for_one(released: tuple[Path, str]) -> None:
    assert load_wave("2014").disclosure.research_file is None
    assert load_wave("2025").disclosure.research_file is None
    assert not list((released[0] / "releases" / "2014" / "latest").rglob("*research*"))


def test_its_gates_open_and_its_risk_is_told(made: SimpleNamespace) -> None:
    settings = Settings(home=made.places.home)
    with open_database(made.places.database("2014")) as database:
        for asset in ("sec_asco__research_file", "pub_asco__research_file"):
            told = run_gate(database, asset, made.wave, made.places, settings)
            assert told.passed, told.description
    assert made.table.metadata["asked for"] == "yes"
    assert made.table.metadata["fewest records alike"] >= ASKED.k


def test_verify_examines_it_from_the_folder_alone(made: SimpleNamespace) -> None:
    assert examine(made.folder).faults == []
    for stem in (STEM, RISK_STEM):
        for place in ("tables", "tables/fr"):
            assert (made.folder / place / f"{stem}.csv-metadata.json").is_file()
    rows = pd.read_parquet(made.folder / "tables" / f"{STEM}.parquet")
    assert rows["record"].nunique() > 5000
    assert set(rows.columns) == {
        "record",
        "unit_type",
        "region_code",
        "size_class",
        "own_body",
        "indicator",
        "value",
    }


def test_nothing_of_a_unit_is_in_it(made: SimpleNamespace) -> None:
    """Neither pseudonym nor département, weight or exact amount."""
    text = (made.folder / "tables" / f"{STEM}.csv").read_text(encoding="utf-8")
    with open_database(made.places.database("2014")) as database:
        units = database.sql("select unit_id from estimation.est_asco__weights").fetchall()
        amounts = database.sql(
            "select distinct value from estimation.est_asco__indicators "
            "where value > 10000 and indicator like '%eur'"
        ).fetchall()
    assert not [unit for (unit,) in units if unit in text]
    values = {line.rsplit(",", 1)[1] for line in text.splitlines()[1:]}
    assert not values & {f"{amount:.{places}f}" for (amount,) in amounts for places in (0, 1, 2)}


def _faults(folder: Path) -> list[str]:
    """What verify says of the research file alone: the attack on the tables is the same as above."""
    areas = pd.read_parquet(folder / PROFILES)
    regions = dict(zip(areas["departement_code"], areas["region_code"], strict=True))
    return list(research_faults(folder, read_manifest(folder), pd.read_parquet(folder / CELLS), regions))


def _again(made: SimpleNamespace, tmp_path: Path, rows: pd.DataFrame) -> list[str]:
    """Faults of a folder whose research file holds these rows."""
    with open_database(made.places.database("2014")) as database:
        step = SimpleNamespace(wave=made.wave, database=database)
        kept = step.database.sql("select * from publication.pub_asco__research_file").to_arrow_table()
        write_table(database, "pub_asco__research_file", pa.Table.from_pandas(rows, preserve_index=False))
        published = publish(
            "2014",
            Shelf.of(Places(tmp_path), "2014"),
            lambda folder: _write(step, folder),
            Provenance("test", [], {}, made.wave.disclosure.model_dump(), rounding_steps(made.wave)),
        )
        write_table(database, "pub_asco__research_file", kept)
    return _faults(published.folder)


def test_verify_finds_records_alone_and_classes_that_agree(made: SimpleNamespace, tmp_path: Path) -> None:
    rows = pd.read_parquet(made.folder / "tables" / f"{STEM}.parquet")
    alone = rows["record"] == 1
    rows.loc[alone, ["region_code", "size_class", "own_body"]] = ["94", "5_ge10000", "no"]
    faults = _again(made, tmp_path, rows)
    assert any("fewer than 5 records alike" in fault for fault in faults)
    assert any("too few values" in fault for fault in faults)


def test_a_file_of_all_respondents_is_not_made(made: SimpleNamespace) -> None:
    everybody = ASKED.model_copy(update={"fraction": 1.0})
    with open_database(made.places.database("2014")) as database:
        step = SimpleNamespace(wave=asking(everybody), database=database)
        with pytest.raises(DisclosureError, match="tells the respondents of"):
            research_table(step)


def test_a_file_that_nobody_asked_for_is_a_fault(made: SimpleNamespace, tmp_path: Path) -> None:
    def write(folder: Path) -> list:
        with open_database(made.places.database("2014")) as database:
            files = _write(SimpleNamespace(wave=asking(None), database=database), folder)
            rows = database.sql("select * from publication.pub_asco__research_file").to_arrow_table()
        return files + write_released_table(rows, folder, STEM)

    rules = asking(None).disclosure.model_dump()
    provenance = Provenance("test", [], {}, rules, rounding_steps(load_wave("2014")))
    published = publish("2014", Shelf.of(Places(tmp_path), "2014"), write, provenance)
    (fault,) = _faults(published.folder)
    assert "the rules ask for none" in fault


def test_measures_that_are_not_the_files_are_a_fault(made: SimpleNamespace, tmp_path: Path) -> None:
    def write(folder: Path) -> list:
        with open_database(made.places.database("2014")) as database:
            files = _write(SimpleNamespace(wave=made.wave, database=database), folder)
        flattered = pd.read_parquet(folder / "tables" / f"{RISK_STEM}.parquet").assign(value=0.0)
        write_released_table(pa.Table.from_pandas(flattered, preserve_index=False), folder, RISK_STEM)
        return files

    provenance = Provenance(
        "test", [], {}, made.wave.disclosure.model_dump(), rounding_steps(load_wave("2014"))
    )
    published = publish("2014", Shelf.of(Places(tmp_path), "2014"), write, provenance)
    (fault,) = _faults(published.folder)
    assert "does not hold the measures" in fault
