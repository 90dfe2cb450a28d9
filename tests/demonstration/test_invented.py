"""Invented data say so, in the inbox, in the manifest and in every title; a real inbox is not overwritten."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from asco_dagster.connectors.fetch import sha256_of
from asco_dagster.demonstration.deliveries import write_deliveries
from asco_dagster.errors import ConfigurationError, ReleaseError
from asco_dagster.publication import inputs
from asco_dagster.publication.destinations import require_real_data
from asco_dagster.releases.contract import ReleasedFile
from asco_dagster.releases.release import Provenance, publish
from asco_dagster.releases.signature import signed_bytes
from asco_dagster.releases.store import ReleaseStore, read_manifest
from asco_dagster.storage.invented import (
    DEMONSTRATION,
    NOTE,
    REAL_FILES,
    foreign_files,
    invented_checksums,
    invented_mark,
    listed,
)
from asco_dagster.storage.places import Places
from asco_dagster.waves import load_wave


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """An inbox with one invented file, one real file of the demonstration, and their note."""
    for name in ("invented.csv", "real.csv"):
        (tmp_path / name).write_text(name)
    lines = [
        listed(sha256_of(tmp_path / "invented.csv"), "invented.csv"),
        REAL_FILES,
        listed(sha256_of(tmp_path / "real.csv"), "real.csv"),
    ]
    (tmp_path / NOTE).write_text("\n".join(lines))
    return tmp_path


def test_content_and_not_name_says_what_is_invented(inbox: Path) -> None:
    assert invented_checksums(inbox) == {sha256_of(inbox / "invented.csv")}
    assert invented_mark({"sha256": sha256_of(inbox / "invented.csv")}, inbox) == {"invented": True}
    (inbox / "invented.csv").write_text("delivered by the publisher")
    assert invented_mark({"sha256": sha256_of(inbox / "invented.csv")}, inbox) == {}
    assert invented_checksums(inbox / "nowhere") == frozenset()


def test_files_that_the_demonstration_did_not_write_are_seen(inbox: Path) -> None:
    assert foreign_files(inbox) == []
    (inbox / "real.csv").write_text("corrected by hand")
    (inbox / "delivered.xlsx").write_text("real")
    assert foreign_files(inbox) == ["delivered.xlsx", "real.csv"]


def test_a_real_inbox_is_not_overwritten_without_the_word(tmp_path: Path) -> None:
    wave, places = load_wave("2014"), Places(tmp_path)
    inbox = places.inbox("2014")
    inbox.mkdir(parents=True)
    (inbox / "asco-sample-2014.csv").write_text("the office's sample")
    with pytest.raises(ConfigurationError, match=r"did not write: asco-sample-2014\.csv.*--overwrite"):
        write_deliveries(wave, places=places, scale=0.01)
    assert (inbox / "asco-sample-2014.csv").read_text() == "the office's sample"
    assert [path.name for path in inbox.iterdir()] == ["asco-sample-2014.csv"]


@pytest.mark.parametrize("invented", [True, False])
def test_titles_say_that_data_are_invented(invented: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from asco_dagster.orchestration.wave_step import WaveStep

    monkeypatch.setattr(
        inputs, "recorded_inputs", lambda *_: [{"invented": True}, {}] if invented else [{"sha256": ""}]
    )
    wave = load_wave("2014")
    context = SimpleNamespace(instance=None)
    step = WaveStep(wave, None, None, None, None, context)  # type: ignore[arg-type]
    marked, said = inputs.marked_step(step, ["raw_x__y"])
    if not invented:
        assert (marked, said) == (step, "")
        return
    assert said == DEMONSTRATION
    for text, former in ((marked.wave.label, wave.label), (marked.wave.release.title, wave.release.title)):
        assert text.fr == f"DÉMONSTRATION, données inventées – {former.fr}"
        assert text.en == f"DEMONSTRATION, invented data – {former.en}"


def test_a_release_of_invented_data_says_so_under_its_signature_and_is_not_pushed(tmp_path: Path) -> None:
    def write(folder: Path) -> list[ReleasedFile]:
        (folder / "numbers.csv").write_text("1")
        return [ReleasedFile("numbers.csv", 1)]

    def released(name: str, demonstration: str) -> Path:
        store = ReleaseStore(*(tmp_path / name / part for part in ("releases", "sealed", "withdrawn")))
        made = Provenance("code", [], {}, {}, {}, demonstration=demonstration)
        return publish("2014", store, write, made).folder

    real, shown = released("real", ""), released("shown", DEMONSTRATION)
    assert "demonstration" not in read_manifest(real)
    assert read_manifest(shown)["demonstration"] == DEMONSTRATION
    assert DEMONSTRATION.encode() in signed_bytes(read_manifest(shown))
    require_real_data(real)
    with pytest.raises(ReleaseError, match=r"is not pushed: DÉMONSTRATION, données inventées"):
        require_real_data(shown)
