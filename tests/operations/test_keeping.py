"""Purge, backup, restore, and homes of other versions: nothing released is touched, nothing half done."""

import datetime as dt
import json
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from asco_dagster.errors import AscoError, ConfigurationError
from asco_dagster.operations.backup import backup, restore
from asco_dagster.operations.home import demand_home, version_of
from asco_dagster.operations.instance import PARTITION_TAG, open_instance
from asco_dagster.operations.purge import purge
from asco_dagster.operations.records import records
from asco_dagster.places import Places
from asco_dagster.settings import Settings
from asco_dagster.warehouse import open_database
from asco_dagster.waves import Wave, load_wave

WORD = b"Mme Dupont de la mairie"


@pytest.fixture
def wave() -> Wave:
    wave = load_wave("2014")
    collection = wave.collection.model_copy(update={"raw_until": dt.date(2020, 12, 31)})
    return wave.model_copy(update={"collection": collection})


@pytest.fixture
def lived(places: Places, settings: Settings, wave: Wave) -> Places:
    """A home in which a wave ran: deliveries, quarantine, database, release, run history."""
    inbox = places.inbox("2014")
    inbox.mkdir(parents=True)
    for delivery in wave.deliveries():
        (inbox / delivery.address).write_bytes(WORD if "returns" in delivery.address else b"open data")
    (places.quarantine("2014") / "1.xlsx").write_bytes(WORD)
    (places.downloads("2014") / "list.csv").write_bytes(b"list")
    for asset in ("raw_asco__answers", "stg_asco__answers", "est_asco__weights"):
        (places.gates("2014") / f"{asset}.json").write_bytes(WORD if asset[:3] != "est" else b"{}")
    with open_database(places.database("2014")) as database:
        for table in ("sources.raw_asco__answers", "staging.stg_asco__answers"):
            database.execute(f"create table {table} as select '{WORD.decode()}' as name from range(3)")
        database.execute("create table estimation.est_asco__weights as select 1.5 as weight")
    release = places.releases("2014") / "1.0.0"
    release.mkdir(parents=True)
    (release / "manifest.json").write_text('{"wave": "2014"}')
    (release / "manifest.json").chmod(0o444)
    (places.releases("2014") / "latest").symlink_to("1.0.0")
    places.pseudonym_key(settings)
    return places


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): str(path.readlink()).encode()
        if path.is_symlink()
        else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def test_a_purge_leaves_the_release_and_a_record_and_no_trace_of_an_answer(lived: Places, wave: Wave) -> None:
    before = tree(lived.home / "releases")
    told = purge(wave, lived, dt.date(2021, 1, 1))
    assert told["tables"] == {"raw_asco__answers": 3, "stg_asco__answers": 3}
    assert tree(lived.home / "releases") == before
    left = {name: content for name, content in tree(lived.home).items() if not name.startswith("records/")}
    assert not [name for name, content in left.items() if WORD in content]
    with open_database(lived.database("2014"), read_only=True) as database:
        assert database.execute("select weight from estimation.est_asco__weights").fetchone()[0] == 1.5
    [record] = records(lived)
    assert (record["deed"], record["kept until"]) == ("purge-2014", "2020-12-31")
    assert {d["file"] for d in record["deliveries"]} == {
        "asco-returns-communes-2014.zip",
        "asco-returns-epci-2014.zip",
    }
    assert purge(wave, lived, dt.date(2021, 1, 1))["tables"] == {}  # a second time there is nothing left


def test_nothing_is_purged_before_its_day_or_while_a_run_holds_the_wave(
    lived: Places, wave: Wave, script
) -> None:
    before = tree(lived.home)
    with pytest.raises(ConfigurationError, match="kept until 2020-12-31"):
        purge(wave, lived, dt.date(2020, 12, 31))
    with pytest.raises(ConfigurationError, match="raw_until"):
        purge(load_wave("2014"), lived, dt.date(2030, 1, 1))
    run = script("""
        from asco_dagster.warehouse import open_database
        with open_database(places.database("2014")):
            print("holds", flush=True)
            input()
    """)
    assert run.stdout.readline() == "holds\n"
    with pytest.raises(AscoError, match="cannot be opened"):
        purge(wave, lived, dt.date(2021, 1, 1))
    run.communicate("\n")
    assert {k: v for k, v in tree(lived.home).items() if "duckdb" not in k} == {
        k: v for k, v in before.items() if "duckdb" not in k
    }


