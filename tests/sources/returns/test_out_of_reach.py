"""Bytes that the disk or the share does not give stop the run: the return is sound, and no unit is blamed."""

import errno
import os
import pickle
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from asco_dagster.connectors.fetch import fetch, hash_and_size
from asco_dagster.errors import OutOfReachError, SourceError
from asco_dagster.sources.returns import archive_members, reading_pool
from asco_dagster.sources.returns.archive_members import members, read_member
from asco_dagster.sources.returns.reading_pool import Outcome, Where
from asco_dagster.sources.returns.refusals import RefusedReturnError
from asco_testing.sources.made_returns import OTHER_UNIT, UNIT, read, workbook, zipped

pytestmark = pytest.mark.slow

# Reading its first bytes gives a true EIO, whoever reads: no program has a page there.
FAILING = Path("/proc/self/mem")


def on_a_failing_disk(places: list[Where]) -> list[Outcome]:
    """Read a batch as ever, but for one file that lies on a bad block."""
    return reading_pool.read_places(
        [Where(FAILING) if where.path.name == "bad.xlsx" else where for where in places]
    )


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter; those of pytest are its owner's alone."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Act as a user whom permissions bind; the system administrator reads everything."""
    own = os.geteuid()
    if own == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(own)


def delivery(folder: Path) -> Path:
    returns = folder / "returns"
    returns.mkdir()
    (returns / "bad.xlsx").write_bytes(workbook(UNIT))
    (returns / "good.xlsx").write_bytes(workbook(OTHER_UNIT))
    return returns


def test_a_run_stops_and_refuses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    returns, quarantine = delivery(tmp_path), tmp_path / "quarantine"
    quarantine.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(reading_pool, "_TASK", on_a_failing_disk)
        with pytest.raises(OutOfReachError) as stopped:
            read(returns, quarantine)
    assert str(stopped.value) == (
        "file mem: it cannot be read (Input/output error). Check its disk or share and who may read it, "
        "then run again."
    )
    assert list(quarantine.iterdir()) == []
    # the next run finds the disk well, and both returns count
    assert read(returns, quarantine).counts == {"accepted": 2, "superseded": 0, "refused": 0, "ignored": 0}


def test_a_file_that_went_away_is_no_refusal(tmp_path: Path) -> None:
    returns = delivery(tmp_path)
    found = list(members(returns))
    (returns / "bad.xlsx").unlink()
    with pytest.raises(OutOfReachError, match=r"file bad\.xlsx: .*No such file"):
        read_member(found[0].where)


def test_a_member_of_a_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "returns.zip", {"one.xlsx": workbook()})
    archive = archive_members._opened(path)
    with FAILING.open("rb", buffering=0) as failing, monkeypatch.context() as patch:
        patch.setattr(archive, "fp", failing)
        with pytest.raises(OutOfReachError, match=r"file returns\.zip: .*Input/output error"):
            archive_members.read_zipped(Where(path, 0))
    assert archive_members.read_zipped(Where(path, 0)) == workbook()


def files_of(path: Path) -> list[archive_members.Member]:
    return list((archive_members.zip_files if path.suffix == ".zip" else archive_members.tar_files)(path))


@pytest.mark.parametrize("name", ["returns.zip", "returns.tar", "returns.tar.gz"])
def test_an_archive_that_may_not_be_read_is_not_called_damaged(name: str, open_folder: Path) -> None:
    path = open_folder / name
    path.touch(mode=0)
    with unprivileged(), pytest.raises(OutOfReachError, match=f"file {name}: .*Permission denied"):
        files_of(path)


def test_a_zip_whose_end_cannot_be_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_a_bad_block(_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    path = zipped(tmp_path / "returns.zip", {"one.xlsx": workbook()})
    monkeypatch.setattr(zipfile, "_EndRecData", on_a_bad_block)
    with pytest.raises(OutOfReachError, match=r"file returns\.zip: .*Input/output error"):
        files_of(path)


def test_a_folder_that_may_not_be_listed_is_not_passed_over(open_folder: Path) -> None:
    (open_folder / "returns" / "closed").mkdir(parents=True)
    (open_folder / "returns").chmod(0o755)
    (open_folder / "returns" / "closed").chmod(0)
    with unprivileged(), pytest.raises(OutOfReachError, match=r"file closed: .*Permission denied"):
        list(members(open_folder / "returns"))


def test_a_delivery_that_may_not_be_read_is_reported_as_a_sentence(open_folder: Path) -> None:
    path = open_folder / "returns.zip"
    path.touch(mode=0)
    with unprivileged(), pytest.raises(OutOfReachError, match=r"file returns\.zip: .*Permission denied"):
        hash_and_size(fetch("returns.zip", into=open_folder, base=open_folder))


@pytest.mark.parametrize("name", ["returns.zip", "returns.tar", "returns.tar.gz", "returns.tar.bz2"])
def test_wrong_bytes_are_damage(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"\x1f\x8b" + bytes(2000) if name.endswith("gz") else b"BZh9" + bytes(range(250)) * 8)
    with pytest.raises(SourceError, match="damaged or cut short") as told:
        files_of(path)
    assert not isinstance(told.value, OutOfReachError)


def test_a_place_before_the_archive_begins_is_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "returns.zip", {"one.xlsx": workbook()})
    monkeypatch.setattr(archive_members._opened(path).infolist()[0], "header_offset", -5)
    with pytest.raises(RefusedReturnError, match="unreadable"):
        archive_members.read_zipped(Where(path, 0))


def test_an_error_crosses_to_another_process_whole() -> None:
    error = OutOfReachError("the disk failed", file="a/b.xlsx", row=3, expected="bytes", remedy="look")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(copy), str(copy), vars(copy)) == (OutOfReachError, str(error), vars(error))
