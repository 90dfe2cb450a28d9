"""The versions of a home, read from their folders: public, sealed, candidates, withdrawn."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from asco_dagster.errors import ReleaseError
from asco_dagster.releases.approval import approvals, waits_for_approval
from asco_dagster.releases.embargo import waiting
from asco_dagster.releases.store import (
    MANIFEST,
    TOMBSTONE,
    ReleaseStore,
    is_withdrawn,
    latest_release,
    read_manifest,
    versions,
)
from asco_dagster.storage.places import Places

State = Literal["public", "withdrawn", "sealed", "candidate"]


@dataclass(frozen=True)
class Release:
    """One version.

    Attributes:
        wave: its wave.
        version: its version, the name of its folder.
        released_at: time of release from its manifest; of a sealed one, the end of the embargo, else when it
            was made.
        content_sha256: hash of its content.
        latest: whether it is the latest.
        path: its folder.
        state: public, withdrawn (replaced by a tombstone), sealed (under embargo) or candidate (waits for an
            approval).
        approved_by: who approved it; None where nobody had to.
    """

    wave: str
    version: str
    released_at: str
    content_sha256: str
    latest: bool
    path: str
    state: State = "public"
    approved_by: str | None = None


def list_releases(places: Places, waves: Sequence[str]) -> list[Release]:
    """Versions of these waves, by wave and time of release.

    Raises:
        ReleaseError: a release folder has no readable manifest.
    """
    found = [release for wave in waves for release in _of_wave(places, wave)]
    return sorted(found, key=lambda release: (release.wave, release.released_at, release.version))


def released_waves(places: Places) -> list[str]:
    """Waves with a public or sealed version, also without a wave file."""
    found = {path.name for root in ("releases", "sealed") for path in (places.home / root).glob("*/")}
    return sorted(found)


def _of_wave(places: Places, wave: str) -> Iterator[Release]:
    if wave not in released_waves(places):  # do not create folders
        return
    store = ReleaseStore.of(places, wave)
    latest = latest_release(store.releases)
    for version in versions(store.releases):
        path = store.releases / version
        withdrawn = is_withdrawn(path)
        manifest = _manifest(path / (TOMBSTONE if withdrawn else MANIFEST), wave, "released_at")
        yield Release(
            **manifest,
            latest=path == latest,
            path=str(path),
            state="withdrawn" if withdrawn else "public",
            approved_by=_approved_by(store, manifest),
        )
    sealed = waiting(store)
    if sealed is not None:
        known = read_manifest(sealed)
        instant = "public_from" if known.get("public_from") else "sealed_at"
        yield Release(
            **_manifest(sealed / MANIFEST, wave, instant),
            latest=False,
            path=str(sealed),
            state="candidate" if waits_for_approval(store, known) else "sealed",
            approved_by=_approved_by(store, known),
        )


def _approved_by(store: ReleaseStore, manifest: Mapping[str, Any]) -> str | None:
    """Who approved a version last: its number and content are the approval's."""
    names = [
        one.by
        for one in approvals(store)
        if (one.version, one.content_sha256) == (manifest["version"], manifest["content_sha256"])
    ]
    return names[-1] if names else None


def _manifest(file: Path, wave: str, instant: str) -> dict[str, str]:
    keys = {"wave": "wave", "version": "version", "released_at": instant, "content_sha256": "content_sha256"}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return {name: str(content[key]) for name, key in keys.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReleaseError(
            f"release {wave}/{file.parent.name} has no readable manifest ({type(error).__name__}: {error})",
            file=file,
            expected=f"JSON with {', '.join(keys.values())}",
            remedy=f"Check it with asco verify {file.parent}; delete a folder that is not a release",
        ) from error