def test_a_backup_is_restored_into_a_new_home(lived: Places, settings: Settings, tmp_path: Path) -> None:
    from dagster import DagsterRun, DagsterRunStatus, RunsFilter

    with open_instance(settings, lived) as instance:
        run = DagsterRun("wave_job", tags={PARTITION_TAG: "2014"}, status=DagsterRunStatus.SUCCESS)
        instance.add_run(run)
    archive, keys = tmp_path / "b.tar", tmp_path / "k.tar"
    backup(settings, lived, archive, keys)
    assert archive.stat().st_mode & 0o777 == keys.stat().st_mode & 0o777 == 0o600
    key = lived.pseudonym_key(settings)
    assert key not in archive.read_bytes()
    assert key in keys.read_bytes()

    new = replace(settings, home=tmp_path / "new")
    places = Places.of(new)
    restore(new, places, archive, keys)
    for folder in ("waves", "releases", "quarantine", "keys"):
        assert tree(places.home / folder) == tree(lived.home / folder), folder
    assert (places.home / "releases" / "2014" / "1.0.0" / "manifest.json").stat().st_mode & 0o777 == 0o444
    assert places.database("2014").stat().st_mode & 0o777 == 0o600
    with open_instance(new, places) as instance:
        assert [r.run_id for r in instance.get_runs(RunsFilter(tags={PARTITION_TAG: "2014"}))] == [run.run_id]
    with pytest.raises(ConfigurationError, match="a home in which nothing has run"):
        restore(new, places, archive)


def test_an_altered_or_hostile_archive_lays_nothing_into_the_home(
    lived: Places, settings: Settings, tmp_path: Path
) -> None:
    archive = tmp_path / "b.tar"
    backup(settings, lived, archive)
    altered = archive.read_bytes().replace(b'"wave": "2014"', b'"wave": "2015"')
    (tmp_path / "altered.tar").write_bytes(altered)
    (tmp_path / "cut.tar").write_bytes(archive.read_bytes()[:3000])
    with tarfile.open(tmp_path / "climbs.tar", "w") as hostile:
        (tmp_path / "backup.json").write_text(json.dumps({"layout": 1, "files": {}}))
        hostile.add(tmp_path / "backup.json", "backup.json")
        hostile.add(tmp_path / "backup.json", "../../climbed")
    for name in ("altered.tar", "cut.tar", "climbs.tar"):
        new = replace(settings, home=tmp_path / f"home-{name}")
        with pytest.raises(AscoError, match="backup"):
            restore(new, Places.of(new), tmp_path / name)
        assert not (new.home / "releases").exists()
    assert not (tmp_path / "climbed").exists()


def test_no_backup_is_taken_while_a_run_holds_a_wave(
    lived: Places, settings: Settings, tmp_path: Path, script
) -> None:
    run = script("""
        from asco_dagster.warehouse import open_database
        with open_database(places.database("2014")):
            print("holds", flush=True)
            input()
    """)
    assert run.stdout.readline() == "holds\n"
    with pytest.raises(AscoError, match="cannot be opened"):
        backup(settings, lived, tmp_path / "b.tar")
    assert not (tmp_path / "b.tar").exists()
    run.communicate("\n")


def test_an_older_home_is_migrated_and_a_newer_one_refused(lived: Places) -> None:
    note = lived.quarantine("2014") / "1.xlsx"
    note.chmod(0o644)
    assert version_of(lived.home) == 0
    demand_home(lived)
    assert version_of(lived.home) == 1
    assert note.stat().st_mode & 0o777 == 0o600
    (lived.home / "home.json").write_text('{"layout": 99}')
    with pytest.raises(ConfigurationError, match=r"newer version \(layout 99\)"):
        demand_home(lived)
    (lived.home / "home.json").write_text("{")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        demand_home(lived)
    shutil.rmtree(lived.home)
    demand_home(lived)
    assert version_of(lived.home) == 1
