"""The releases that a home holds, read from their folders alone.

What does not belong here: making a release, and judging one (``asco verify``).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from asco_dagster.errors import ReleaseError
from asco_dagster.places import Places

_KEYS = ("wave", "version", "released_at", "content_sha256")


@dataclass(frozen=True)
class Release:
    """One released version.

    Attributes:
        wave: its wave.
        version: its version, the name of its folder.
        released_at: time of release, as its manifest says it.
        content_sha256: hash of its content.
        latest: whether ``latest`` points to it.
        path: its folder.
    """

    wave: str
    version: str
    released_at: str
    content_sha256: str
    latest: bool
    path: str

    def told(self) -> dict[str, Any]:
        """As JSON tells it."""
        return asdict(self)


def list_releases(places: Places, waves: Sequence[str]) -> list[Release]:
    """Releases of these waves, by wave and then in order of release.

    Raises:
        ReleaseError: a release folder has no manifest that can be read.
    """
    found = [release for wave in waves for release in _of_wave(places, wave)]
    return sorted(found, key=lambda release: (release.wave, release.released_at, release.version))


def released_waves(places: Places) -> list[str]:
    """Waves that have a release folder, whether or not they still have a wave file."""
    root = places.releases("any").parent
    return sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []


def _of_wave(places: Places, wave: str) -> list[Release]:
    folder = places.releases(wave)
    if not folder.is_dir():
        return []
    latest = (folder / "latest").resolve()
    releases = []
    for path in sorted(folder.iterdir()):
        # A folder whose name begins with a dot is a release in the making, or one that was killed.
        if not path.is_dir() or path.is_symlink() or path.name.startswith("."):
            continue
        manifest = path / "manifest.json"
        try:
            told = json.loads(manifest.read_text(encoding="utf-8"))
            values = {key: str(told[key]) for key in _KEYS}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ReleaseError(
                f"release {wave}/{path.name} has no readable manifest ({type(error).__name__}: {error})",
                file=manifest,
                expected=f"JSON with {', '.join(_KEYS)}",
                remedy=f"Look into it with asco verify {path}; remove a folder that is no release",
            ) from error
        releases.append(Release(**values, latest=path.resolve() == latest, path=str(path)))
    return releases
