"""Taking a version back: a tombstone with the reason stands in its place, and ``latest`` moves away from it.

What it said moves to a confidential folder: those who have it keep it, so the next version is still protected
and revised against it. Each step can be made again, so a process killed at any instant is finished by the
next one. What does not belong here: deciding it.
"""

import datetime as dt
import json
import os
import shutil
from typing import Any

from asco_dagster.durable import DRAFT, PUBLIC, make_folder, sync, sync_folder, write_whole
from asco_dagster.errors import ConfigurationError, ReleaseError
from asco_dagster.releases.store import (
    LATEST,
    MANIFEST,
    TOMBSTONE,
    Shelf,
    is_withdrawn,
    latest_release,
    point_latest,
    read_manifest,
    versions,
)


def withdraw(shelf: Shelf, version: str, reason: str) -> None:
    """Withdraw a version.

    Args:
        shelf: the wave's folders.
        version: the version.
        reason: why, as the tombstone tells everybody.

    Raises:
        ConfigurationError: no reason is given.
        ReleaseError: no such version is public.
    """
    if not reason.strip():
        raise ConfigurationError("no reason is given", remedy="Say with --reason why it is withdrawn")
    with shelf.held():
        _withdraw(shelf, version, reason)


def _withdraw(shelf: Shelf, version: str, reason: str) -> None:
    finish_withdrawals(shelf)
    if version not in shelf.standing():
        raise ReleaseError(
            f"no version {version} is public",
            expected=f"one of {', '.join(shelf.standing()) or 'none'}",
            remedy="“asco releases” lists them",
        )
    manifest = read_manifest(shelf.releases / version)
    told = {
        "wave": manifest["wave"],
        "version": version,
        "reason": " ".join(reason.split()),
        "released_at": manifest["released_at"],
        "withdrawn_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "content_sha256": manifest["content_sha256"],
    }
    make_folder(shelf.withdrawn)
    text = json.dumps(told, ensure_ascii=False, indent=2) + "\n"
    write_whole(shelf.withdrawn / f"{version}.json", text)
    finish_withdrawals(shelf)


def finish_withdrawals(shelf: Shelf) -> None:
    """Carry out every withdrawal decided: move ``latest``, then the folder, then put the tombstone."""
    for note in sorted(shelf.withdrawn.glob("*.json")) if shelf.withdrawn.is_dir() else []:
        told = json.loads(note.read_text(encoding="utf-8"))
        if not is_withdrawn(shelf.releases / told["version"]):
            _carry_out(shelf, told)


def _carry_out(shelf: Shelf, told: dict[str, Any]) -> None:
    version = told["version"]
    latest = latest_release(shelf.releases)
    if latest is not None and latest.name == version:
        others = [other for other in shelf.standing() if other != version and _whole(shelf, other)]
        if others:
            point_latest(shelf.releases, others[-1])
        else:
            (shelf.releases / LATEST).unlink()
    if version in versions(shelf.releases):
        (shelf.releases / version).rename(shelf.withdrawn / version)
        sync(shelf.withdrawn)
    tombstone = shelf.releases / f"{DRAFT}{version}-{os.getpid()}"
    shutil.rmtree(tombstone, ignore_errors=True)
    tombstone.mkdir()
    tombstone.chmod(PUBLIC)
    text = json.dumps(told, ensure_ascii=False, indent=2) + "\n"
    (tombstone / TOMBSTONE).write_text(text, encoding="utf-8")
    (tombstone / TOMBSTONE).chmod(0o444)
    sync_folder(tombstone)
    tombstone.rename(shelf.releases / version)
    sync(shelf.releases)


def _whole(shelf: Shelf, version: str) -> bool:
    """Whether a version is neither withdrawn nor about to be."""
    return (shelf.releases / version / MANIFEST).is_file() and not (
        shelf.withdrawn / f"{version}.json"
    ).is_file()
