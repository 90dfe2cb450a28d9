"""A version that changes public numbers waits for an approval; approving it publishes exactly those bytes."""

import datetime as dt
import json
import os
import shutil
from pathlib import Path

import pytest

from asco_dagster.errors import ConfigurationError, ReleaseError
from asco_dagster.releases import approval as approval_module
from asco_dagster.releases import draft, embargo
from asco_dagster.releases import release as module
from asco_dagster.releases.approval import approvals
from asco_dagster.releases.candidate import candidate_of, candidates
from asco_dagster.releases.contract import ReleasedFile
from asco_dagster.releases.release import Provenance, Published, approve, publish, publish_sealed
from asco_dagster.releases.store import MANIFEST, ReleaseStore, latest_release, read_manifest, versions
from asco_dagster.releases.withdrawal import withdraw
from asco_dagster.storage.places import Places

LATER = dt.datetime(2999, 1, 1, tzinfo=dt.UTC)
NAME = "Camille Martin"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


@pytest.fixture
def store(places: Places) -> ReleaseStore:
    """A wave of which 1.0.0 is public: two numbers."""
    store = ReleaseStore.of(places, "2014")
    made = run(store, 1, 5)
    assert (made.version, made.is_public) == ("1.0.0", True)  # the first version waits for nobody
    return store


def run(store: ReleaseStore, *numbers: int, note: str = "as usual", **options) -> Published:
    """What a run of a wave does that requires approvals; the table holds these numbers."""

    def write(folder: Path) -> list[ReleasedFile]:
        (folder / "tables").mkdir()
        rows = "".join(f"{place},{number}\n" for place, number in enumerate(numbers))
        (folder / "tables" / "cells.csv").write_text(f"place,a\n{rows}")
        (folder / "tables" / "notes.csv").write_text(f"note\n{note}\n")
        return [ReleasedFile("tables/cells.csv", len(numbers)), ReleasedFile("tables/notes.csv", 1)]

    provenance = Provenance("code", [], {}, {}, {})
    return publish("2014", store, write, provenance, **{"approval_required": True, **options})


def content_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != MANIFEST
    }


def test_a_version_that_changes_a_number_is_kept_and_latest_is_still_the_former(
    store: ReleaseStore, places: Places
) -> None:
    made = run(store, 1, 6)
    assert (made.version, made.is_new, made.unapproved, made.is_public) == ("2.0.0", True, True, False)
    assert latest_release(store.releases).name == "1.0.0"
    assert (versions(store.releases), store.known()) == (["1.0.0"], ["1.0.0"])
    assert made.folder.parent == store.sealed
    assert store.sealed.stat().st_mode & 0o077 == 0
    (found,) = candidates(places, ["2014", "2025"])
    assert (found.version, found.former, found.differences) == ("2.0.0", "1.0.0", "1 number changed")
    assert found.command == f"asco release approve 2014 {made.folder.name} --by NAME"
    assert not (places.home / "sealed" / "2025").exists()
    again = run(store, 1, 6)
    assert (again.folder, again.is_new, again.unapproved) == (made.folder, False, True)
    assert embargo.due(store, dt.datetime.now(dt.UTC)) is None
    with pytest.raises(ReleaseError, match="nobody has approved it"):
        publish_sealed(store, "2.0.0")
    assert latest_release(store.releases).name == "1.0.0"


def test_approving_publishes_the_same_bytes_and_records_who_did(store: ReleaseStore, places: Places) -> None:
    made = run(store, 1, 6)
    bytes_before, content = content_of(made.folder), read_manifest(made.folder)["content_sha256"]
    done = approve(store, "2.0.0", f" {NAME}\n")
    assert (done.version, done.is_new, done.is_public) == ("2.0.0", True, True)
    assert latest_release(store.releases) == done.folder
    assert content_of(done.folder) == bytes_before
    manifest = read_manifest(done.folder)
    assert (manifest["content_sha256"], manifest["former_version"]) == (content, "1.0.0")
    assert NAME not in (done.folder / MANIFEST).read_text()  # a name is not public
    assert "approval" not in manifest
    assert manifest["released_at"]
    (record,) = approvals(store)
    assert (record.by, record.version, record.content_sha256) == (NAME, "2.0.0", content)
    assert dt.datetime.fromisoformat(record.at) <= dt.datetime.now(dt.UTC)
    assert (store.sealed / approval_module.RECORD).stat().st_mode & 0o077 == 0
    assert candidate_of(places, "2014") is None
    assert not approve(store, "2.0.0", NAME).is_new  # once more: nothing happens
    assert not run(store, 1, 6).is_new
    assert len(approvals(store)) == 1


