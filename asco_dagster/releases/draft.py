"""The draft of a version: a folder written under a draft name, checked, fsynced, then renamed into its place.

The folder is whole or not there at all, whichever process is killed when.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from asco_dagster.connectors.fetch import sha256_of
from asco_dagster.durable import DRAFT, PRIVATE, PUBLIC, make_folder, sync
from asco_dagster.errors import ReleaseError
from asco_dagster.releases.contract import ReleasedFile
from asco_dagster.releases.signature import Sign
from asco_dagster.releases.store import MANIFEST, ReleaseStore, point_latest, read_manifest
from asco_dagster.releases.withdrawal import finish_withdrawals


@contextmanager
def draft_in(store: ReleaseStore, folder: Path) -> Iterator[Path]:
    """A new draft in a folder, gone afterwards unless it was renamed; dead ones are swept first."""
    sweep(store)
    draft = folder / f"{DRAFT}{os.getpid()}"
    make_folder(folder, PRIVATE if folder == store.sealed else PUBLIC)
    draft.mkdir(mode=PRIVATE)  # nobody reads a draft: it may never become a release
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def entries_of(folder: Path, files: Sequence[ReleasedFile]) -> dict[str, dict[str, Any]]:
    """What the manifest says of files: sha256, bytes and rows, by path."""
    return {
        file.path: {
            "sha256": sha256_of(folder / file.path),
            "bytes": (folder / file.path).stat().st_size,
            "rows": file.rows,
        }
        for file in files
    }


def content_hash(files: Mapping[str, Mapping[str, Any]]) -> str:
    """Hash of what is released: paths and bytes of every file of the content."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path} {files[path]['sha256']}\n".encode())
    return digest.hexdigest()


def write_manifest(draft: Path, manifest: Mapping[str, Any], sign: Sign | None) -> None:
    """Write the manifest of a draft, signed where there is a key."""
    content = {name: value for name, value in manifest.items() if name != "signature"}
    if sign is not None:
        content["signature"] = sign(content)
    text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
    (draft / MANIFEST).write_text(text, encoding="utf-8")


def seal(draft: Path) -> None:
    """Check that the folder holds what the manifest says, make it readable by all, and fsync everything."""
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
        folder.chmod(PUBLIC)
        sync(folder)


def put(store: ReleaseStore, draft: Path, version: str) -> Path:
    """Rename a sealed draft to its version and make ``latest`` point to it.

    Raises:
        ReleaseError: the version exists already.
    """
    target = store.releases / version
    if target.exists():
        raise ReleaseError(f"release {version} exists already", file=target, remedy="Nothing is overwritten")
    draft.rename(target)
    sync(store.releases)
    point_latest(store.releases, version)
    return target


def sweep(store: ReleaseStore) -> None:
    """Finish or remove what a killed process left behind; under the lock there are dead drafts only."""
    make_folder(store.releases, PUBLIC)
    for folder in (store.releases, store.sealed, store.withdrawn):
        for path in folder.glob(f"{DRAFT}*") if folder.is_dir() else ():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    finish_withdrawals(store)
