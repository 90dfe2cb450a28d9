"""Purge, backup, restore, and homes of other versions: nothing released is touched, nothing half done."""

import datetime as dt
import hashlib
import io
import json
import shutil
import sqlite3
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from asco_dagster.errors import AscoError, ConfigurationError
from asco_dagster.operations.instance import open_instance
from asco_dagster.operations.upkeep import run_history
from asco_dagster.operations.upkeep.backup import backup, restore
from asco_dagster.operations.upkeep.purge import purge
from asco_dagster.operations.upkeep.records import records
from asco_dagster.orchestration.tags import PARTITION_TAG
from asco_dagster.settings import Settings
from asco_dagster.storage.home import require_home, version_of
from asco_dagster.storage.places import Places
from asco_dagster.storage.postgres.address import storage
from asco_dagster.storage.warehouse import open_database
from asco_dagster.waves import Wave, load_wave

pytestmark = pytest.mark.slow

WORD = b"Mme Dupont de la mairie"


@pytest.fixture
def wave() -> Wave:
    wave = load_wave("2014")
    collection = wave.collection.model_copy(update={"raw_until": dt.date(2020, 12, 31)})
    return wave.model_copy(update={"collection": collection})


@pytest.fixture
def lived(places: Places, settings: Settings, wave: Wave) -> Places:
    """A home in which a wave ran: deliveries, quarantine, database, release, run history."""
    return live(places, settings, wave)


def live(places: Places, settings: Settings, wave: Wave) -> Places:
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
    for folder, name in ((places.sealed("2014"), "2.0.0-3f2a1b9c0d12"), (places.withdrawn("2014"), "0.9.0")):
        (folder / name).mkdir()
        (folder / name / "manifest.json").write_text('{"wave": "2014"}')
    (places.sealed("2014") / "next").symlink_to("2.0.0-3f2a1b9c0d12")
    (places.sealed("2014") / "approvals.json").write_text("[]")
    places.pseudonym_key(settings)
    return places


def ask(url: str, question: str) -> object:
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        return connection.execute(sqlalchemy.text(question)).scalar()


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
    lived: Places, wave: Wave, script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asco_dagster.storage.warehouse.PATIENCE", 1.0)
    before = tree(lived.home)
    with pytest.raises(ConfigurationError, match="kept until 2020-12-31"):
        purge(wave, lived, dt.date(2020, 12, 31))
    with pytest.raises(ConfigurationError, match="raw_until"):
        purge(load_wave("2014"), lived, dt.date(2030, 1, 1))
    run = script("""
        from asco_dagster.storage.warehouse import open_database
        with open_database(places.database("2014")):
            print("holds", flush=True)
            input()
    """)
    assert run.stdout.readline() == "holds\n"
    with pytest.raises(
        AscoError, match=f"process {run.pid} .* has the wave's database open and did not close it"
    ):
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
        instance.add_run(DagsterRun("wave_job", run_id="waits"))
    archive, keys = tmp_path / "b.tar", tmp_path / "k.tar"
    backup(settings, lived, archive, keys)
    assert archive.stat().st_mode & 0o777 == keys.stat().st_mode & 0o777 == 0o600
    key = lived.pseudonym_key(settings)
    assert key not in archive.read_bytes()
    assert key in keys.read_bytes()

    new = replace(settings, home=tmp_path / "new")
    places = Places.of(new)
    restore(new, places, archive, keys)
    for folder in ("waves", "releases", "sealed", "withdrawn", "quarantine", "keys"):
        assert tree(places.home / folder) == tree(lived.home / folder), folder
    assert (places.home / "releases" / "2014" / "1.0.0" / "manifest.json").stat().st_mode & 0o777 == 0o444
    assert places.database("2014").stat().st_mode & 0o777 == 0o600
    assert (places.sealed("2014") / "next" / "manifest.json").stat().st_mode & 0o777 == 0o600
    with open_instance(new, places) as instance:
        assert [r.run_id for r in instance.get_runs(RunsFilter(tags={PARTITION_TAG: "2014"}))] == [run.run_id]
        assert instance.get_run_by_id("waits").status is DagsterRunStatus.CANCELED  # type: ignore[union-attr]
        instance.add_run(DagsterRun("wave_job"))  # the numbers of rows go on behind those restored
    with pytest.raises(ConfigurationError, match="a home in which nothing has run"):
        restore(new, places, archive)