def test_a_patch_waits_for_nobody_and_additions_do(store: ReleaseStore) -> None:
    patch = run(store, 1, 5, note="a text")
    assert (patch.version, patch.is_new, patch.is_public) == ("1.0.1", True, True)
    assert latest_release(store.releases).name == "1.0.1"
    assert embargo.waiting(store) is None
    added = run(store, 1, 5, 7, note="a text")
    assert (added.version, added.unapproved) == ("1.1.0", True)


def test_a_wave_that_approves_by_itself_publishes_at_once(store: ReleaseStore) -> None:
    kept = run(store, 1, 6)
    assert kept.unapproved
    made = run(store, 1, 6, approval_required=False)
    assert (made.version, made.is_new, made.is_public) == ("2.0.0", True, True)
    assert embargo.waiting(store) is None
    assert approvals(store) == []


def test_a_newer_candidate_replaces_one_of_other_inputs(store: ReleaseStore) -> None:
    first = run(store, 1, 6)
    second = run(store, 1, 8)
    assert second.version == first.version == "2.0.0"
    assert not first.folder.exists()
    with pytest.raises(ReleaseError, match=f"no version {first.folder.name} waits.*{second.folder.name}"):
        approve(store, first.folder.name, NAME)
    assert latest_release(store.releases).name == "1.0.0"
    assert approve(store, second.folder.name, NAME).version == "2.0.0"
    with pytest.raises(ReleaseError, match="waits for an approval"):
        approve(store, first.folder.name, NAME)  # 2.0.0 is public, with another content


def test_a_candidate_is_dropped_when_the_mistake_is_corrected(store: ReleaseStore) -> None:
    run(store, 1, 6)
    assert not run(store, 1, 5).is_new
    assert embargo.waiting(store) is None
    with pytest.raises(ReleaseError, match=r"no version 2\.0\.0 waits for an approval; expected a candidate"):
        approve(store, "2.0.0", NAME)


def test_what_is_not_the_version_that_waits_is_refused(store: ReleaseStore) -> None:
    made = run(store, 1, 6)
    for version in ("3.0.0", "../1.0.0", ""):
        with pytest.raises(ReleaseError, match="waits for an approval"):
            approve(store, version, NAME)
    for name in ("", " \n", "x" * 300):
        with pytest.raises(ConfigurationError, match="name"):
            approve(store, "2.0.0", name)
    (made.folder / "tables" / "cells.csv").unlink()
    with pytest.raises(ReleaseError, match=r"cells\.csv"):
        approve(store, "2.0.0", NAME)
    shutil.rmtree(made.folder)
    with pytest.raises(ReleaseError, match=r"no version 2\.0\.0 waits"):
        approve(store, "2.0.0", NAME)
    assert versions(store.releases) == ["1.0.0"]


def test_an_altered_candidate_is_not_published(store: ReleaseStore) -> None:
    made = run(store, 1, 6)
    file = made.folder / "tables" / "cells.csv"
    file.chmod(0o644)
    file.write_text("place,a\n0,1\n1,7\n")
    with pytest.raises(ReleaseError, match="changed while"):
        approve(store, "2.0.0", NAME)
    assert latest_release(store.releases).name == "1.0.0"


def test_a_candidate_made_before_another_version_is_refused(store: ReleaseStore, monkeypatch) -> None:
    made = run(store, 1, 6)
    with monkeypatch.context() as patch:
        patch.setattr(embargo, "clear", lambda _: None)  # a process killed before it cleared
        assert run(store, 1, 5, note="a text", approval_required=False).version == "1.0.1"
    assert made.folder.exists()
    with pytest.raises(ReleaseError, match=r"1\.0\.1 was published since version 2\.0\.0 was made"):
        approve(store, "2.0.0", NAME)
    assert approvals(store) == []
    assert latest_release(store.releases).name == "1.0.1"
    assert run(store, 1, 6).unapproved  # compared with 1.0.1 now, it waits for an approval of its own


def test_an_approval_is_of_one_comparison(store: ReleaseStore) -> None:
    run(store, 1, 6)
    approve(store, "2.0.0", NAME)
    withdraw(store, "2.0.0", "A delivery was mixed up")
    back = run(store, 1, 5)
    assert (back.version, back.unapproved) == ("3.0.0", True)


