"""Withdrawing a version: a tombstone with the reason takes its place, and ``latest`` points elsewhere.

Its content moves to a confidential folder: those who have it keep it, so the next version is still protected
and revised against it. Each step can be repeated, so what a killed process began is finished by the next one.
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
    ReleaseStore,
    is_withdrawn,
    latest_release,
    point_latest,
    read_manifest,
    versions,
)


def withdraw(store: ReleaseStore, version: str, reason: str) -> None:
    """Withdraw a version.

    Args:
        store: the wave's folders.
        version: the version.
        reason: why, as the tombstone says it to everybody.

    Raises:
        ConfigurationError: no reason is given.
        ReleaseError: no such version is public.
    """
    if not reason.strip():
        raise ConfigurationError("no reason is given", remedy="Say with --reason why it is withdrawn")
    with store.held():
        _withdraw(store, version, reason)


def _withdraw(store: ReleaseStore, version: str, reason: str) -> None:
    finish_withdrawals(store)
    if version not in store.public():
        raise ReleaseError(
            f"no version {version} is public",
            expected=f"one of {', '.join(store.public()) or 'none'}",
            remedy="“asco releases” lists them",
        )
    manifest = read_manifest(store.releases / version)
    note = {
        "wave": manifest["wave"],
        "version": version,
        "reason": " ".join(reason.split()),
        "released_at": manifest["released_at"],
        "withdrawn_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "content_sha256": manifest["content_sha256"],
    }
    make_folder(store.withdrawn)
    text = json.dumps(note, ensure_ascii=False, indent=2) + "\n"
    write_whole(store.withdrawn / f"{version}.json", text)
    finish_withdrawals(store)


def finish_withdrawals(store: ReleaseStore) -> None:
    """Carry out every withdrawal decided: move ``latest``, then the folder, then put the tombstone."""
    for path in sorted(store.withdrawn.glob("*.json")) if store.withdrawn.is_dir() else []:
        note = json.loads(path.read_text(encoding="utf-8"))
        if not is_withdrawn(store.releases / note["version"]):
            _carry_out(store, note)


def _carry_out(store: ReleaseStore, note: dict[str, Any]) -> None:
    version = note["version"]
    latest = latest_release(store.releases)
    if latest is not None and latest.name == version:
        others = [other for other in store.public() if other != version and _whole(store, other)]
        if others:
            point_latest(store.releases, others[-1])
        else:
            (store.releases / LATEST).unlink()
    if version in versions(store.releases):
        (store.releases / version).rename(store.withdrawn / version)
        sync(store.withdrawn)
    tombstone = store.releases / f"{DRAFT}{version}-{os.getpid()}"
    shutil.rmtree(tombstone, ignore_errors=True)
    tombstone.mkdir()
    tombstone.chmod(PUBLIC)
    text = json.dumps(note, ensure_ascii=False, indent=2) + "\n"
    (tombstone / TOMBSTONE).write_text(text, encoding="utf-8")
    (tombstone / TOMBSTONE).chmod(0o444)
    sync_folder(tombstone)
    tombstone.rename(store.releases / version)
    sync(store.releases)


def _whole(store: ReleaseStore, version: str) -> bool:
    """Whether a version is neither withdrawn nor about to be."""
    return (store.releases / version / MANIFEST).is_file() and not (
        store.withdrawn / f"{version}.json"
    ).is_file()
