"""The inbox of the store: deliveries as plain objects, so that any S3 program can deliver.

Their keys are ``confidential/inbox/<wave>/<name>``; a worker downloads them into a separate folder
(``Places.inbox``), never into the home's ``inbox/``.
"""

import json
import os
from pathlib import Path

from asco_dagster.durable import make_folder, replacing, write_whole
from asco_dagster.errors import SourceError
from asco_dagster.storage.inbox import delivered_files
from asco_dagster.storage.shared_store.objects import Listed, Store


def inbox_key(wave: str) -> str:
    """Prefix of the deliveries of a wave."""
    return f"confidential/inbox/{wave}/"


def download_inbox(store: Store, wave: str, folder: Path) -> list[str]:
    """Make a worker's copy of the inbox equal to the store's.

    Returns:
        Names of downloaded files; their time is when they reached the store.
    """
    seen = _seen(folder)
    listed = {one.key.removeprefix(inbox_key(wave)): one for one in store.listed(inbox_key(wave))}
    there = {name: one for name, one in listed.items() if name and not name.endswith("/")}
    missing = [name for name, one in there.items() if not _is_current(folder / name, one, seen.get(name))]
    for name in missing:
        _download(store, there[name], _inside(folder, name))
    for path in delivered_files(folder):
        if path.relative_to(folder).as_posix() not in there:
            path.unlink()
    make_folder(folder)
    write_whole(_note(folder), json.dumps({name: one.etag for name, one in there.items()}))
    return missing


def deliver(store: Store, wave: str, folder: Path) -> list[str]:
    """Upload the files of a folder into the store's inbox; other files there remain.

    Returns:
        Names of the uploaded files.
    """
    names = [path.relative_to(folder).as_posix() for path in delivered_files(folder)]
    for name in names:
        with (folder / name).open("rb") as handle:
            store.add(f"{inbox_key(wave)}{name}", handle)
    return names


def remove_purged(store: Store, wave: str, folder: Path) -> None:
    """Delete from the store's inbox what a purge deleted from its copy."""
    gone = [name for name in _seen(folder) if not (folder / name).exists()]
    store.delete(f"{inbox_key(wave)}{name}" for name in gone)


def _seen(folder: Path) -> dict[str, str]:
    path = _note(folder)
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _note(folder: Path) -> Path:
    """Beside the copy, so that it is not taken for a delivery."""
    return folder.with_name(f".{folder.name}.seen.json")


def _is_current(path: Path, stored: Listed, etag: str | None) -> bool:
    return etag == stored.etag and path.is_file() and path.stat().st_size == stored.size


def _inside(folder: Path, name: str) -> Path:
    target = folder / name
    if not target.resolve().is_relative_to(folder.resolve()) or any(
        part.startswith(".") for part in Path(name).parts
    ):
        raise SourceError(
            f"the store's inbox contains “{name}”, which is not a file name of a delivery",
            remedy="Delete it in the store, or rename it without a leading dot",
        )
    return target


def _download(store: Store, stored: Listed, target: Path) -> None:
    make_folder(target.parent)
    with replacing(target) as draft:
        with draft.open("wb") as handle:
            store.copy_to(stored.key, handle)
        arrived = stored.modified.timestamp()
        os.utime(draft, (arrived, arrived))
