"""Workbooks are left out by mistake and the wave runs: nothing is published until somebody approves it.

The day of an operator in a wave that really ran: a candidate, its page, the job of Dagster's pages, a run
without a change.
"""

import dataclasses
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from asco_dagster.definitions import build_definitions
from asco_dagster.demonstration.archives import write_zip
from asco_dagster.orchestration.tags import APPROVE, CANDIDATE, CANDIDATE_IS_NEW, DIFFERENCES, UNCHANGED
from asco_dagster.publication.candidate.differences import differences
from asco_dagster.releases.approval import approvals
from asco_dagster.releases.candidate import Candidate, candidate_of
from asco_dagster.releases.store import ReleaseStore, latest_release, read_manifest
from asco_dagster.settings import Settings
from asco_testing.worlds import small_wave as world
from asco_testing.worlds.built_once import copied
from asco_testing.worlds.small_wave import SmallWave, failures, materialize, small, small_wave_in

LEFT_OUT, NAME = 12, "Camille Martin"


@dataclasses.dataclass(frozen=True)
class SignedOff:
    """What a run without some workbooks made, what was public then, and what its approval and a run made."""

    candidate: Candidate
    latest: str
    metadata: dict[str, Any]
    page: str
    attacked: dict[str, bytes]
    approved: Path
    store: ReleaseStore
    page_after: bool
    after: dict[str, Any]
    rebuilt: set[str]


@pytest.fixture(scope="module")
def signed_off(small_wave_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignedOff]:
    """A copy of the small wave, of which the file does not say that versions are approved by themselves."""
    home = copied(small_wave_home, tmp_path_factory.mktemp("signed-off") / "home")
    wave = small()
    asking = wave.model_copy(update={"release": wave.release.model_copy(update={"approval": "required"})})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world, "small", lambda: asking)
        with small_wave_in(home) as one:
            yield _signed_off(one)
    shutil.rmtree(home, ignore_errors=True)


def _signed_off(one: SmallWave) -> SignedOff:
    store, places = ReleaseStore.of(one.places, "2014"), one.places
    _leave_out(places.inbox("2014") / one.wave.sources.commune_returns[0].address)
    run = materialize(one, only_changed=True)
    assert run.success, failures(run)
    candidate = candidate_of(places, "2014")
    assert candidate is not None
    page = places.quality("2014") / "candidate.html"
    written, attacked = page.read_text(encoding="utf-8"), _files(candidate.folder)
    latest = latest_release(store.releases).name
    job = build_definitions(settings=Settings(home=one.home)).resolve_job_def("approve_job")
    config = {"wave": "2014", "version": candidate.name, "by": NAME}
    approval = job.execute_in_process(
        run_config={"ops": {"approve_candidate": {"config": config}}}, instance=one.instance
    )
    assert approval.success
    approved, page_after = latest_release(store.releases), page.exists()
    again = materialize(one, only_changed=True)
    assert again.success, failures(again)
    made = {made.asset_key.path[-1]: made for made in _made(again)}
    rebuilt = {name for name, one in made.items() if UNCHANGED not in one.metadata}
    return SignedOff(
        candidate, latest, _metadata(run), written, attacked, approved, store, page_after,
        _metadata(again), rebuilt,
    )  # fmt: skip


def _leave_out(delivery: Path) -> None:
    """Deliver all but the last workbooks."""
    with zipfile.ZipFile(delivery) as archive:
        returns = [(name, archive.read(name)) for name in archive.namelist()]
    books = [name for name, _ in returns if name.endswith(".xlsx")]
    books = books[:: len(books) // LEFT_OUT][:LEFT_OUT]  # some of the last were replaced later
    write_zip(delivery, [(name, content) for name, content in returns if name not in books])


def _made(run: dg.ExecuteInProcessResult) -> list[dg.AssetMaterialization]:
    events = run.get_asset_materialization_events()
    return [event.step_materialization_data.materialization for event in events]


def _metadata(run: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """What the page of the release asset says."""
    (made,) = [one for one in _made(run) if one.asset_key.path[-1] == "pub_asco__release"]
    return {name: value.value for name, value in made.metadata.items()}


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }


def test_nothing_is_published_and_the_asset_says_what_waits(signed_off: SignedOff) -> None:
    candidate, told = signed_off.candidate, signed_off.metadata
    assert (candidate.version, candidate.former, signed_off.latest) == ("2.0.0", "1.0.0", "1.0.0")
    assert candidate.changes["changed"] > 100
    assert told["state"] == f"candidate, waits for approval: {candidate.differences}"
    assert (told[CANDIDATE], told[CANDIDATE_IS_NEW]) == (candidate.name, True)
    assert told[APPROVE] == f"asco release approve 2014 {candidate.name} --by NAME"
    assert told[DIFFERENCES].endswith("/2014/candidate.html")
    assert told["numbers changed"] == candidate.changes["changed"]


def test_the_page_names_the_delivery_that_differs(signed_off: SignedOff) -> None:
    assert "asco-returns-communes-2014.zip" in signed_off.page
    assert signed_off.candidate.command in signed_off.page
    former = signed_off.store.releases / "1.0.0"
    found = differences(former, signed_off.approved)
    assert [file["address"] for file in found.files] == ["asco-returns-communes-2014.zip"]
    (communes,) = [row for row in found.respondents if row["unit_type"] == "commune"]
    assert communes["old"] - LEFT_OUT <= communes["new"] < communes["old"]
    counted = sum(row["changed"] for row in found.tables)
    assert counted == signed_off.candidate.changes["changed"]


def test_the_job_publishes_what_was_attacked(signed_off: SignedOff) -> None:
    assert signed_off.approved.name == "2.0.0"
    assert _files(signed_off.approved) == signed_off.attacked
    (record,) = approvals(signed_off.store)
    assert (record.by, record.former_version) == (NAME, "1.0.0")
    assert record.content_sha256 == read_manifest(signed_off.approved)["content_sha256"]
    assert not signed_off.page_after


def test_a_run_without_a_change_makes_no_candidate(signed_off: SignedOff) -> None:
    assert (signed_off.after["state"], signed_off.after["version"]) == ("unchanged", "2.0.0")
    assert CANDIDATE not in signed_off.after
    # its tables are up to date, though they were made when 2.0.0 was not public
    assert signed_off.rebuilt == {"pub_asco__release", "pub_asco__evolution"}
