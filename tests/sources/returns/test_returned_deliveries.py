"""Folders, zips and tars of returns: what is read, what is refused for its path, what is no return at all."""

import gzip
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from asco_dagster.errors import SourceError
from asco_dagster.questionnaires.workbook_layout import layout
from asco_dagster.sources.returns.reading import Delivered
from asco_dagster.sources.returns.workbook_inspection import MAX_FILE
from asco_testing.sources.made_returns import OTHER_UNIT, UNIT, answers, codebook, read, workbook, zipped


def _tar(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), 1_446_544_800
            archive.addfile(entry, io.BytesIO(content))
    return path


def _refused(path: Path) -> dict[str, str]:
    frame = read(path).returns
    return dict(frame.loc[frame["status"] == "refused", ["file", "reason"]].itertuples(index=False))


@pytest.mark.parametrize("way", ["folder", "zip", "deflated", "tar", "tar.gz", "tar.xz", "tgz", "one file"])
def test_every_way_of_delivery_reads_the_same(way: str, tmp_path: Path) -> None:
    files = {"a/one.xlsx": workbook(UNIT), "b/two.xlsx": workbook(OTHER_UNIT)}
    path = tmp_path / f"returns.{way}"
    if way == "folder":
        for name, content in files.items():
            (path / name).parent.mkdir(parents=True)
            (path / name).write_bytes(content)
    elif way in ("zip", "deflated"):
        path = zipped(tmp_path / "returns.zip", files, stored=way == "zip")
    elif way == "one file":
        path = tmp_path / "one.xlsx"
        path.write_bytes(files["a/one.xlsx"])
    else:
        _tar(path, files, {"tar": "w", "tar.gz": "w:gz", "tgz": "w:gz", "tar.xz": "w:xz"}[way])
    found = read(path)
    units = [UNIT] if way == "one file" else [UNIT, OTHER_UNIT]
    assert found.counts == {"accepted": len(units), "superseded": 0, "refused": 0, "ignored": 0}
    told = found.answers.table().to_pandas()
    assert list(told["unit_code"].unique()) == units
    for _, own in told.groupby("unit_code"):
        assert dict(zip(own["question"], own["value"], strict=True)) == answers()


def test_each_answer_keeps_file_tab_and_cell(tmp_path: Path) -> None:
    found = read(zipped(tmp_path / "r.zip", {"x/one.xlsx": workbook(UNIT)})).answers.table().to_pandas()
    assert set(found["source_file"]) == {"r.zip/x/one.xlsx"}
    places = [(place.question, place.tab, place.row, f"C{place.row}") for place in layout(codebook())]
    told = found[["question", "source_sheet", "source_row", "source_cell"]]
    assert list(told.itertuples(index=False, name=None)) == places
    assert set(found["source_column"]) == {"C"}
    assert set(found["submitted_at"]) == {"2015-10-02T08:00:00"}


def test_contact_details_are_nowhere(tmp_path: Path) -> None:
    found = read(zipped(tmp_path / "r.zip", {"one.xlsx": workbook(UNIT)}))
    assert "01 99 00" not in found.answers.table().to_pandas().to_csv()
    assert not set(found.answers.table()["question"].to_pylist()) & set(codebook().contact)


def test_what_an_office_machine_leaves_behind_is_counted_and_left(tmp_path: Path) -> None:
    left = ("__MACOSX/._one.xlsx", "~$one.xlsx", ".DS_Store", "Thumbs.db", ".~lock.one.xlsx#", "._two.xlsx")
    path = zipped(tmp_path / "r.zip", {"one.xlsx": workbook(UNIT)} | dict.fromkeys(left, b"x"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("folder/", b"")
    assert read(path).counts == {"accepted": 1, "superseded": 0, "refused": 0, "ignored": len(left)}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../../out.xlsx", "path_traversal"),
        ("a/../../out.xlsx", "path_traversal"),
        ("..\\out.xlsx", "path_traversal"),
        ("/etc/out.xlsx", "absolute_path"),
        ("C:\\out.xlsx", "absolute_path"),
        ("\\\\server\\share\\out.xlsx", "absolute_path"),
    ],
)
@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_a_path_that_climbs_is_refused(name: str, reason: str, kind: str, tmp_path: Path) -> None:
    files = {name: workbook(UNIT), "good.xlsx": workbook(OTHER_UNIT)}
    path = tmp_path / f"r.{kind}"
    if kind == "zip":
        zipped(path, files)
    else:
        _tar(path, files, "w" if kind == "tar" else "w:gz")
    assert list(_refused(path).values()) == [reason]
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_link_or_device_in_a_tar_is_refused(kind: bytes, tmp_path: Path) -> None:
    path = _tar(tmp_path / "r.tar", {"good.xlsx": workbook(UNIT)})
    with tarfile.open(path, "a") as archive:
        entry = tarfile.TarInfo("bad.xlsx")
        entry.type, entry.linkname = kind, "/etc/passwd"
        archive.addfile(entry)
    link = kind in (tarfile.SYMTYPE, tarfile.LNKTYPE)
    assert _refused(path) == {"r.tar/bad.xlsx": "symbolic_link" if link else "special_file"}


