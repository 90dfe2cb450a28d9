"""The inbox of the store: deliveries as plain objects, so that any S3 program can deliver.

They stand under ``confidential/inbox/<wave>/`` by their names; a worker brings them into a folder of its
own (``Places.inbox``), never into the home's ``inbox/``, which stays the office's. What does not belong
here: what is delivered.
"""

import json
import os
from pathlib import Path

from asco_dagster.durable import make_folder, sync, write_whole
from asco_dagster.errors import SourceError
from asco_dagster.storage.inbox import delivered_files
from asco_dagster.storage.shared_store.objects import Listed, Store


def inbox_key(wave: str) -> str:
    """Where the deliveries of a wave stand."""
    return f"confidential/inbox/{wave}/"


def bring_inbox(store: Store, wave: str, folder: Path) -> list[str]:
    """Make a worker's copy of the inbox what the store has.

    Args:
        store: the store.
        wave: the wave.
        folder: the copy, which holds nothing else.

    Returns:
        Names that were brought; a delivery keeps the time at which it reached the store.
    """
    seen = _seen(folder)
    there = {own.key.removeprefix(inbox_key(wave)): own for own in store.listed(inbox_key(wave))}
    there = {name: own for name, own in there.items() if name and not name.endswith("/")}
    brought = [name for name, own in there.items() if not _stands(folder / name, own, seen.get(name))]
    for name in brought:
        _bring(store, there[name], _inside(folder, name))
    for path in delivered_files(folder):
        if path.relative_to(folder).as_posix() not in there:
            path.unlink()
    make_folder(folder)
    write_whole(_note(folder), json.dumps({name: own.etag for name, own in there.items()}))
    return brought


def deliver(store: Store, wave: str, folder: Path) -> list[str]:
    """Put the files of a folder into the store's inbox; what stands there and is not in the folder stays.

    Returns:
        Names that were sent.
    """
    names = [path.relative_to(folder).as_posix() for path in delivered_files(folder)]
    for name in names:
        with (folder / name).open("rb") as handle:
            store.add(f"{inbox_key(wave)}{name}", handle)
    return names


def remove_purged(store: Store, wave: str, folder: Path) -> None:
    """Delete from the store's inbox what a purge deleted from a worker's copy of it."""
    gone = [name for name in _seen(folder) if not (folder / name).exists()]
    store.delete(f"{inbox_key(wave)}{name}" for name in gone)


def _seen(folder: Path) -> dict[str, str]:
    path = _note(folder)
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _note(folder: Path) -> Path:
    """Beside the copy: within it, whoever looks for the newest delivery would find the note."""
    return folder.with_name(f".{folder.name}.seen.json")


def _stands(path: Path, own: Listed, etag: str | None) -> bool:
    return etag == own.etag and path.is_file() and path.stat().st_size == own.size


def _inside(folder: Path, name: str) -> Path:
    target = folder / name
    if not target.resolve().is_relative_to(folder.resolve()) or any(
        part.startswith(".") for part in Path(name).parts
    ):
        raise SourceError(
            f"the store's inbox holds “{name}”, which is no name of a delivery",
            remedy="Remove it from the store, or give it a name without dots in front",
        )
    return target


def _bring(store: Store, own: Listed, target: Path) -> None:
    make_folder(target.parent)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
            store.copy_to(own.key, handle)
        arrived = own.modified.timestamp()
        os.utime(part, (arrived, arrived))
        sync(part)
        part.replace(target)
        sync(target.parent)
    finally:
        part.unlink(missing_ok=True)
