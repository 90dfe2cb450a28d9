"""What lies in the inbox after a demonstration: the right names, whole files, the same bytes each time."""

import zipfile
from pathlib import Path
from typing import Any

import pytest

from asco_dagster.demonstration import write_deliveries
from asco_dagster.demonstration.archives import write_workbook, write_zip
from asco_dagster.errors import AscoError, ConfigurationError
from asco_dagster.storage.places import Places
from asco_dagster.waves import Wave, load_wave


def test_every_file_of_the_wave_is_there_and_the_note(
    wave: Wave, deliveries: dict[str, Path], home: Places
) -> None:
    assert list(deliveries) == [*(delivery.address for delivery in wave.deliveries()), "DELIVERY.txt"]
    assert sorted(path.name for path in home.inbox("2014").iterdir()) == sorted(deliveries)


def test_the_note_says_in_both_languages_that_all_is_invented(deliveries: dict[str, Path]) -> None:
    note = deliveries["DELIVERY.txt"].read_text(encoding="utf-8")
    assert "Fichiers inventés" in note
    assert "Invented files" in note
    assert "seed 2014" in note
    assert "scale 1," in note
    assert "Real files" not in note


def test_the_same_wave_scale_and_seed_give_the_same_bytes(
    wave: Wave, deliveries: dict[str, Path], home: Places, tmp_path: Path
) -> None:
    again = write_deliveries(wave, places=Places(tmp_path), seed=wave.sampling.seed)
    differing = [path.name for path in again if path.read_bytes() != deliveries[path.name].read_bytes()]
    assert differing == []
    name = "demonstration/2014-truth.parquet"
    assert (tmp_path / name).read_bytes() == (home.home / name).read_bytes()


def test_a_workbook_keeps_no_clock(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    write_workbook(path, [("sheet", [["a", 1]])])
    with zipfile.ZipFile(path) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert b"2000-01-01T00:00:00Z</dcterms:created>" in archive.read("docProps/core.xml")
        assert b"2000-01-01T00:00:00Z</dcterms:modified>" in archive.read("docProps/core.xml")


def test_a_zip_keeps_no_clock(tmp_path: Path) -> None:
    for name in ("one.zip", "two.zip"):
        write_zip(tmp_path / name, [("a.csv", b"x")])
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


@pytest.mark.slow
def test_a_demonstration_cut_short_leaves_the_inbox_as_it_was(wave: Wave, tmp_path: Path) -> None:
    places = Places(tmp_path)
    places.inbox("2014").mkdir(parents=True)
    kept = places.inbox("2014") / "asco-sample-2014.csv"
    kept.write_text("delivered earlier")

    def stop(what: str, done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_deliveries(wave, places=places, scale=0.2, progress=stop, overwrite=True)
    assert [path.name for path in places.inbox("2014").iterdir()] == [kept.name]
    assert kept.read_text() == "delivered earlier"
    assert list(places.demonstration.iterdir()) == []


def test_progress_counts_up_to_the_total(small_demonstration: Any, deliveries: dict[str, Path]) -> None:
    # The truth is a step, the note is none.
    assert [done for _, done, _ in small_demonstration.steps] == list(range(1, len(deliveries) + 1))
    assert {total for _, _, total in small_demonstration.steps} == {len(deliveries)}


def test_other_files_of_the_inbox_stay(small_demonstration: Any) -> None:
    assert (small_demonstration.places.inbox("2014") / "mine.csv").read_text() == "mine"


@pytest.mark.parametrize(("scale", "seed"), [(0.0, 1), (-1.0, 1), (float("nan"), 1), (1.0, -1)])
def test_an_impossible_scale_or_seed_is_refused(wave: Wave, tmp_path: Path, scale: float, seed: int) -> None:
    with pytest.raises(ConfigurationError, match="cannot be made"):
        write_deliveries(wave, places=Places(tmp_path), scale=scale, seed=seed)


@pytest.mark.slow
def test_a_sample_larger_than_the_frame_is_refused(wave: Wave, tmp_path: Path) -> None:
    with pytest.raises(AscoError, match="larger than the frame"):
        write_deliveries(wave, places=Places(tmp_path), scale=9.0)
    assert not places_hold_anything(tmp_path)


def places_hold_anything(home: Path) -> bool:
    return any(path.is_file() for path in home.rglob("*"))


def test_a_folder_without_the_real_files_of_2025_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        write_deliveries(load_wave("2025"), places=Places(tmp_path), real=tmp_path)
    assert (
        f"the folder {tmp_path} lacks dgcl-epci-membres-2024.xlsx, insee-populations-legales-2021.csv"
        in str(caught.value)
    )
    assert "table-passage" not in str(caught.value)  # made where the folder has none


def test_missing_real_files_are_named(wave: Wave, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"lacks dgcl-epci-communes-2014\.csv, insee"):
        write_deliveries(wave, places=Places(tmp_path), real=tmp_path)


@pytest.mark.real
def test_real_files_are_copied_unchanged_and_sampled(wave: Wave, real_files: Path, tmp_path: Path) -> None:
    from asco_dagster.sources.readers.sample_list import read_sample

    paths = {
        path.name: path for path in write_deliveries(wave, places=Places(tmp_path), real=real_files, seed=7)
    }
    true = [name for name in paths if (real_files / name).is_file()]
    assert len(true) == 7
    # the individuals of the census are not among the real files: they are invented, as the returns are
    invented = [name for name in paths if name not in true and not name.startswith(("asco-", "DELIVERY"))]
    assert len(invented) == 1
    assert all(paths[name].read_bytes() == (real_files / name).read_bytes() for name in true)
    assert "Real files" in paths["DELIVERY.txt"].read_text(encoding="utf-8")
    sample = read_sample(paths["asco-sample-2014.csv"])
    assert sample["unit_type"].value_counts().to_dict() == {"commune": 8600, "epci": 1400}
    assert sample["unit_code"].str.match(r"^(?:(?:\d\d|2[AB])\d{3}|\d{9})$").all()
    assert not sample["unit_code"].str.startswith("976").any()