def test_a_link_in_a_zip_or_folder_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "r.zip", {"good.xlsx": workbook(UNIT)})
    with zipfile.ZipFile(path, "a") as archive:
        entry = zipfile.ZipInfo("link.xlsx")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    assert _refused(path) == {"r.zip/link.xlsx": "symbolic_link"}
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link.xlsx").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe.xlsx")
    (folder / "good.xlsx").write_bytes(workbook(UNIT))
    assert _refused(folder) == {"folder/link.xlsx": "symbolic_link", "folder/pipe.xlsx": "special_file"}


@pytest.mark.slow
def test_a_file_too_large_or_a_bomb_is_refused_without_being_inflated(tmp_path: Path) -> None:
    path = zipped(tmp_path / "r.zip", {"bomb.xlsx": bytes(MAX_FILE + 1)}, stored=False)
    assert _refused(path) == {"r.zip/bomb.xlsx": "zip_bomb"}
    path = _tar(
        tmp_path / "r.tar.gz", {"large.xlsx": bytes(MAX_FILE + 1), "good.xlsx": workbook(UNIT)}, "w:gz"
    )
    assert _refused(path) == {"r.tar.gz/large.xlsx": "too_large"}


def test_names_that_are_not_utf8_are_read_and_shown(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / os.fsdecode("réponse.xlsx".encode("latin-1"))).write_bytes(workbook(UNIT))
    found = read(folder)
    assert list(found.returns["file"]) == ["folder/r\\xe9ponse.xlsx"]
    assert found.counts["accepted"] == 1
    path = tmp_path / "r.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("d\udc82l.xlsx".encode("utf-8", "surrogateescape").decode("cp437"), workbook(UNIT))
    assert read(path).counts["accepted"] == 1


def test_a_name_given_twice_is_two_returns(tmp_path: Path) -> None:
    path = tmp_path / "r.zip"
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.xlsx", workbook(UNIT))
        archive.writestr("a.xlsx", workbook(OTHER_UNIT))
    assert list(read(path).returns["file"]) == ["r.zip/a.xlsx", "r.zip/a.xlsx#2"]


def test_a_control_character_in_a_name_is_shown(tmp_path: Path) -> None:
    path = _tar(tmp_path / "r.tar", {"a\x1b[31mb.xlsx": workbook(UNIT)})
    assert list(read(path).returns["file"]) == ["r.tar/a\\x1b[31mb.xlsx"]


def test_an_archive_broken_as_a_whole_is_an_error_that_says_so(tmp_path: Path) -> None:
    for name, kind in (("r.zip", "zip"), ("r.tar", "tar"), ("r.tar.gz", "tar.gz")):
        path = tmp_path / name
        files = {"a.xlsx": workbook(UNIT), "b.xlsx": workbook(OTHER_UNIT)}
        zipped(path, files) if kind == "zip" else _tar(path, files, "w" if kind == "tar" else "w:gz")
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(SourceError, match="damaged or cut short"):
            read(path)
    with pytest.raises(SourceError, match="not found"):
        read(tmp_path / "missing.zip")


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_a_tar_that_ends_early_or_is_damaged_inside_loses_nothing_in_silence(
    kind: str, tmp_path: Path
) -> None:
    path = _tar(tmp_path / "r.tar", {"a.xlsx": workbook(UNIT), "b.xlsx": workbook(OTHER_UNIT)})
    with tarfile.open(path) as archive:
        second = archive.getmember("b.xlsx").offset
    whole = path.read_bytes()
    for damaged in (
        whole[:second],
        whole[: second + 100],
        whole[:second] + b"\xff" * 512 + whole[second + 512 :],
    ):
        broken = tmp_path / f"s.{kind}"
        broken.write_bytes(damaged if kind == "tar" else gzip.compress(damaged))
        with pytest.raises(SourceError, match="damaged or cut short after 1 files"):
            read(broken)


def test_several_deliveries_of_both_kinds_of_unit(tmp_path: Path) -> None:
    communes = zipped(tmp_path / "c.zip", {"a.xlsx": workbook(UNIT)})
    more = _tar(tmp_path / "d.tar.gz", {"b.xlsx": workbook(OTHER_UNIT)}, "w:gz")
    epci = zipped(
        tmp_path / "e.zip", {"c.xlsx": workbook("200000172", unit_type="epci"), "d.xlsx": workbook("01002")}
    )
    found = read(
        [
            Delivered(communes, unit_type="commune"),
            Delivered(more, unit_type="commune"),
            Delivered(epci, unit_type="epci"),
        ],
        unit_types=("commune", "epci"),
    )
    assert list(found.returns["status"]) == ["accepted", "accepted", "accepted", "refused"]
    assert list(found.returns["reason"].dropna()) == ["wrong_unit_type"]
    assert list(found.returns["unit_type"]) == ["commune", "commune", "epci", "epci"]
    assert set(found.answers.table()["unit_type"].to_pylist()) == {"commune", "epci"}