def test_approved_under_embargo_it_waits_for_its_day(store: ReleaseStore, monkeypatch) -> None:
    made = run(store, 1, 6, public_from=LATER)
    assert (made.sealed_until, made.unapproved) == (LATER, True)
    assert embargo.due(store, LATER) is None  # its day alone publishes nothing
    approved = approve(store, "2.0.0", NAME)
    assert (approved.sealed_until, approved.is_public, approved.is_new) == (LATER, False, False)
    assert latest_release(store.releases).name == "1.0.0"
    assert not run(store, 1, 6, public_from=LATER).unapproved
    assert embargo.due(store, LATER - dt.timedelta(seconds=1)) is None
    assert embargo.due(store, LATER) == "2.0.0"
    other = run(store, 1, 9, public_from=LATER)
    assert other.unapproved  # another content needs another approval
    assert embargo.due(store, LATER) is None
    assert not run(store, 1, 6, public_from=LATER).unapproved
    monkeypatch.setattr(module, "_now", lambda: LATER)
    assert publish_sealed(store, "2.0.0").is_new
    assert latest_release(store.releases).name == "2.0.0"


def test_the_day_comes_before_the_approval(store: ReleaseStore, monkeypatch) -> None:
    run(store, 1, 6, public_from=LATER)
    monkeypatch.setattr(module, "_now", lambda: LATER)
    with pytest.raises(ReleaseError, match="nobody has approved it"):
        publish_sealed(store, "2.0.0")
    assert approve(store, "2.0.0", NAME).is_new


def test_a_postponed_embargo_is_that_of_the_version_that_waits(store: ReleaseStore) -> None:
    run(store, 1, 6, public_from=LATER)
    later = LATER + dt.timedelta(days=5)
    assert run(store, 1, 6, public_from=later).sealed_until == later
    assert read_manifest(embargo.waiting(store))["public_from"] == later.isoformat()


def test_candidates_are_announced_to_nobody(store: ReleaseStore) -> None:
    announced = []
    run(store, 1, 6, announce=lambda *version: announced.append(version))
    assert announced == []
    run(store, 1, 5, note="a text", announce=lambda version, _: announced.append(version))
    assert announced == ["1.0.1"]


@pytest.mark.parametrize(
    ("step", "instant"),
    [
        (embargo, "point"),
        (approval_module, "write_whole"),
        (module, "write_manifest"),
        (module, "seal"),
        (draft, "sync"),
        (draft, "point_latest"),
        (embargo, "clear"),
    ],
)
def test_a_kill_at_any_step_publishes_all_or_nothing(store: ReleaseStore, step, instant: str) -> None:
    killed_while_kept = instant == "point"
    if not killed_while_kept:
        run(store, 1, 6)
    child = os.fork()
    if child == 0:
        setattr(step, instant, lambda *_: os._exit(9))
        run(store, 1, 6) if killed_while_kept else approve(store, "2.0.0", NAME)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 9
    newest = latest_release(store.releases)
    for version in versions(store.releases):
        manifest = read_manifest(store.releases / version)
        assert set(content_of(store.releases / version)) == set(manifest["files"])
        assert "released_at" in manifest
    assert newest.name == ("2.0.0" if instant == "clear" else "1.0.0")
    # the next run, then the next approval, finish the work
    again = run(store, 1, 6)
    if again.unapproved:
        assert instant in ("point", "write_whole")
        approve(store, "2.0.0", NAME)
    assert latest_release(store.releases).name == "2.0.0"
    assert embargo.waiting(store) is None
    assert not list(store.releases.glob(".draft-*"))
    assert [one.by for one in approvals(store)] == [NAME]


def test_the_calendar_finishes_an_approval_that_was_killed(store: ReleaseStore, monkeypatch) -> None:
    run(store, 1, 6)
    with monkeypatch.context() as patch:
        patch.setattr(module, "_publish_sealed", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            approve(store, "2.0.0", NAME)
    assert embargo.due(store, dt.datetime.now(dt.UTC)) == "2.0.0"
    assert publish_sealed(store, "2.0.0").is_new


def test_a_manifest_counts_what_changed(store: ReleaseStore) -> None:
    assert read_manifest(store.releases / "1.0.0")["changes"] is None
    made = run(store, 2, 6, 7)
    counts = {"changed": 2, "suppressed": 0, "disclosed": 0, "removed": 0, "added_rows": 1}
    assert json.loads((made.folder / MANIFEST).read_text())["changes"] == counts
