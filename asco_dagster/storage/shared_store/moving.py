"""Uploads and downloads the files of a wave whose content changed.

A downloaded file is compared with its sha256 before it replaces another; a released version is replaced as a
whole folder.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from asco_dagster.connectors.fetch import sha256_of
from asco_dagster.durable import DRAFT, PRIVATE, PUBLIC, make_folder, point, replacing, sync
from asco_dagster.errors import AscoError
from asco_dagster.storage.shared_store.contents import files_of, is_of, release_keys, version_of
from asco_dagster.storage.shared_store.objects import Store
from asco_dagster.storage.shared_store.state import Entry, State, pieces_key

PIECE = 16 * 1024 * 1024
"""Bytes of the largest piece: unchanged pieces of a database that grew are not uploaded again."""


class MissingError(Exception):
    """An object that a state names is missing: the state was replaced meanwhile."""


def upload(
    store: Store, home: Path, wave: str, state: State, fence: int, tops: Iterable[str]
) -> dict[str, Entry]:
    """Upload what changed in some folders.

    Objects of ``state`` are reused; ``fence`` is the prefix of new pieces.

    Returns:
        Entries of all their files, by path relative to the home.
    """
    found = {path.relative_to(home).as_posix(): path for path in files_of(home, wave, tops)}
    links = {name: Entry(link=str(path.readlink())) for name, path in found.items() if path.is_symlink()}
    sums = {name: sha256_of(path) for name, path in found.items() if name not in links}
    public = release_keys(wave, sums)
    there = {sha: key for entry in state.files.values() for sha, key in _pieces(entry)}
    entries = dict(links)
    for name in sorted(sums, key=lambda name: (name.endswith("/manifest.json"), name)):
        former = state.files.get(name)
        if former and former.sha256 == sums[name] and (name not in public or former.keys == (public[name],)):
            entries[name] = former
            continue
        keys = _upload(store, found[name], public.get(name), pieces_key(wave, fence), there)
        entries[name] = Entry(sums[name], found[name].stat().st_size, keys)
    return entries


def download(
    store: Store, home: Path, wave: str, files: Mapping[str, Entry], wanted: Callable[[str], bool]
) -> list[str]:
    """Make the wanted files of a home equal to the store's, and delete others.

    Returns:
        Paths that changed.

    Raises:
        MissingError: the state was replaced meanwhile.
        AscoError: an object does not have its sha256.
    """
    meant = {name: entry for name, entry in files.items() if wanted(name)}
    here = {path.relative_to(home).as_posix(): path for path in files_of(home, wave)}
    here = {name: path for name, path in here.items() if wanted(name)}
    changed = [name for name, entry in meant.items() if not _is(here.get(name), entry)]
    gone = [name for name in here if name not in meant]
    versions = {released[0] for name in (*changed, *gone) if (released := version_of(name))}
    for version in sorted(versions):
        _download_version(store, home, wave, version, meant)
    for name in changed:
        if version_of(name) is None and not meant[name].link:
            _download(store, meant[name], home / name, 0o600)
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


def _upload(
    store: Store, path: Path, public: str | None, prefix: str, there: dict[str, str]
) -> tuple[str, ...]:
    with path.open("rb") as handle:
        if public is not None:
            store.add(public, handle)
            return (public,)
        keys = []
        while piece := handle.read(PIECE):
            name = hashlib.sha256(piece).hexdigest()
            if name not in there:
                store.add(f"{prefix}{name}", piece)
                there[name] = f"{prefix}{name}"
            keys.append(there[name])
    return tuple(keys)


def _download_version(store: Store, home: Path, wave: str, version: str, files: Mapping[str, Entry]) -> None:
    """Replace a whole version, or delete one that the store does not have."""
    parts = {name: entry for name, entry in files.items() if (version_of(name) or ("",))[0] == version}
    releases = home / "releases" / wave
    make_folder(releases, PUBLIC)
    draft = Path(tempfile.mkdtemp(prefix=DRAFT, dir=releases))
    try:
        draft.chmod(PUBLIC)
        for name, entry in parts.items():
            _download(store, entry, draft / (version_of(name) or ("", ""))[1], 0o444, public=True)
        target = releases / version
        if target.exists():
            target.rename(releases / f"{draft.name}-former")
            shutil.rmtree(releases / f"{draft.name}-former")
        if parts:
            draft.rename(target)
        sync(releases)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _download(store: Store, entry: Entry, target: Path, mode: int, *, public: bool = False) -> None:
    make_folder(target.parent, PUBLIC if public else PRIVATE)
    with replacing(target, mode) as draft:
        with draft.open("wb") as handle:
            for key in entry.keys:
                if not store.copy_to(key, handle):
                    raise MissingError(key)
        if sha256_of(draft) != entry.sha256:
            raise AscoError(
                f"{target.name} in the store is not the file that was uploaded",
                expected=f"sha256 {entry.sha256}",
                remedy="Restore the objects of the store from its backup",
            )