@pytest.fixture(scope="module")
def saved_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a backup of a home in which a wave ran, and its keys."""
    folder = tmp_path_factory.mktemp("saved")
    settings = Settings(home=folder / "home")
    places = live(Places.of(settings), settings, load_wave("2014"))
    backup(settings, places, folder / "b.tar", folder / "k.tar")
    return folder


@pytest.fixture
def saved(saved_once: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A copy of that backup, and of its keys."""
    for name in ("b.tar", "k.tar"):
        shutil.copy2(saved_once / name, tmp_path / name)
    return tmp_path / "b.tar", tmp_path / "k.tar"


def refusal(settings: Settings, tmp_path: Path, archive: Path, keys: Path | None, **how: bool) -> str:
    """The sentence with which an archive is refused, after a look that nothing of it was laid."""
    new = replace(settings, home=tmp_path / "refused")
    with pytest.raises(AscoError) as caught:
        restore(new, Places.of(new), archive, keys, **how)
    assert not [path for path in new.home.rglob("*") if path.is_file()]
    assert not (tmp_path / "climbed").exists()
    return str(caught.value)


def rewritten(
    archive: Path, change: Callable[[dict[str, Any], list[tuple[tarfile.TarInfo, bytes]]], None]
) -> Path:
    """The archive with another list or other members, its signature as it was."""
    with tarfile.open(archive) as former:
        members = [(m, former.extractfile(m).read() if m.isreg() else b"") for m in former]  # type: ignore[union-attr]
    listed = json.loads(members[0][1])
    change(listed, members)
    text = json.dumps(listed, indent=1).encode()
    members[0][0].size = len(text)
    target = archive.with_name("rewritten.tar")
    with tarfile.open(target, "w") as made:
        for member, content in [(members[0][0], text), *members[1:]]:
            made.addfile(member, io.BytesIO(content))
    return target


def member(name: str, content: bytes = b"", **told: Any) -> tuple[tarfile.TarInfo, bytes]:
    made = tarfile.TarInfo(name)
    made.size = len(content)
    for key, value in told.items():
        setattr(made, key, value)
    return made, content


