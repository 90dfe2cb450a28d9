"""Which releases a wave is compared with: its latest, and that of the wave before it."""

from pathlib import Path

from asco_dagster.releases.store import latest_release, read_manifest
from asco_dagster.storage.places import Places
from asco_dagster.waves import wave_names


def former_release(places: Places, wave: str) -> Path | None:
    """The latest release of the latest wave before this one that has a release."""
    for name in sorted((name for name in wave_names() if name < wave), reverse=True):
        found = latest_release(places.releases(name))
        if found is not None:
            return found
    return None


def compared_contents(places: Places, wave: str) -> list[str]:
    """Hashes of the contents that are compared: of this wave's latest release and of the former wave's.

    Returns:
        Two hashes, each empty where there is no release.
    """
    found = (latest_release(places.releases(wave)), former_release(places, wave))
    return [read_manifest(release)["content_sha256"] if release else "" for release in found]
