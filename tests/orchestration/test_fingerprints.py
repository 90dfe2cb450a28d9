"""What a fingerprint tells apart, and that a state which a step itself changed does not count as a change."""

import duckdb
import pytest

from asco_dagster.orchestration.fingerprints import forget, ground, left, made_of, record, recorded
from asco_dagster.places import Places
from asco_dagster.settings import Settings
from asco_dagster.waves import load_wave


@pytest.fixture
def database():
    with duckdb.connect() as connection:
        yield connection


def test_code_wave_and_key_are_what_all_rests_on(tmp_path):
    places, wave = Places(tmp_path), load_wave("2014")
    one = ground(wave, places, Settings(home=tmp_path, pseudonym_key="one key of thirty-two characters"))
    assert one == ground(
        wave, places, Settings(home=tmp_path, pseudonym_key="one key of thirty-two characters")
    )
    assert one != ground(
        wave, places, Settings(home=tmp_path, pseudonym_key="another of thirty-two characters")
    )
    assert one != ground(
        load_wave("2025"), places, Settings(home=tmp_path, pseudonym_key="one key of thirty-two characters")
    )


def test_what_reads_a_changed_table_is_changed_and_nothing_else(database):
    record(
        database,
        {name: made_of(database, name, [], "ground", "bytes") for name in ("raw_a", "raw_b")},
        "bytes",
    )
    below = {name: made_of(database, f"stg_{name}", [f"raw_{name}"], "ground") for name in ("a", "b")}
    record(database, {"raw_a": made_of(database, "raw_a", [], "ground", "other bytes")}, "other bytes")
    again = {name: made_of(database, f"stg_{name}", [f"raw_{name}"], "ground") for name in ("a", "b")}
    assert again["a"] != below["a"]
    assert again["b"] == below["b"]
    assert made_of(database, "stg_a", ["raw_a"], "other ground") != again["a"]


def test_nobody_can_tell_where_something_read_has_no_fingerprint(database):
    assert made_of(database, "stg_a", ["raw_a"], "ground") is None
    record(database, {"raw_a": made_of(database, "raw_a", [], "ground")})
    assert made_of(database, "stg_a", ["raw_a"], "ground") is not None
    forget(database, ["raw_a"])
    assert recorded(database, "raw_a") is None
    assert made_of(database, "stg_a", ["raw_a"], "ground") is None


def test_a_state_that_the_step_itself_left_counts_as_the_one_it_found(database):
    first = made_of(database, "raw_a", [], "ground", ["empty quarantine"])
    record(database, {"raw_a": first}, ["one refused return"])
    assert made_of(database, "raw_a", [], "ground", ["one refused return"]) == first
    assert made_of(database, "raw_a", [], "ground", ["one return to read again"]) != first


def test_a_state_that_a_later_step_left_counts_as_the_one_found(database):
    first = made_of(database, "sec_a", [], "ground", ["no release"])
    record(database, {"sec_a": first}, ["no release"])
    left(database, ["sec_a"], ["1.0.0"])
    assert made_of(database, "sec_a", [], "ground", ["1.0.0"]) == first
    assert made_of(database, "sec_a", [], "ground", ["1.0.0", "2.0.0"]) != first
