"""Moves the files of a wave between a home and the store; only what changed, by its content.

What is brought lands under a hidden name, is compared with its sha256, fsynced and renamed; a released
version comes as a whole folder. What does not belong here: who may (``claim``), what it is part of
(``state``).
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from asco_dagster.connectors.fetch import sha256_of
from asco_dagster.durable import DRAFT, PRIVATE, PUBLIC, make_folder, point, sync
from asco_dagster.errors import AscoError
from asco_dagster.storage.shared_store.contents import files_of, is_of, release_keys, version_of
from asco_dagster.storage.shared_store.objects import Store
from asco_dagster.storage.shared_store.state import Entry, State, pieces_key

PIECE = 16 * 1024 * 1024
"""Bytes of the largest piece: of a database that grew, what stayed is not sent again."""


class MissingError(Exception):
    """An object that a state names is gone: the state was replaced meanwhile."""


def stored_files(
    store: Store, home: Path, wave: str, state: State, fence: int, tops: Iterable[str]
) -> dict[str, Entry]:
    """Send what changed of some folders, and tell their entries.

    Args:
        store: where to.
        home: the home.
        wave: the wave.
        state: what the store holds; its objects are used again.
        fence: of the owner, under which new pieces are written.
        tops: the folders.

    Returns:
        Entries by path below the home.
    """
    found = {path.relative_to(home).as_posix(): path for path in files_of(home, wave, tops)}
    links = {name: Entry(link=str(path.readlink())) for name, path in found.items() if path.is_symlink()}
    sums = {name: sha256_of(path) for name, path in found.items() if name not in links}
    public = release_keys(wave, sums)
    there = {sha: key for own in state.files.values() for sha, key in _pieces(own)}
    entries = dict(links)
    for name in sorted(sums, key=lambda name: (name.endswith("/manifest.json"), name)):
        former = state.files.get(name)
        if former and former.sha256 == sums[name] and (name not in public or former.keys == (public[name],)):
            entries[name] = former
            continue
        keys = _sent(store, found[name], public.get(name), pieces_key(wave, fence), there)
        entries[name] = Entry(sums[name], found[name].stat().st_size, keys)
    return entries


def lay(
    store: Store, home: Path, wave: str, files: Mapping[str, Entry], wanted: Callable[[str], bool]
) -> list[str]:
    """Make the wanted files of a home what the store says, and remove those that it does not know.

    Args:
        store: where from.
        home: the home.
        wave: the wave.
        files: what the store has of the wave.
        wanted: which paths below the home are meant.

    Returns:
        Paths that were brought.

    Raises:
        MissingError: the store has moved on.
        AscoError: an object is not what its name says.
    """
    meant = {name: entry for name, entry in files.items() if wanted(name)}
    here = {path.relative_to(home).as_posix(): path for path in files_of(home, wave)}
    here = {name: path for name, path in here.items() if wanted(name)}
    changed = [name for name, entry in meant.items() if not _is(here.get(name), entry)]
    versions = {told[0] for name in changed if (told := version_of(name))}
    gone = [name for name in here if name not in meant]
    versions |= {told[0] for name in gone if (told := version_of(name))}
    for version in sorted(versions):
        _lay_version(store, home, wave, version, meant)
    for name in changed:
        if version_of(name) is None and not meant[name].link:
            _bring(store, meant[name], home / name, 0o600)
    for name in changed:
        if meant[name].link:
            point(home / Path(name).parent, Path(name).name, meant[name].link)
    for name in gone:
        if version_of(name) is None:
            (home / name).unlink()
    return changed


def _is(path: Path | None, entry: Entry) -> bool:
    if path is None or path.is_symlink() or entry.link:
        return path is not None and path.is_symlink() and str(path.readlink()) == entry.link
    return path.stat().st_size == entry.size and sha256_of(path) == entry.sha256


def _pieces(entry: Entry) -> Iterable[tuple[str, str]]:
    return ((key.rsplit("/", 1)[1], key) for key in entry.keys if not is_of(key, ("public",)))


def _sent(store: Store, path: Path, public: str | None, below: str, there: dict[str, str]) -> tuple[str, ...]:
    with path.open("rb") as handle:
        if public is not None:
            store.add(public, handle)
            return (public,)
        keys = []
        while piece := handle.read(PIECE):
            name = hashlib.sha256(piece).hexdigest()
            if name not in there:
                store.add(f"{below}{name}", piece)
                there[name] = f"{below}{name}"
            keys.append(there[name])
    return tuple(keys)


def _lay_version(store: Store, home: Path, wave: str, version: str, files: Mapping[str, Entry]) -> None:
    """Put a whole version in place of what stands there, or remove what the store does not know."""
    own = {name: entry for name, entry in files.items() if (version_of(name) or ("",))[0] == version}
    releases = home / "releases" / wave
    make_folder(releases, PUBLIC)
    draft = Path(tempfile.mkdtemp(prefix=DRAFT, dir=releases))
    try:
        draft.chmod(PUBLIC)
        for name, entry in own.items():
            _bring(store, entry, draft / (version_of(name) or ("", ""))[1], 0o444, public=True)
        target = releases / version
        if target.exists():
            target.rename(releases / f"{draft.name}-former")
            shutil.rmtree(releases / f"{draft.name}-former")
        if own:
            draft.rename(target)
        sync(releases)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _bring(store: Store, entry: Entry, target: Path, mode: int, *, public: bool = False) -> None:
    make_folder(target.parent, PUBLIC if public else PRIVATE)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as handle:
            for key in entry.keys:
                if not store.copy_to(key, handle):
                    raise MissingError(key)
            handle.flush()
            os.fsync(handle.fileno())
        if sha256_of(part) != entry.sha256:
            raise AscoError(
                f"what the store has of {target.name} is not what it was when it was stored",
                expected=f"sha256 {entry.sha256}",
                remedy="Restore the store's objects from its own backup",
            )
        part.chmod(mode)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    sync(target.parent)
