"""Encryption at rest: what lies on the disk tells nothing, and the wrong key says so in a sentence."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from asco_dagster.errors import ConfigurationError
from asco_dagster.operations.upkeep.key_rotation import rotate_database_key, rotate_pseudonym_key
from asco_dagster.operations.upkeep.records import records
from asco_dagster.settings import Settings
from asco_dagster.storage.encryption import literal
from asco_dagster.storage.places import Places
from asco_dagster.storage.warehouse import open_database, rewrite_database

pytestmark = pytest.mark.slow

KEY, OTHER = "first-database-key-0123456789abcdef", "other'database-key-0123456789abcdef"
WORD = "Commune-de-Grand-Secret"


@pytest.fixture
def database(places: Places) -> Path:
    return places.database("2014")


def fill(database: Path) -> None:
    with open_database(database) as connection:
        connection.execute(
            f"create table staging.stg_a__b as select '{WORD}' as name, range as n from range(5000)"
        )


def content(database: Path) -> list[tuple]:
    with open_database(database, read_only=True) as connection:
        return connection.execute("select name, count(*) from staging.stg_a__b group by 1").fetchall()


def test_an_encrypted_database_shows_nothing_and_reads_as_before(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(database)
    assert WORD.encode() in database.read_bytes()  # without a key the words lie open
    database.unlink()
    monkeypatch.setenv("ASCO_DATABASE_KEY", KEY)
    fill(database)
    assert WORD.encode() not in database.read_bytes()
    assert content(database) == [(WORD, 5000)]
    assert database.stat().st_mode & 0o777 == 0o600


def test_the_wrong_key_and_no_key_are_sentences_without_the_key(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASCO_DATABASE_KEY", KEY)
    fill(database)
    monkeypatch.setenv("ASCO_DATABASE_KEY", OTHER)
    with pytest.raises(ConfigurationError, match="does not open with ASCO_DATABASE_KEY") as caught:
        content(database)
    assert OTHER not in str(caught.value)
    assert caught.value.__cause__ is None
    monkeypatch.delenv("ASCO_DATABASE_KEY")
    with pytest.raises(ConfigurationError, match="encrypted and ASCO_DATABASE_KEY is not set"):
        content(database)


def test_a_key_is_rotated_and_what_was_open_becomes_closed(
    database: Path, settings: Settings, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(database)
    assert rotate_database_key(settings, places, KEY) == ["2014"]
    assert WORD.encode() not in database.read_bytes()
    assert rotate_database_key(settings, places, KEY) == []  # run again after a kill: nothing left to do
    assert rotate_database_key(replace(settings, database_key=KEY), places, OTHER) == ["2014"]
    monkeypatch.setenv("ASCO_DATABASE_KEY", OTHER)
    assert content(database) == [(WORD, 5000)]
    told = records(places)
    assert [record["waves"] for record in told] == [["2014"], [], ["2014"]]
    assert not any(key in str(told) for key in (KEY, OTHER))
    with pytest.raises(ConfigurationError, match="at least 32"):
        rotate_database_key(settings, places, "short")


def test_a_new_pseudonym_key_replaces_the_former_one(
    database: Path, settings: Settings, places: Places
) -> None:
    former = places.pseudonym_key(settings)
    fill(database)
    assert rotate_pseudonym_key(settings, places) == ["2014"]
    new = places.pseudonym_key(settings)
    assert new != former
    assert len(new) == len(former)
    assert not any(former in path.read_bytes() for path in places.home.rglob("*") if path.is_file())
    with pytest.raises(ConfigurationError, match="ASCO_PSEUDONYM_KEY"):
        rotate_pseudonym_key(replace(settings, pseudonym_key="k" * 32), places)


def test_a_database_written_anew_keeps_nothing_of_what_was_dropped(database: Path) -> None:
    fill(database)
    with open_database(database) as connection:
        connection.execute("create table estimation.est_a__b as select 7 as kept")
        connection.execute("drop table staging.stg_a__b")
    rewrite_database(database)
    assert WORD.encode() not in database.read_bytes()
    with open_database(database, read_only=True) as connection:
        assert connection.execute("select kept from estimation.est_a__b").fetchall() == [(7,)]
    assert database.stat().st_mode & 0o777 == 0o600


def test_dbt_builds_in_an_encrypted_database_and_lets_it_go(
    places: Places, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seeds and a model that reads them, in a process of their own, as a run does."""
    code = """
        from asco_dagster.orchestration.dbt_run import build
        from asco_dagster.storage.places import Places
        from asco_dagster.settings import Settings
        from asco_dagster.storage.warehouse import open_database
        from asco_dagster.waves import load_wave
        places = Places.of(Settings.from_environment())
        for _ in range(2):
            results = build(["stg_territory__departements"], wave=load_wave("2014"), places=places)
            assert [r.status for r in results] == ["success"], results
            with open_database(places.database("2014")) as database:
                print(len(database.table("staging.stg_territory__departements")))
    """
    import textwrap

    monkeypatch.setenv("ASCO_DATABASE_KEY", KEY)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=checkout, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["101", "101"]
    assert b"Seine" not in places.database("2014").read_bytes()
    assert not any(KEY.encode() in path.read_bytes() for path in places.home.rglob("*") if path.is_file())


def test_a_literal_cannot_be_left() -> None:
    assert literal("a'b; drop table x --") == "'a''b; drop table x --'"
    with pytest.raises(ValueError, match="zero byte"):
        literal("a\0b")
