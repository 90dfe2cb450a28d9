"""The quarantine: what was refused waits there, is tried again, and nothing is lost on the way."""

from pathlib import Path

import pytest
from made_returns import SAMPLED, STRANGER, UNIT, codebook, place_of, read, text, with_cell, workbook, zipped
from typer.testing import CliRunner

from asco_dagster.errors import ConfigurationError, SourceError
from asco_dagster.places import Places
from asco_dagster.sources.quarantine import Quarantine
from asco_dagster.sources.readers.questionnaires import Delivered
from asco_dagster.sources.returns import collect, try_again
from asco_dagster.waves import load_wave

WAVE = load_wave("2014")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A home with a sample and one delivery: a good return, a stranger's, one with a text for a number."""
    places = Places(tmp_path)
    places.inbox("2014").mkdir(parents=True)
    _sample(places, SAMPLED)
    zipped(
        places.inbox("2014") / "r.zip",
        {"good.xlsx": workbook(UNIT), "stranger.xlsx": workbook(STRANGER), "bad.xlsx": _bad()},
    )
    return places


def _bad() -> bytes:
    tab, cell = place_of("integer")
    return with_cell(workbook("01002"), tab, cell, text("beaucoup"))


def _sample(places: Places, units: set[tuple[str, str]]) -> None:
    rows = "".join(f"{kind};{code};s\n" for kind, code in sorted(units))
    (places.inbox("2014") / WAVE.sources.sample[0].address).write_text("unit_type;unit_code;stratum\n" + rows)


def _run(places: Places, name: str = "r.zip") -> dict[str, int]:
    return collect([Delivered(places.inbox("2014") / name, "workbooks", "commune")], WAVE, places).counts


def _states(places: Places) -> dict[str, str]:
    return {entry.file: entry.state for entry in Quarantine(places.quarantine("2014")).entries()}


def test_a_mended_sample_lets_the_next_run_accept(places: Places) -> None:
    assert _run(places) == {"accepted": 1, "superseded": 0, "refused": 2, "ignored": 0}
    assert _states(places) == {"r.zip/bad.xlsx": "refused", "r.zip/stranger.xlsx": "refused"}
    _sample(places, SAMPLED | {("commune", STRANGER)})
    assert {entry.file: entry.state for entry in try_again(WAVE, places)} == {
        "r.zip/bad.xlsx": "refused",
        "r.zip/stranger.xlsx": "retry",
    }
    assert _run(places) == {"accepted": 2, "superseded": 0, "refused": 1, "ignored": 0}
    assert _states(places) == {"r.zip/bad.xlsx": "refused"}  # delivered and accepted: no copy is needed


def test_a_file_no_longer_delivered_counts_from_the_quarantine_in_every_later_run(places: Places) -> None:
    _run(places)
    zipped(places.inbox("2014") / "r.zip", {"good.xlsx": workbook(UNIT)})
    _sample(places, SAMPLED | {("commune", STRANGER)})
    try_again(WAVE, places)
    for _ in range(3):
        assert _run(places) == {"accepted": 2, "superseded": 0, "refused": 0, "ignored": 0}
        assert _states(places) == {"r.zip/bad.xlsx": "refused", "r.zip/stranger.xlsx": "accepted"}


def test_a_file_mended_in_the_quarantine_counts_though_the_broken_one_is_delivered_again(
    places: Places,
) -> None:
    _run(places)
    quarantine = Quarantine(places.quarantine("2014"))
    entry = next(entry for entry in quarantine.entries() if entry.file == "r.zip/bad.xlsx")
    (quarantine.folder / str(entry.kept)).write_bytes(workbook("01002"))
    _run(places)  # a run before the retry does not overwrite the mended copy
    assert (quarantine.folder / str(entry.kept)).read_bytes() == workbook("01002")
    assert [tried.state for tried in try_again(WAVE, places, [entry.id])] == ["retry"]
    for _ in range(2):
        assert _run(places) == {"accepted": 2, "superseded": 0, "refused": 2, "ignored": 0}
        assert _states(places)["r.zip/bad.xlsx"] == "accepted"


def test_a_newer_return_supersedes_the_one_from_the_quarantine(places: Places) -> None:
    _run(places)
    _sample(places, SAMPLED | {("commune", STRANGER)})
    try_again(WAVE, places)
    files = {"good.xlsx": workbook(UNIT), "again.xlsx": workbook(STRANGER, "2016-01-01T08:00:00")}
    zipped(places.inbox("2014") / "r.zip", files)
    assert _run(places) == {"accepted": 2, "superseded": 1, "refused": 0, "ignored": 0}


def test_a_second_run_tells_nothing_twice(places: Places) -> None:
    _run(places)
    before = sorted(path.name for path in places.quarantine("2014").iterdir())
    _run(places)
    assert sorted(path.name for path in places.quarantine("2014").iterdir()) == before


def test_an_entry_that_is_not_there_is_named(places: Places) -> None:
    _run(places)
    with pytest.raises(ConfigurationError, match="0000"):
        try_again(WAVE, places, ["0000"])


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
    assert "Nothing of wave 2014" in runner.invoke(app, ["quarantine", "list", "2014"]).output
    _run(places)
    listed = runner.invoke(app, ["quarantine", "list", "2014"])
    assert listed.exit_code == 0
    assert "unit_outside_sample" in listed.output
    assert "r.zip/bad.xlsx" in listed.output
    told = runner.invoke(app, ["quarantine", "list", "2014", "--json"])
    assert '"reason": "text_in_number"' in told.output
    assert "0 of 2 can be read now." in runner.invoke(app, ["quarantine", "retry", "2014"]).output
    _sample(places, SAMPLED | {("commune", STRANGER)})
    assert (
        "1 of 2 can be read now: asco run 2014" in runner.invoke(app, ["quarantine", "retry", "2014"]).output
    )


def test_nothing_is_kept_without_a_quarantine(tmp_path: Path) -> None:
    path = zipped(tmp_path / "r.zip", {"a.xlsx": b"PK\x03\x04"})
    assert read(path).counts["refused"] == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["r.zip"]
    assert codebook().version
