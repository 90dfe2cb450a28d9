"""What a fingerprint tells apart, and that a state which a step itself changed does not count as a change."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from asco_dagster.errors import AscoError
from asco_dagster.orchestration import fingerprints
from asco_dagster.orchestration.fingerprints import (
    Fingerprint,
    allow_state,
    base_fingerprint,
    fingerprint_of,
    forget_fingerprints,
    made_in_state,
    record_fingerprints,
    record_state_after,
    recorded_fingerprint,
)
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.warehouse import open_database
from asco_dagster.waves import load_wave

NAMES = [f"asset_{number}" for number in range(20)]


@pytest.fixture
def database():
    with duckdb.connect() as connection:
        yield connection


def test_code_wave_and_key_are_what_all_rests_on(tmp_path):
    places, wave = Places(tmp_path), load_wave("2014")
    one = base_fingerprint(
        wave, places, Settings(home=tmp_path, pseudonym_key="one key of thirty-two characters")
    )
    assert one == base_fingerprint(
        wave, places, Settings(home=tmp_path, pseudonym_key="one key of thirty-two characters")
    )
    assert one != base_fingerprint(
        wave, places, Settings(home=tmp_path, pseudonym_key="another of thirty-two characters")
    )
    assert one != base_fingerprint(
        load_wave("2025"), places, Settings(home=tmp_path, pseudonym_key="one key of thirty-two characters")
    )


def test_what_reads_a_changed_table_is_changed_and_nothing_else(database):
    record_fingerprints(
        database,
        {name: fingerprint_of(database, name, [], ["base"], "bytes") for name in ("raw_a", "raw_b")},
        "bytes",
    )
    below = {name: fingerprint_of(database, f"stg_{name}", [f"raw_{name}"], ["base"]) for name in ("a", "b")}
    record_fingerprints(
        database, {"raw_a": fingerprint_of(database, "raw_a", [], ["base"], "other bytes")}, "other bytes"
    )
    again = {name: fingerprint_of(database, f"stg_{name}", [f"raw_{name}"], ["base"]) for name in ("a", "b")}
    assert again["a"] != below["a"]
    assert again["b"] == below["b"]
    assert fingerprint_of(database, "stg_a", ["raw_a"], ["other base"]) != again["a"]


def test_nobody_knows_the_content_where_something_read_has_no_fingerprint(database):
    assert fingerprint_of(database, "stg_a", ["raw_a"], ["base"]) is None
    record_fingerprints(database, {"raw_a": fingerprint_of(database, "raw_a", [], ["base"])})
    assert fingerprint_of(database, "stg_a", ["raw_a"], ["base"]) is not None
    forget_fingerprints(database, ["raw_a"])
    assert recorded_fingerprint(database, "raw_a") is None
    assert fingerprint_of(database, "stg_a", ["raw_a"], ["base"]) is None


def test_a_state_that_the_step_itself_left_counts_as_the_one_it_found(database):
    first = fingerprint_of(database, "raw_a", [], ["base"], ["empty quarantine"])
    record_fingerprints(database, {"raw_a": first}, ["one refused return"])
    assert fingerprint_of(database, "raw_a", [], ["base"], ["one refused return"]) == first
    assert fingerprint_of(database, "raw_a", [], ["base"], ["one return to read again"]) != first


def test_a_state_that_a_later_step_left_counts_as_the_one_found(database):
    first = fingerprint_of(database, "sec_a", [], ["base"], ["no release"])
    record_fingerprints(database, {"sec_a": first}, ["no release"])
    record_state_after(database, ["sec_a"], ["1.0.0"])
    assert fingerprint_of(database, "sec_a", [], ["base"], ["1.0.0"]) == first
    assert fingerprint_of(database, "sec_a", [], ["base"], ["1.0.0", "2.0.0"]) != first


def test_a_step_that_dies_on_either_side_of_its_change_leaves_a_state_that_counts_as_the_one_found(database):
    first = fingerprint_of(database, "sec_a", [], ["base"], ["no release"])
    record_fingerprints(database, {"sec_a": first}, ["no release"])
    record_state_after(database, ["sec_a"], ["1.0.0"])
    allow_state(database, ["sec_a"], ["1.0.0", "2.0.0"])
    for found in (["1.0.0"], ["1.0.0", "2.0.0"], ["no release"]):
        assert fingerprint_of(database, "sec_a", [], ["base"], found) == first
        assert made_in_state(database, "sec_a", found)
    assert not made_in_state(database, "sec_a", ["1.0.0", "2.0.0", "3.0.0"])
    record_state_after(database, ["sec_a"], ["1.0.0", "2.0.0"])
    assert fingerprint_of(database, "sec_a", [], ["base"], ["1.0.0", "2.0.0"]) == first
    assert fingerprint_of(database, "sec_a", [], ["base"], ["1.0.0"]) != first


@contextmanager
def full_disk(files: Path) -> Iterator[None]:
    """No file of a folder grows beyond the largest one."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = max(path.stat().st_size for path in files.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def die_of_a_full_disk(path: Path) -> None:
    """A step makes its table and its fingerprint anew; its commit finds no room, and its end finds some."""
    with open_database(path) as database:
        database.execute("create table staging.a as select 0.0 as made")
        record_fingerprints(database, {name: Fingerprint("first", "null") for name in NAMES})
    said = r"wave\.duckdb: the disk is full: .*File too large"
    with (
        pytest.raises(AscoError, match=said),
        open_database(path) as database,
        full_disk(path.parent),
    ):
        forget_fingerprints(database, NAMES[:1])
        database.begin()
        database.execute("create or replace table staging.a as select random() as made from range(200000)")
        record_fingerprints(database, {NAMES[0]: Fingerprint("second", "null")})
        database.commit()


def make_again(path: Path) -> list[str | None]:
    with open_database(path) as database:
        record_fingerprints(database, {name: Fingerprint("third", "null") for name in NAMES})
        return [recorded_fingerprint(database, name) for name in NAMES]


def test_a_full_disk_undoes_a_step_and_the_retry_finds_nothing_of_it(tmp_path):
    path = tmp_path / "wave.duckdb"
    die_of_a_full_disk(path)
    with open_database(path) as database:
        assert [recorded_fingerprint(database, name) for name in NAMES] == [None] + ["first"] * 19
        assert database.execute("from staging.a").fetchall() == [(0,)]
    assert make_again(path) == ["third"] * 20


def test_a_home_whose_index_an_earlier_version_spoilt_is_well_again(tmp_path, monkeypatch):
    path = tmp_path / "wave.duckdb"
    with monkeypatch.context() as earlier:
        keyed = fingerprints._TABLE.replace("asset varchar not null", "asset varchar primary key")
        earlier.setattr(fingerprints, "_TABLE", keyed)
        earlier.setattr(fingerprints, "_KEYED", "select 0")
        die_of_a_full_disk(path)
        with pytest.raises(duckdb.ConstraintException, match="Duplicate key"):
            for _ in range(3):
                make_again(path)
    assert make_again(path) == ["third"] * 20
    assert make_again(path) == ["third"] * 20
