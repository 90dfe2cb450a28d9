"""The versions that a home holds, read from their folders alone: public, sealed, withdrawn.

What does not belong here: which folders are versions (``releases.store``), making one, and judging one
(``asco verify``).
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

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
        released_at: time of release, as its manifest says it; of a sealed one, when it may be released.
        content_sha256: hash of its content.
        latest: whether ``latest`` points to it.
        path: its folder.
        state: public, withdrawn (a tombstone stands in its place) or sealed until its day.
    """

    wave: str
    version: str
    released_at: str
    content_sha256: str
    latest: bool
    path: str
    state: State = "public"

    def told(self) -> dict[str, Any]:
        """As JSON tells it."""
        return asdict(self)


def list_releases(places: Places, waves: Sequence[str]) -> list[Release]:
    """Versions of these waves, by wave and then in order of release.

    Raises:
        ReleaseError: a release folder has no manifest that can be read.
    """
    found = [release for wave in waves for release in _of_wave(places, wave)]
    return sorted(found, key=lambda release: (release.wave, release.released_at, release.version))


def released_waves(places: Places) -> list[str]:
    """Waves that have a version, public or sealed, whether or not they still have a wave file."""
    found = {path.name for root in ("releases", "sealed") for path in (places.home / root).glob("*/")}
    return sorted(found)


def _of_wave(places: Places, wave: str) -> Iterator[Release]:
    if wave not in released_waves(places):  # looking makes no folder
        return
    store = ReleaseStore.of(places, wave)
    latest = latest_release(store.releases)
    for version in versions(store.releases):
        path = store.releases / version
        withdrawn = is_withdrawn(path)
        told = _told(path / (TOMBSTONE if withdrawn else MANIFEST), wave, "released_at")
        yield Release(
            **told, latest=path == latest, path=str(path), state="withdrawn" if withdrawn else "public"
        )
    sealed = waiting(store)
    if sealed is not None:
        told = _told(sealed / MANIFEST, wave, "public_from")
        yield Release(**told, latest=False, path=str(sealed), state="sealed")


def _told(file: Path, wave: str, instant: str) -> dict[str, str]:
    keys = {"wave": "wave", "version": "version", "released_at": instant, "content_sha256": "content_sha256"}
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        return {name: str(told[key]) for name, key in keys.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReleaseError(
            f"release {wave}/{file.parent.name} has no readable manifest ({type(error).__name__}: {error})",
            file=file,
            expected=f"JSON with {', '.join(keys.values())}",
            remedy=f"Look into it with asco verify {file.parent}; remove a folder that is no release",
        ) from error
