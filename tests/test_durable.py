"""A file is replaced whole or not at all, and no draft stays beside it."""

import os
import resource
import subprocess
from pathlib import Path

import pytest

from asco_dagster.durable import draft_of, sync_folder, write_whole


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "told.json"
    for text in ("first", "é" * 5_000):
        write_whole(path, text)
        assert path.read_text(encoding="utf-8") == text
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_former_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "told.json"
    write_whole(path, "former")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            write_whole(path, "x" * 5_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text() == "former"
    assert list(tmp_path.iterdir()) == [path]


def test_drafts_of_the_dead_go_and_those_of_the_living_stay(tmp_path: Path) -> None:
    path = tmp_path / "parsed"
    dead = subprocess.Popen(["true"])
    dead.wait()
    of_dead, of_living = (tmp_path / f".parsed.{pid}.tmp" for pid in (dead.pid, os.getppid()))
    for left in (of_dead, of_living):
        left.mkdir()
        (left / "content").touch()
    assert draft_of(path) == tmp_path / f".parsed.{os.getpid()}.tmp"
    assert (of_dead.exists(), of_living.exists()) == (False, True)


def test_a_file_is_its_owner_s_from_the_first_byte(tmp_path: Path) -> None:
    path = tmp_path / "sample"
    umask = os.umask(0)
    try:
        write_whole(path, b"\xff")
        write_whole(tmp_path / "page", "é")
    finally:
        os.umask(umask)
    assert path.read_bytes() == b"\xff"
    assert [file.stat().st_mode & 0o777 for file in (path, tmp_path / "page")] == [0o600, 0o600]


def test_what_is_renamed_is_on_the_disk_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a power cut leaves an empty file under the name of a whole one."""
    done: list[str] = []
    synced, replaced = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        done.append(f"fsync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        synced(descriptor)

    def replace(path: Path, target: Path) -> Path:
        done.append(f"rename {path.name}")
        return replaced(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    write_whole(tmp_path / "gate.json", "{}")
    draft = f".gate.json.{os.getpid()}.tmp"
    assert done == [f"fsync {draft}", f"rename {draft}", f"fsync {tmp_path.name}"]
    (tmp_path / "parsed").mkdir()
    (tmp_path / "parsed" / "manifest.json").write_text("{}")
    done.clear()
    sync_folder(tmp_path / "parsed")
    assert done == ["fsync manifest.json", "fsync parsed"]
