"""The quarantine: what was refused is listed there, is tried again where it lies, and nothing is lost."""

import contextlib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from asco_dagster.errors import ConfigurationError, SourceError
from asco_dagster.settings import Settings
from asco_dagster.sources.returns.assets import collect, return_deliveries, try_again, within_reach
from asco_dagster.sources.returns.quarantine import Entry, Quarantine
from asco_dagster.storage.places import Places
from asco_dagster.waves import load_wave
from asco_testing.sources.made_returns import (
    SAMPLED,
    STRANGER,
    UNIT,
    codebook,
    place_of,
    read,
    text,
    with_cell,
    workbook,
    zipped,
)

WAVE = load_wave("2014")
COMMUNES, EPCI = (delivery.address for _, delivery in return_deliveries(WAVE))


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A home with a sample and one delivery: a good return, a stranger's, one with a text for a number."""
    places = Places(tmp_path)
    places.inbox("2014").mkdir(parents=True)
    _sample(places, SAMPLED)
    _deliver(places, {"good.xlsx": workbook(UNIT), "stranger.xlsx": workbook(STRANGER), "bad.xlsx": _bad()})
    zipped(places.inbox("2014") / EPCI, {"epci.xlsx": workbook("200000172", unit_type="epci")})
    return places


def _deliver(places: Places, files: dict[str, bytes]) -> None:
    zipped(places.inbox("2014") / COMMUNES, files)


def _bad() -> bytes:
    tab, cell = place_of("integer")
    return with_cell(workbook("01002"), tab, cell, text("beaucoup"))


def _sample(places: Places, units: set[tuple[str, str]]) -> None:
    rows = "".join(f"{kind};{code};s\n" for kind, code in sorted(units))
    (places.inbox("2014") / WAVE.sources.sample[0].address).write_text("unit_type;unit_code;stratum\n" + rows)


def _run(places: Places) -> dict[str, int]:
    """What the step of a run does; gives the counts of communes and EPCI together."""
    with contextlib.ExitStack() as afterwards:
        deliveries = [
            within_reach(delivery, unit_type, WAVE, places, Settings(home=places.home), afterwards)[0]
            for unit_type, delivery in return_deliveries(WAVE)
        ]
        return collect(deliveries, WAVE, places).counts


def _retry(places: Places, ids: list[str] | None = None) -> dict[str, str]:
    return _states(try_again(WAVE, places, Settings(home=places.home), ids))


def _entries(places: Places) -> list[Entry]:
    return Quarantine(places.quarantine("2014")).entries()


def _states(entries: list[Entry]) -> dict[str, str]:
    return {entry.file.removeprefix(f"{COMMUNES}/"): entry.state for entry in entries}


def test_a_mended_sample_lets_the_next_run_accept(places: Places) -> None:
    assert _run(places) == {"accepted": 2, "superseded": 0, "refused": 2, "ignored": 0}
    assert _states(_entries(places)) == {"bad.xlsx": "refused", "stranger.xlsx": "refused"}
    assert _retry(places) == {"bad.xlsx": "refused", "stranger.xlsx": "refused"}
    _sample(places, SAMPLED | {("commune", STRANGER)})
    assert _retry(places) == {"bad.xlsx": "refused", "stranger.xlsx": "retry"}
    assert _run(places) == {"accepted": 3, "superseded": 0, "refused": 1, "ignored": 0}
    assert _states(_entries(places)) == {"bad.xlsx": "refused"}


def test_a_mended_file_delivered_in_its_place_counts(places: Places) -> None:
    _run(places)
    _deliver(places, {"good.xlsx": workbook(UNIT), "bad.xlsx": workbook("01002")})
    assert _retry(places) == {"bad.xlsx": "retry", "stranger.xlsx": "absent"}
    assert _run(places) == {"accepted": 3, "superseded": 0, "refused": 0, "ignored": 0}
    assert _states(_entries(places)) == {"stranger.xlsx": "absent"}


def test_another_broken_file_in_its_place_is_listed_in_its_place(places: Places) -> None:
    _run(places)
    _deliver(places, {"good.xlsx": workbook(UNIT), "bad.xlsx": b"%PDF"})
    assert _retry(places)["bad.xlsx"] == "refused"
    assert [entry.reason for entry in _entries(places) if "bad" in entry.file] == ["pdf"]


def test_what_is_no_longer_delivered_is_not_forgotten(places: Places) -> None:
    _run(places)
    _deliver(places, {"good.xlsx": workbook(UNIT)})
    for _ in range(2):
        assert _run(places) == {"accepted": 2, "superseded": 0, "refused": 0, "ignored": 0}
        assert _states(_entries(places)) == {"bad.xlsx": "absent", "stranger.xlsx": "absent"}
    _deliver(places, {"good.xlsx": workbook(UNIT), "bad.xlsx": _bad()})
    assert _run(places)["refused"] == 1
    assert _states(_entries(places)) == {"bad.xlsx": "refused", "stranger.xlsx": "absent"}


