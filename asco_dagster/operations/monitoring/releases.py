"""The versions of a home, read from their folders: public, sealed, withdrawn."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from asco_dagster.errors import ReleaseError
from asco_dagster.releases.embargo import waiting
from asco_dagster.releases.store import (
    MANIFEST,
    TOMBSTONE,
    ReleaseStore,
    is_withdrawn,
    latest_release,
    versions,
)
from asco_dagster.storage.places import Places

State = Literal["public", "withdrawn", "sealed"]


@dataclass(frozen=True)
class Release:
    """One version.

    Attributes:
        wave: its wave.
        version: its version, the name of its folder.
        released_at: time of release from its manifest; of a sealed one, the end of the embargo.
        content_sha256: hash of its content.
        latest: whether it is the latest.
        path: its folder.
        state: public, withdrawn (replaced by a tombstone) or sealed (under embargo).
    """

    wave: str
    version: str
    released_at: str
    content_sha256: str
    latest: bool
    path: str
    state: State = "public"


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
            **manifest, latest=path == latest, path=str(path), state="withdrawn" if withdrawn else "public"
        )
    sealed = waiting(store)
    if sealed is not None:
        manifest = _manifest(sealed / MANIFEST, wave, "public_from")
        yield Release(**manifest, latest=False, path=str(sealed), state="sealed")


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