def entry(content: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def test_a_backup_that_nobody_vouches_for_is_refused(
    saved: tuple[Path, Path], settings: Settings, tmp_path: Path
) -> None:
    archive, keys = saved
    assert refusal(settings, tmp_path, archive, None) == (
        "the signature of the backup b.tar cannot be checked without its key; expected --keys with the"
        " archive of the keys of its home. Add it, or --unverified to restore a backup that anybody may have"
        " written."
    )
    other = replace(settings, home=tmp_path / "other")
    backup(other, Places.of(other), tmp_path / "o.tar", tmp_path / "ok.tar")
    assert "or written by a home with other keys" in refusal(settings, tmp_path, archive, tmp_path / "ok.tar")
    altered = rewritten(archive, lambda listed, _: listed["files"].pop("waves/2014/asco.duckdb"))
    assert "backup rewritten.tar was altered" in refusal(settings, tmp_path, altered, keys)
    new = replace(settings, home=tmp_path / "new")
    assert restore(new, Places.of(new), archive, unverified=True) > 5
    assert not (new.home / "keys").exists()


def test_an_altered_or_cut_archive_lays_nothing_into_the_home(
    saved: tuple[Path, Path], settings: Settings, tmp_path: Path
) -> None:
    archive, keys = saved
    altered, cut = tmp_path / "altered.tar", tmp_path / "cut.tar"
    altered.write_bytes(archive.read_bytes().replace(b'"wave": "2014"', b'"wave": "2015"'))
    cut.write_bytes(archive.read_bytes()[:200_000])
    (tmp_path / "none.tar").write_bytes(b"no archive")
    assert "manifest.json in the backup was altered" in refusal(settings, tmp_path, altered, keys)
    assert "the backup" in refusal(settings, tmp_path, cut, keys)
    assert "cannot be read (ReadError)" in refusal(settings, tmp_path, tmp_path / "none.tar", keys)


@pytest.mark.parametrize(
    "name",
    [
        "keys/pseudonym.key",
        "inbox/2014/returns.zip",
        "dagster/dagster.yaml",
        "dbt/partial_parse.msgpack",
        "home.json",
        "../climbed",
        "/climbed",
        "waves/../../climbed",
        "waves/2014/a\\b",
        "waves",
        "history/pg_proc.csv",
        "history/runs.sql",
    ],
)
def test_a_name_that_belongs_in_no_backup_is_refused(
    name: str, saved: tuple[Path, Path], settings: Settings, tmp_path: Path
) -> None:
    def listed(own: dict[str, Any], members: list[Any]) -> None:
        own["files"][name] = entry(b"x")
        members.append(member(name, b"x"))

    def unlisted(_: dict[str, Any], members: list[Any]) -> None:
        members.append(member(name, b"x"))

    for change in (listed, unlisted):
        hostile = rewritten(saved[0], change)
        told = refusal(settings, tmp_path, hostile, None, unverified=True)
        assert "which no backup contains" in told
        assert repr(name) in told


@pytest.mark.parametrize(
    ("told", "made", "words"),
    [
        (entry(b"x"), member("waves/2014/a", b"x", type=tarfile.FIFOTYPE), "in the backup was altered"),
        (
            entry(b"x"),
            member("waves/2014/a", b"", type=tarfile.SYMTYPE, linkname="/etc/x"),
            "in the backup was altered",
        ),
        (
            entry(b"x"),
            member("waves/2014/a", b"", type=tarfile.LNKTYPE, linkname="b"),
            "in the backup was altered",
        ),
        (entry(b"x"), member("waves/2014/a", b"xy"), "in the backup was altered"),
        (entry(b"x"), member("waves/2014/a", b"y"), "in the backup was altered"),
        ({"link": "/etc/passwd"}, member("waves/2014/a", type=tarfile.SYMTYPE), "is a link to '/etc/passwd'"),
        ({"sha256": "0", "bytes": 10**15}, member("waves/2014/a", b"x"), "are free on the disk"),
        (None, member("waves/2014/asco.duckdb", b"x"), "which no backup contains"),
        (entry(b"x"), member("waves/2014/b", b"x"), "which no backup contains"),
    ],
    ids=range(9),
)
def test_a_member_that_is_not_what_the_list_says_is_refused(
    told: dict[str, Any] | None,
    made: tuple[tarfile.TarInfo, bytes],
    words: str,
    saved: tuple[Path, Path],
    settings: Settings,
    tmp_path: Path,
) -> None:
    def change(own: dict[str, Any], members: list[Any]) -> None:
        if told is not None:
            own["files"]["waves/2014/a"] = told
        members.append(made)

    assert words in refusal(settings, tmp_path, rewritten(saved[0], change), None, unverified=True)


def test_what_is_more_than_data_in_a_database_is_refused(
    lived: Places, settings: Settings, tmp_path: Path
) -> None:
    with open_database(lived.database("2014")) as database:
        database.execute("create view staging.stg_x__y as select * from read_text('/etc/hostname')")
    backup(settings, lived, tmp_path / "view.tar", tmp_path / "view.keys")
    assert "asco.duckdb of wave 2014 in the backup contains more than tables: 'stg_x__y'" in refusal(
        settings, tmp_path, tmp_path / "view.tar", tmp_path / "view.keys"
    )
    with open_database(lived.database("2014")) as database:
        database.execute("drop view staging.stg_x__y")
    with sqlite3.connect(lived.wave("2014") / "history.sqlite") as store:
        store.execute("create table t (a)")
        store.execute("create trigger at_once after insert on t begin delete from t; end")
    backup(settings, lived, tmp_path / "trigger.tar", tmp_path / "trigger.keys")
    assert "contains more than tables: 'at_once'" in refusal(
        settings, tmp_path, tmp_path / "trigger.tar", tmp_path / "trigger.keys"
    )


def test_the_run_history_is_data_whatever_it_says(
    saved: tuple[Path, Path], settings: Settings, tmp_path: Path
) -> None:
    """A dump once ran a program through a view; what is written in a table's file stays text."""
    ran = tmp_path / "ran"
    text = f'id,key,value\n7,"\'; copy (select 1) to program \'touch {ran}\'; --","$$x$$"\n'.encode()

    def change(own: dict[str, Any], members: list[Any]) -> None:
        own["files"]["history/kvs.csv"] = entry(text)
        members[:] = [part for part in members if part[0].name != "history/kvs.csv"]
        members.append(member("history/kvs.csv", text))

    new = replace(settings, home=tmp_path / "new")
    restore(new, Places.of(new), rewritten(saved[0], change), unverified=True)
    with storage(new, Places.of(new)) as url:
        assert ask(url, "select value from kvs") == "$$x$$"
        assert ask(url, "select count(*) from pg_roles where rolname = 'asco_restore'") == 0
    assert not ran.exists()

    def broken(own: dict[str, Any], members: list[Any]) -> None:
        own["files"]["history/kvs.csv"] = entry(b"id,key,value\nsecret,2,3\n")
        members[:] = [part for part in members if part[0].name != "history/kvs.csv"]
        members.append(member("history/kvs.csv", b"id,key,value\nsecret,2,3\n"))

    other = replace(settings, home=tmp_path / "other")
    with pytest.raises(AscoError, match="backup cannot be restored: InvalidTextRep") as e:
        restore(other, Places.of(other), rewritten(saved[0], broken), unverified=True)
    assert "secret" not in str(e.value)


def test_the_role_that_restores_may_do_nothing_else(places: Places, settings: Settings) -> None:
    with open_instance(settings, places), storage(settings, places) as url:
        for statement in (
            "copy (select 1) to program 'true'",
            "copy (select 1) to '/tmp/asco-restored'",
            "select * from runs",
            "delete from runs",
            "create function public.f() returns int language sql as 'select 1'",
            "create table public.t (a int)",
            "create role other",
            "insert into alembic_version values ('x')",
        ):
            with (
                pytest.raises(AscoError, match="permission denied"),
                run_history._transaction(url, "no") as cursor,
                run_history._restricted(cursor, ["runs"]),
            ):
                cursor.execute(statement)
        assert ask(url, "select count(*) from pg_roles where rolname = 'asco_restore'") == 0


def test_no_backup_is_taken_while_a_run_holds_a_wave(
    lived: Places, settings: Settings, tmp_path: Path, script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asco_dagster.storage.warehouse.PATIENCE", 1.0)
    run = script("""
        from asco_dagster.storage.warehouse import open_database
        with open_database(places.database("2014")):
            print("holds", flush=True)
            input()
    """)
    assert run.stdout.readline() == "holds\n"
    with pytest.raises(
        AscoError, match=f"process {run.pid} .* has the wave's database open and did not close it"
    ):
        backup(settings, lived, tmp_path / "b.tar")
    assert not (tmp_path / "b.tar").exists()
    run.communicate("\n")


def test_an_older_home_is_migrated_and_a_newer_one_refused(lived: Places) -> None:
    note = lived.quarantine("2014") / "1.xlsx"
    note.chmod(0o644)
    assert version_of(lived.home) == 0
    require_home(lived)
    assert version_of(lived.home) == 1
    assert note.stat().st_mode & 0o777 == 0o600
    (lived.home / "home.json").write_text('{"layout": 99}')
    with pytest.raises(ConfigurationError, match=r"newer version \(layout 99\)"):
        require_home(lived)
    (lived.home / "home.json").write_text("{")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        require_home(lived)
    shutil.rmtree(lived.home)
    require_home(lived)
    assert version_of(lived.home) == 1