def test_another_refused_one_in_its_place_is_listed_instead(places: Places) -> None:
    _run(places)
    other = with_cell(workbook("01002", "2015-11-02T08:00:00"), *place_of("integer"), text("trop"))
    _deliver(places, {"good.xlsx": workbook(UNIT), "bad.xlsx": other})
    assert _run(places)["refused"] == 1
    told = [(entry.file.rpartition("/")[2], entry.state) for entry in _entries(places)]
    assert sorted(told) == [("bad.xlsx", "refused"), ("stranger.xlsx", "absent")]


def test_a_unit_that_answers_otherwise_settles_what_is_no_longer_delivered(places: Places) -> None:
    _run(places)
    _deliver(places, {"good.xlsx": workbook(UNIT), "again.xlsx": workbook("01002")})
    _run(places)
    assert _states(_entries(places)) == {"stranger.xlsx": "absent"}


def test_a_file_delivered_twice_needs_no_retry(places: Places) -> None:
    _deliver(places, {"good.xlsx": workbook(UNIT), "copy.xlsx": workbook(UNIT)})
    _run(places)
    assert _retry(places) == {"copy.xlsx": "refused"}


def test_a_second_run_reports_nothing_twice(places: Places) -> None:
    _run(places)
    before = sorted(path.name for path in places.quarantine("2014").iterdir())
    _run(places)
    assert sorted(path.name for path in places.quarantine("2014").iterdir()) == before


def test_an_archive_broken_as_a_whole_stops_the_run_and_is_listed_until_it_can_be_read(
    places: Places,
) -> None:
    _run(places)
    whole = (places.inbox("2014") / COMMUNES).read_bytes()
    for broken in (whole[: len(whole) // 2], b"no archive at all", b""):
        (places.inbox("2014") / COMMUNES).write_bytes(broken)
        with pytest.raises(SourceError, match=rf"{COMMUNES}.*damaged or cut short"):
            _run(places)
        told = _states(_entries(places))
        assert told == {COMMUNES: "refused", "bad.xlsx": "refused", "stranger.xlsx": "refused"}
        assert _retry(places) == told
    (places.inbox("2014") / COMMUNES).write_bytes(whole)
    assert _retry(places)[COMMUNES] == "retry"
    assert _run(places)["accepted"] == 2
    assert _states(_entries(places)) == {"bad.xlsx": "refused", "stranger.xlsx": "refused"}


def test_a_delivery_that_is_not_there_is_no_entry(places: Places) -> None:
    (places.inbox("2014") / EPCI).unlink()
    with pytest.raises(SourceError, match="not found: "):
        _run(places)
    assert _entries(places) == []


def test_an_entry_that_is_not_there_is_named(places: Places) -> None:
    _run(places)
    with pytest.raises(ConfigurationError, match="0000"):
        _retry(places, ["0000"])


def test_a_damaged_entry_is_an_error_that_names_it(places: Places) -> None:
    _run(places)
    broken = next(places.quarantine("2014").glob("*.json"))
    broken.write_text("{")
    with pytest.raises(SourceError, match=broken.name):
        _run(places)


def test_the_command_lists_and_retries(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    from asco_dagster.cli.main import app

    monkeypatch.setenv("ASCO_HOME", str(places.home))
    monkeypatch.setenv("COLUMNS", "250")
    runner = CliRunner()
    assert "The quarantine of wave 2014" in runner.invoke(app, ["quarantine", "list", "2014"]).output
    _run(places)
    listed = runner.invoke(app, ["quarantine", "list", "2014"])
    assert listed.exit_code == 0
    assert "unit_outside_sample" in listed.output
    assert f"{COMMUNES}/bad.xlsx" in listed.output
    told = runner.invoke(app, ["quarantine", "list", "2014", "--json"])
    assert '"reason": "text_in_number"' in told.output
    assert "0 of 2 can be read now\n" in runner.invoke(app, ["quarantine", "retry", "2014"]).output
    _sample(places, SAMPLED | {("commune", STRANGER)})
    assert (
        "1 of 2 can be read now; to count them: asco run 2014\n"
        in runner.invoke(app, ["quarantine", "retry", "2014"]).output
    )


def test_nothing_is_kept_without_a_quarantine(tmp_path: Path) -> None:
    path = zipped(tmp_path / "r.zip", {"a.xlsx": b"PK\x03\x04"})
    assert read(path).counts["refused"] == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["r.zip"]
    assert codebook().version
