"""A version published while a run was under way is one more that its release is protected with."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from asco_dagster.errors import ReleaseError
from asco_dagster.orchestration import released_state
from asco_dagster.orchestration.fingerprints import fingerprint_of, record_fingerprints
from asco_dagster.orchestration.released_state import (
    EARLIER_VERSIONS,
    announce_release,
    record_release,
    require_same_versions,
)
from asco_dagster.releases.contract import ReleasedFile
from asco_dagster.releases.release import Provenance, Published, approve, publish
from asco_dagster.releases.store import ReleaseStore, read_manifest
from asco_dagster.storage.places import Places

RELEASE, CELLS = "pub_asco__release", "sec_asco__cells"


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(released_state, "readers", lambda *_: [CELLS])
    with duckdb.connect() as database:
        yield SimpleNamespace(places=Places(tmp_path), wave=SimpleNamespace(wave="2014"), database=database)


def _store(step: Any) -> ReleaseStore:
    return ReleaseStore.of(step.places, "2014")


def _publish(step: Any, number: int) -> Published:
    def write(draft: Path) -> list[ReleasedFile]:
        (draft / "tables").mkdir()
        (draft / "tables" / "a.csv").write_text(f"x\r\n{number}\r\n")
        return [ReleasedFile("tables/a.csv", 1)]

    made = Provenance("code", [], {}, {}, {})
    return publish("2014", _store(step), write, made, approval_required=True)


def _cells_made(step: Any) -> None:
    """The cells are protected with the versions that are public now."""
    state = EARLIER_VERSIONS(step)
    record_fingerprints(
        step.database, {CELLS: fingerprint_of(step.database, CELLS, [], ["base"], state)}, state
    )


def test_a_version_approved_during_a_run_refuses_its_release(step: Any) -> None:
    _publish(step, 1)
    _publish(step, 2)
    _cells_made(step)  # of another run, with 1.0.0 alone
    require_same_versions(step, RELEASE)
    approve(_store(step), "2.0.0", "Camille Martin")
    with pytest.raises(ReleaseError, match=r"version 2\.0\.0 was published since sec_asco__cells was made"):
        require_same_versions(step, RELEASE)
    _cells_made(step)
    require_same_versions(step, RELEASE)


def test_the_tables_of_an_approved_candidate_are_up_to_date(step: Any) -> None:
    _publish(step, 1)
    _cells_made(step)
    before = fingerprint_of(step.database, CELLS, [], ["base"], EARLIER_VERSIONS(step))
    made = _publish(step, 2)
    record_release(step, RELEASE)
    announce_release(step, RELEASE, made.version, read_manifest(made.folder)["content_sha256"])
    approve(_store(step), "2.0.0", "Camille Martin")
    assert fingerprint_of(step.database, CELLS, [], ["base"], EARLIER_VERSIONS(step)) == before
    require_same_versions(step, RELEASE)
