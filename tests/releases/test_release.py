"""A release is whole or not there, is never overwritten, and the same tables make no new one."""

import datetime as dt
import json
import os
from pathlib import Path

import pytest

from asco_dagster.connectors.fetch import sha256_of
from asco_dagster.errors import ReleaseError
from asco_dagster.releases import draft
from asco_dagster.releases import release as module
from asco_dagster.releases.contract import ReleasedFile
from asco_dagster.releases.release import Provenance, publish
from asco_dagster.releases.store import ReleaseStore, latest_release, read_manifest, versions

PROVENANCE = Provenance("test", [], {"stg_x__y": "passed"}, {"minimum_respondents": 3}, {"share": 1e-6})


def _writer(content: str):
    def write(folder: Path) -> list[ReleasedFile]:
        (folder / "tables").mkdir()
        (folder / "tables" / "cells.csv").write_text(content)
        return [ReleasedFile("tables/cells.csv", content.count("\n"))]

    return write


def _shelf(folder: Path) -> ReleaseStore:
    return ReleaseStore(folder, folder / ".sealed", folder / ".withdrawn")


def _bytes_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_first_release_is_1_0_0_and_latest(tmp_path: Path) -> None:
    made = publish("2014", _shelf(tmp_path), _writer("a\n1\n"), PROVENANCE)
    assert (made.version, made.is_new) == ("1.0.0", True)
    assert latest_release(tmp_path) == tmp_path / "1.0.0"
    manifest = read_manifest(made.folder)
    assert manifest["files"]["tables/cells.csv"]["rows"] == 2
    assert manifest["gates"] == {"stg_x__y": "passed"}


def test_the_same_tables_make_no_new_release(tmp_path: Path) -> None:
    publish("2014", _shelf(tmp_path), _writer("a\n1\n"), PROVENANCE)
    before = _bytes_of(tmp_path / "1.0.0")
    again = publish("2014", _shelf(tmp_path), _writer("a\n1\n"), PROVENANCE)
    assert (again.version, again.is_new) == ("1.0.0", False)
    assert _bytes_of(tmp_path / "1.0.0") == before
    assert versions(tmp_path) == ["1.0.0"]


def test_changed_numbers_make_the_next_major_and_leave_the_former(tmp_path: Path) -> None:
    publish("2014", _shelf(tmp_path), _writer("a\n1\n"), PROVENANCE)
    before = _bytes_of(tmp_path / "1.0.0")
    assert publish("2014", _shelf(tmp_path), _writer("a\n2\n"), PROVENANCE).version == "2.0.0"
    assert latest_release(tmp_path) == tmp_path / "2.0.0"
    assert _bytes_of(tmp_path / "1.0.0") == before


def test_a_failure_while_writing_leaves_the_former_state(tmp_path: Path) -> None:
    publish("2014", _shelf(tmp_path), _writer("a\n1\n"), PROVENANCE)
    before = _bytes_of(tmp_path)

    def fails(folder: Path) -> list[ReleasedFile]:
        (folder / "half.csv").write_text("half")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        publish("2014", _shelf(tmp_path), fails, PROVENANCE)
    assert _bytes_of(tmp_path) == before
    assert latest_release(tmp_path) == tmp_path / "1.0.0"


@pytest.mark.parametrize(("step", "instant"), [(module, "seal"), (draft, "sync"), (draft, "point_latest")])
def test_a_kill_at_any_step_leaves_whole_releases_only(tmp_path: Path, step, instant: str) -> None:
    publish("2014", _shelf(tmp_path), _writer("a\n1\n"), PROVENANCE)
    child = os.fork()
    if child == 0:
        setattr(step, instant, lambda *_: os._exit(9))
        publish("2014", _shelf(tmp_path), _writer("a\n2\n"), PROVENANCE)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 9
    newest = latest_release(tmp_path)
    assert newest is not None
    for version in versions(tmp_path):
        manifest = read_manifest(tmp_path / version)
        for path, entry in manifest["files"].items():
            assert sha256_of(tmp_path / version / path) == entry["sha256"]
    # the next run finishes the work and sweeps the draft away
    assert publish("2014", _shelf(tmp_path), _writer("a\n2\n"), PROVENANCE).folder.name == "2.0.0"
    assert not list(tmp_path.glob(".draft-*"))
    assert latest_release(tmp_path) == tmp_path / "2.0.0"


def test_a_new_version_is_announced_before_it_is_there_and_no_other(tmp_path: Path) -> None:
    announced = []

    def announce(version: str, content: str) -> None:
        announced.append((version, content, _shelf(tmp_path).state()))

    for number in (1, 1, 2):
        publish("2014", _shelf(tmp_path), _writer(f"a\n{number}\n"), PROVENANCE, announce=announce)
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    sealed = publish(
        "2014", _shelf(tmp_path), _writer("a\n3\n"), PROVENANCE, announce=announce, public_from=later
    )
    assert sealed.sealed_until == later
    assert [[*before, [version, content]] for version, content, before in announced] == [
        _shelf(tmp_path).state()[:1],
        _shelf(tmp_path).state(),
    ]


def test_a_file_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    def extra(folder: Path) -> list[ReleasedFile]:
        (folder / "secret.txt").write_text("x")
        return _writer("a\n1\n")(folder)

    with pytest.raises(ReleaseError, match=r"secret\.txt"):
        publish("2014", _shelf(tmp_path), extra, PROVENANCE)
    assert versions(tmp_path) == []


def test_released_files_are_read_only(tmp_path: Path) -> None:
    made = publish("2014", _shelf(tmp_path), _writer("a\n1\n"), PROVENANCE)
    for path in made.folder.rglob("*"):
        if path.is_file():
            assert path.stat().st_mode & 0o222 == 0


def test_a_folder_without_manifest_is_no_release(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"no manifest\.json"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(ReleaseError, match="not JSON"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"wave": "2014"}))
    assert read_manifest(tmp_path) == {"wave": "2014"}
