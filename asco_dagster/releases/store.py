"""The versions of one wave: published, sealed until their day or an approval, withdrawn; their manifests."""

import fcntl
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asco_dagster.durable import make_folder, point
from asco_dagster.errors import ReleaseError
from asco_dagster.storage.places import Places

if TYPE_CHECKING:
    from asco_dagster.releases.changes import Level

MANIFEST = "manifest.json"
TOMBSTONE = "withdrawn.json"
LATEST = "latest"
_VERSION = re.compile(r"^\d+\.\d+\.\d+$")


@dataclass(frozen=True)
class ReleaseStore:
    """The folders of one wave's versions.

    Attributes:
        releases: public: one folder a version, a tombstone in place of a withdrawn one, ``latest``.
        sealed: confidential: the version that waits for its day or for an approval, and the approvals.
        withdrawn: confidential: the content of withdrawn versions, since what was public once stays known.
    """

    releases: Path
    sealed: Path
    withdrawn: Path

    @classmethod
    def of(cls, places: Places, wave: str) -> "ReleaseStore":
        """The folders of a wave in a home."""
        return cls(places.releases(wave), places.sealed(wave), places.withdrawn(wave))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the store against other processes that publish or withdraw; a dead one holds nothing."""
        make_folder(self.sealed)
        with (self.sealed / ".lock").open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def content(self, version: str) -> Path:
        """The folder that holds the content of a version, withdrawn or not."""
        public = self.releases / version
        return public if (public / MANIFEST).is_file() else self.withdrawn / version

    def known(self) -> list[str]:
        """Every version that ever was public, oldest first."""
        return sorted(set(versions(self.releases)) | set(versions(self.withdrawn)), key=numbers)

    def state(self) -> list[list[str]]:
        """Every version that ever was public with the hash of its content, oldest first."""
        return [[version, read_manifest(self.content(version))["content_sha256"]] for version in self.known()]

    def public(self) -> list[str]:
        """Versions that are public today, oldest first."""
        return [version for version in versions(self.releases) if not is_withdrawn(self.releases / version)]


def read_manifest(release: Path) -> dict[str, Any]:
    """The manifest of a release folder.

    Raises:
        ReleaseError: there is none, or it is not JSON.
    """
    path = release / MANIFEST
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_distinct))
    except FileNotFoundError as error:
        if is_withdrawn(release):
            tombstone = json.loads((release / TOMBSTONE).read_text(encoding="utf-8"))
            raise ReleaseError(
                f"version {tombstone['version']} was withdrawn: {tombstone['reason']}",
                file=release,
                remedy="Take the version that latest points to",
            ) from error
        raise ReleaseError(
            "no manifest.json", file=release, remedy="Name a release folder, such as releases/2014/1.0.0"
        ) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise ReleaseError(
            "the manifest is not JSON", file=path, remedy="Take the release from its source"
        ) from error


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; one that names a key twice would say different things to different readers."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def is_withdrawn(release: Path) -> bool:
    """Whether a release folder is a tombstone."""
    return (release / TOMBSTONE).is_file()


def latest_release(releases: Path) -> Path | None:
    """The folder that ``latest`` points to, or None before the first release."""
    link = releases / LATEST
    return releases / link.readlink() if link.is_symlink() else None


def versions(releases: Path) -> list[str]:
    """Versions that have a folder, tombstones among them, oldest first."""
    if not releases.is_dir():
        return []
    # a draft that a killed process left has a manifest too, but no version for a name
    found = [path.name for path in releases.iterdir() if _VERSION.match(path.name) and path.is_dir()]
    return sorted(found, key=numbers)


def next_version(known: list[str], level: "Level" = "major") -> str:
    """``1.0.0`` for the first release, then the next of that level."""
    if not known:
        return "1.0.0"
    major, minor, patch = numbers(known[-1])
    raised = {
        "major": (major + 1, 0, 0),
        "minor": (major, minor + 1, 0),
        "patch": (major, minor, patch + 1),
    }
    return ".".join(map(str, raised[level]))


def numbers(version: str) -> tuple[int, ...]:
    """A version as numbers, by which versions are sorted."""
    return tuple(int(part) for part in version.split("."))


def point_latest(releases: Path, version: str) -> None:
    """Make ``latest`` point to a version, by rename."""
    point(releases, LATEST, version)
