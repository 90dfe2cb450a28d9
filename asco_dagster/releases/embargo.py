"""The version of a wave that waits, for its day or for an approval: sealed, confidential, one at a time.

It is in ``sealed/<wave>/`` under its version and the hash of its content; ``next`` points to it and is
replaced by rename, so after a kill at any instant there is the former one or the new one. A plan may open it
later than the wave file says, never earlier. Who approved it: ``approval``.
"""

import datetime as dt
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from asco_dagster.durable import point, sync, write_whole
from asco_dagster.errors import ConfigurationError, ReleaseError
from asco_dagster.releases.approval import waits_for_approval
from asco_dagster.releases.store import ReleaseStore, read_manifest
from asco_dagster.storage.places import Places
from asco_dagster.waves import Wave

NEXT = "next"
PLAN = "plan.json"
PARIS = ZoneInfo("Europe/Paris")


def public_from(wave: Wave) -> dt.datetime | None:
    """First instant at which a release of the wave may be public; None when its file names no day."""
    release = wave.release
    if release.embargo is None:
        return None
    return dt.datetime.combine(release.embargo, release.hour, tzinfo=PARIS)


def waiting(store: ReleaseStore) -> Path | None:
    """The folder of the sealed version, None when none waits or its folder is gone."""
    link = store.sealed / NEXT
    folder = store.sealed / link.readlink() if link.is_symlink() else None
    return folder if folder is not None and folder.is_dir() else None


def keep(store: ReleaseStore, draft: Path) -> Path:
    """Make a sealed draft the version that waits, in place of the former one, of which nothing was public."""
    manifest = read_manifest(draft)
    target = store.sealed / name_of(manifest)
    if target.exists():
        shutil.rmtree(target)  # left by a process killed before the link pointed to it
    draft.rename(target)
    sync(store.sealed)
    point(store.sealed, NEXT, target.name)
    _remove_others(store, target.name)
    return target


def name_of(manifest: Mapping[str, Any]) -> str:
    """Name of a sealed version: its version and the beginning of the hash of its content."""
    return f"{manifest['version']}-{manifest['content_sha256'][:12]}"


def clear(store: ReleaseStore) -> None:
    """Forget the sealed version and its plan, once a version of the present inputs is public."""
    if store.sealed.is_dir():
        (store.sealed / NEXT).unlink(missing_ok=True)
        (store.sealed / PLAN).unlink(missing_ok=True)
        _remove_others(store, "")


def plan(store: ReleaseStore, version: str, when: dt.datetime) -> None:
    """Set the instant at which the sealed version is to be published.

    Raises:
        ConfigurationError: the instant is before the embargo's end, or names no offset.
        ReleaseError: that version is not sealed.
    """
    sealed = waiting(store)
    manifest = read_manifest(sealed) if sealed else {}
    if manifest.get("version") != version:
        raise ReleaseError(
            f"no version {version} is sealed",
            expected=manifest.get("version", "a sealed version"),
            remedy="“asco releases” lists them; “asco run” makes one",
        )
    if when.tzinfo is None:
        raise ConfigurationError(
            f"{when.isoformat()} names no offset", expected="an instant such as 2027-02-21T08:45:00+01:00"
        )
    ends = _end(manifest)
    if when < ends:
        raise ConfigurationError(
            f"{when.isoformat()} is before the end of the embargo",
            expected=f"{ends.isoformat()} or later",
            remedy="Give a later instant, or change release.embargo in the wave file and run the wave again",
        )
    write_whole(store.sealed / PLAN, json.dumps({"version": version, "when": when.isoformat()}))


def opening(store: ReleaseStore, manifest: Mapping[str, Any]) -> dt.datetime:
    """The instant at which the sealed version may be published: as planned, else the end of its embargo."""
    ends = _end(manifest)
    path = store.sealed / PLAN
    if path.is_file():
        planned = json.loads(path.read_text(encoding="utf-8"))
        if planned["version"] == manifest["version"]:
            return max(ends, dt.datetime.fromisoformat(planned["when"]))
    return ends


def due(store: ReleaseStore, now: dt.datetime) -> str | None:
    """The sealed version whose instant has come, unless it still waits for an approval."""
    sealed = waiting(store)
    if sealed is None:
        return None
    manifest = read_manifest(sealed)
    open_ = now >= opening(store, manifest) and not waits_for_approval(store, manifest)
    return str(manifest["version"]) if open_ else None


def due_versions(places: Places, waves: list[str], now: dt.datetime) -> dict[str, str]:
    """The sealed versions whose instant has come, by wave.

    Args:
        places: the folders of the home.
        waves: the waves to look at.
        now: the present instant, with its offset.
    """
    found = {wave: due(ReleaseStore.of(places, wave), now) for wave in waves}
    return {wave: version for wave, version in found.items() if version is not None}


def _end(manifest: Mapping[str, Any]) -> dt.datetime:
    """End of the embargo of a sealed version; the moment it was made where it has none."""
    return dt.datetime.fromisoformat(manifest["public_from"] or manifest["sealed_at"])


def _remove_others(store: ReleaseStore, kept: str) -> None:
    for path in store.sealed.iterdir():
        if path.is_dir() and not path.is_symlink() and path.name != kept and not path.name.startswith("."):
            shutil.rmtree(path)
