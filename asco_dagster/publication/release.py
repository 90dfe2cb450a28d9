"""A release: a folder that is whole or is not there, and never changes again.

It is written beside its target under a draft name, fsynced, checked, then renamed; ``latest`` is replaced by
rename. A process killed at any instant leaves the former state or the new one. What does not belong here:
what the tables say (``tables``) and the attack on them (``verify``).
"""

import datetime as dt
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from asco_dagster.connectors.fetch import sha256_of
from asco_dagster.errors import ReleaseError
from asco_dagster.publication.tables import ReleasedFile

MANIFEST = "manifest.json"
LATEST = "latest"
_DRAFT = ".draft-"
_VERSION = re.compile(r"^\d+\.\d+\.\d+$")


@dataclass(frozen=True)
class Provenance:
    """Where a release comes from.

    Attributes:
        code_version: version of this code.
        inputs: each input's address, sha256 and size.
        gates: state of every gate upstream.
        rules: the disclosure rules applied.
        rounding: rounding step of each kind of released number.
        tools: versions of what computed the masks and attacked them.
        seconds: how long that took; in the manifest only, since it is never the same twice.
    """

    code_version: str
    inputs: Sequence[Mapping[str, Any]]
    gates: Mapping[str, str]
    rules: Mapping[str, Any]
    rounding: Mapping[str, float]
    tools: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Published:
    """What came of it: the folder, its version, and whether it is new or stood already."""

    folder: Path
    version: str
    is_new: bool


def publish(
    wave: str, releases: Path, write: Callable[[Path], Sequence[ReleasedFile]], provenance: Provenance
) -> Published:
    """Write, seal and publish one release.

    The same tables as the newest release make no new one: that release is returned. Changed tables make the
    next major version.

    Args:
        wave: the wave.
        releases: its releases folder.
        write: writes the released files into the folder that it is given, and lists them.
        provenance: where they come from.

    Raises:
        ReleaseError: a written file is not what the manifest says, or the version stands already.
    """
    releases.mkdir(parents=True, exist_ok=True)
    _clear_drafts(releases)
    draft = releases / f"{_DRAFT}{os.getpid()}"
    draft.mkdir()
    try:
        files = {file.path: _entry(draft, file) for file in write(draft)}
        content = content_hash(files)
        standing = versions(releases)
        if standing and read_manifest(releases / standing[-1])["content_sha256"] == content:
            # a process killed between its two renames left a whole release that nothing points to yet
            point_latest(releases, standing[-1])
            return Published(releases / standing[-1], standing[-1], is_new=False)
        version = next_version(releases)
        manifest = _manifest(wave, version, files, content, provenance)
        (draft / MANIFEST).write_text(
            json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
        )
        _seal(draft)
        target = releases / version
        if target.exists():
            raise ReleaseError(
                f"release {version} of wave {wave} stands already", remedy="Nothing is overwritten"
            )
        draft.rename(target)
        _sync_folder(releases)
        point_latest(releases, version)
        return Published(target, version, is_new=True)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def read_manifest(release: Path) -> dict[str, Any]:
    """The manifest of a release folder.

    Raises:
        ReleaseError: there is none, or it is not JSON.
    """
    path = release / MANIFEST
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ReleaseError(
            "no manifest.json", file=release, remedy="Name a release folder, such as releases/2014/1.0.0"
        ) from error
    except ValueError as error:
        raise ReleaseError(
            "the manifest is not JSON", file=path, remedy="Take the release from its source"
        ) from error


def latest_release(releases: Path) -> Path | None:
    """The folder that ``latest`` points to, or None before the first release."""
    link = releases / LATEST
    return releases / link.readlink() if link.is_symlink() else None


def versions(releases: Path) -> list[str]:
    """Released versions, oldest first."""
    if not releases.is_dir():
        return []
    # a draft that a killed process left has a manifest too, but no version for a name
    found = [path.name for path in releases.iterdir() if _VERSION.match(path.name) and path.is_dir()]
    return sorted(found, key=_numbers)


def releases_state(releases: Path) -> list[list[str]]:
    """Which versions stand with which content, and where ``latest`` points: equal while nothing changed."""
    newest = latest_release(releases)
    standing = [[v, read_manifest(releases / v)["content_sha256"]] for v in versions(releases)]
    return [*standing, [LATEST, newest.name if newest else ""]]


def next_version(releases: Path) -> str:
    """``1.0.0`` for the first release, then the next major: the numbers changed."""
    standing = versions(releases)
    return f"{_numbers(standing[-1])[0] + 1}.0.0" if standing else "1.0.0"


def point_latest(releases: Path, version: str) -> None:
    """Make ``latest`` point to a version, by rename."""
    link = releases / f"{_DRAFT}{LATEST}-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(version, target_is_directory=True)
    link.replace(releases / LATEST)
    _sync_folder(releases)


def content_hash(files: Mapping[str, Mapping[str, Any]]) -> str:
    """Hash of what is released: paths and bytes of every file but the manifest."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path} {files[path]['sha256']}\n".encode())
    return digest.hexdigest()


def _entry(folder: Path, file: ReleasedFile) -> dict[str, Any]:
    path = folder / file.path
    return {"sha256": sha256_of(path), "bytes": path.stat().st_size, "rows": file.rows}


def _manifest(
    wave: str, version: str, files: Mapping[str, Any], content: str, provenance: Provenance
) -> dict[str, Any]:
    return {
        "wave": wave,
        "version": version,
        "released_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "content_sha256": content,
        "files": dict(sorted(files.items())),
        **asdict(provenance),
    }


def _seal(draft: Path) -> None:
    """Check that the folder holds what the manifest says, make the files read-only, and fsync everything."""
    manifest = read_manifest(draft)
    found = {p.relative_to(draft).as_posix() for p in draft.rglob("*") if p.is_file()} - {MANIFEST}
    if found != set(manifest["files"]):
        raise ReleaseError(
            f"the draft holds {sorted(found ^ set(manifest['files']))} that the manifest does not"
        )
    for path in sorted(draft.rglob("*")):
        if path.is_file():
            inside = path.relative_to(draft).as_posix()
            if inside != MANIFEST and sha256_of(path) != manifest["files"][inside]["sha256"]:
                raise ReleaseError(
                    f"{inside} changed while the release was written", remedy="Run the wave again"
                )
            path.chmod(0o444)
            with path.open("rb") as handle:
                os.fsync(handle.fileno())
    for folder in [*(p for p in draft.rglob("*") if p.is_dir()), draft]:
        _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _clear_drafts(releases: Path) -> None:
    """Remove what a killed process left; one run a wave at a time makes every draft found here dead."""
    for path in releases.glob(f"{_DRAFT}*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
