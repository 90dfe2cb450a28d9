"""Readers and runs: a run waits for a reader and then names it; the copy and ``asco query`` disturb none."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from asco_dagster.errors import AscoError, ConfigurationError
from asco_dagster.settings import Settings
from asco_dagster.storage import readable, warehouse
from asco_dagster.storage.places import Places
from asco_dagster.storage.readable import copy_readable, query, update_readable
from asco_dagster.storage.warehouse import open_database

pytestmark = pytest.mark.slow

Script = Callable[..., "subprocess.Popen[str]"]
ASCO = (sys.executable, "-m", "asco_dagster.cli.main")
READING = """
    import duckdb, pathlib
    path = {path!r}
    with duckdb.connect(path, read_only=True) as database:
        print(database.execute("select count(*) from staging.t").fetchone()[0], flush=True)
        input()
        print(database.execute("select count(*) from staging.t").fetchone()[0], flush=True)
"""


@pytest.fixture
def path(places: Places) -> Path:
    path = places.database("2014")
    with open_database(path) as database:
        database.execute("create table staging.t as select range as i, 'é' as accent from range(10)")
    return path


def test_a_run_waits_for_a_reader_and_then_names_it(
    script: Script, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = script(READING.format(path=str(path)))
    assert reader.stdout and reader.stdout.readline() == "10\n"
    monkeypatch.setattr(warehouse, "PATIENCE", 1.0)
    with pytest.raises(AscoError) as refused, open_database(path):
        pass
    told = str(refused.value)
    assert told.startswith(f"file asco.duckdb: process {reader.pid} (python")
    assert (
        " has the wave's database open and did not close it within 1 s. Close it or wait, then try again;"
        in told
    )
    monkeypatch.setattr(warehouse, "PATIENCE", 60.0)
    subprocess.Popen(["sh", "-c", f"sleep 1; kill -KILL {reader.pid}"])
    with open_database(path) as database:  # it waits, and goes on as soon as the reader is gone
        assert len(database.table("staging.t")) == 10


def test_the_copy_is_read_while_a_run_writes_and_no_reader_holds_up_the_next_copy(
    script: Script, places: Places, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warehouse, "PATIENCE", 0.0)  # nobody has to wait for anybody
    update_readable(places, "2014")
    copy = places.readable("2014")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700
    reader = script(READING.format(path=str(copy)))
    assert reader.stdin and reader.stdout and reader.stdout.readline() == "10\n"
    with open_database(path) as writing:
        writing.execute("insert into staging.t select range, '' from range(5)")
        assert query(places, "2014", "select count(*) as n from staging.t") == (["n"], [(10,)])
        # DuckDB's lock still holds: nobody else may write while the copy is made
        other = script(READING.format(path=str(path)))
        assert other.wait(60) == 1
    update_readable(places, "2014")
    assert query(places, "2014", "select count(*) as n from staging.t") == (["n"], [(15,)])
    assert reader.communicate("\n", timeout=60)[0] == "10\n", "who reads the former copy goes on reading it"


def test_the_database_stays_locked_while_it_is_copied(
    script: Script, places: Places, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that closes any descriptor of a file gives up its locks on it: the copy must not."""
    refused = []

    def copy_then_open(places: Places, wave: str) -> None:
        copy_readable(places, wave)
        refused.append(script(READING.format(path=str(path))).wait(60))

    monkeypatch.setattr(readable, "copy_readable", copy_then_open)
    update_readable(places, "2014")
    assert refused == [1]


def test_what_a_reader_wrote_into_a_copy_does_not_reach_the_next(places: Places, path: Path) -> None:
    update_readable(places, "2014")
    copy = places.readable("2014")
    code = (
        "import duckdb, os, sys; d = duckdb.connect(sys.argv[1]);"
        "d.execute('pragma disable_checkpoint_on_shutdown'); d.execute('delete from staging.t'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(copy)], check=True)
    assert Path(f"{copy}.wal").exists()
    update_readable(places, "2014")
    assert query(places, "2014", "select count(*) from staging.t")[1] == [(10,)]


def test_a_copy_of_an_encrypted_database_is_encrypted(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASCO_DATABASE_KEY", "k" * 32)
    with open_database(places.database("2014")) as database:
        database.execute("create table staging.t as select 'Abbeville-la-Rivière' as name from range(9)")
    update_readable(places, "2014")
    assert b"Abbeville" not in places.readable("2014").read_bytes()
    assert query(places, "2014", "select count(*) from staging.t where name like 'Abb%'")[1] == [(9,)]
    monkeypatch.delenv("ASCO_DATABASE_KEY")
    with pytest.raises(ConfigurationError, match="is encrypted and ASCO_DATABASE_KEY is not set"):
        query(places, "2014", "select 1")


def test_the_command_line_prints_a_table_or_csv_and_changes_nothing(
    settings: Settings, places: Places, path: Path
) -> None:
    update_readable(places, "2014")

    def ask(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*ASCO, "query", "2014", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ},
        )

    assert ask("select i, accent from staging.t where i < 2", "--csv").stdout == "i,accent\n0,é\n1,é\n"
    shown = ask("select i, accent, null as nothing from staging.t where i < 2").stdout.split()
    assert shown[:3] == ["i", "accent", "nothing"] and shown[-2:] == ["2", "rows"]
    for statement, said in {
        "selec 1": "syntax error at or near",
        "select * from staging.none": "Table with name none does not exist",
        "delete from staging.t": "attached in read-only mode",
        "copy staging.t to '/tmp/answers.csv'": "disabled by configuration",
        "select * from read_csv('/etc/passwd')": "disabled by configuration",
    }.items():
        refused = ask(statement)
        assert refused.returncode == 2
        assert refused.stderr.startswith("asco: the query failed: ")
        assert said in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
    with duckdb.connect(str(path), read_only=True) as database:
        assert len(database.table("staging.t")) == 10


def test_a_wave_that_never_ran_has_nothing_to_read(settings: Settings) -> None:
    with pytest.raises(
        ConfigurationError, match=r"wave 2025 has no tables yet\. Run it first: asco run 2025"
    ):
        query(Places.of(settings), "2025", "select 1")
