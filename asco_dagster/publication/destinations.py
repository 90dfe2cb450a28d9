"""Where releases go: a folder or an S3-compatible store; each push can be repeated.

Each file is there once, whatever interrupted an earlier push and whatever was done by hand since: a file
that is there already, byte for byte, is not sent again, one that someone renamed gets its name back, one that
someone altered is sent again, and an exact copy under another name in the version's folder is removed. The
manifest goes last: a release whose manifest is there is whole. Another release is never overwritten.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asco_dagster.connectors.fetch import sha256_of
from asco_dagster.errors import ReleaseError
from asco_dagster.releases.store import MANIFEST, read_manifest

_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Pushed:
    """What a push did: files sent, files that were there already, and exact copies of them removed."""

    sent: list[str]
    there: list[str]
    removed: list[str] = field(default_factory=list)


def require_real_data(release: Path) -> None:
    """Refuse a release that is made of invented data.

    Raises:
        ReleaseError: its manifest says so.
    """
    said = read_manifest(release).get("demonstration")
    if said:
        raise ReleaseError(
            f"version {release.name} is not pushed: {said}",
            file=release / MANIFEST,
            remedy="Give --demonstration to push it all the same, to a place where nobody takes it for real",
        )


def push_to_store(release: Path, address: str) -> Pushed:
    """Copy a release to ``<address>/<wave>/<version>/``.

    Args:
        release: the release folder.
        address: a folder, or an address that fsspec knows such as ``s3://bucket/folder`` (endpoint and keys
            from fsspec's environment variables, for example ``FSSPEC_S3_ENDPOINT_URL``).

    Raises:
        ReleaseError: another release is there under this version, or a local file was altered.
    """
    from fsspec.core import url_to_fs

    store, root = url_to_fs(address)
    store.invalidate_cache()  # the listing of an earlier push may be outdated by now
    manifest = read_manifest(release)
    target = f"{root.rstrip('/')}/{manifest['wave']}/{manifest['version']}"
    files = list(in_order(release, manifest))
    others = _others(store, target, {path for path, _ in files})
    sent, there, copies = [], [], []
    for path, sha256 in files:
        place, size = f"{target}/{path}", (release / path).stat().st_size
        same = [other for other, held in others.items() if held == size and _sum(store, other) == sha256]
        is_there = store.exists(place)
        if is_there and store.size(place) == size and _sum(store, place) == sha256:
            there.append(path)
            copies += same
            continue
        if is_there:
            _refuse_another(store, f"{target}/{MANIFEST}", release, path)
        store.makedirs(place.rsplit("/", 1)[0], exist_ok=True)
        if same:
            store.mv(same[0], place)
            del others[same[0]]
            there.append(path)
            copies += same[1:]
        else:
            store.put_file(str(release / path), place)
            sent.append(path)
    removed = sorted({copy for copy in copies if copy in others})
    for copy in removed:
        store.rm_file(copy)
    return Pushed(sent, there, [copy.removeprefix(f"{target}/") for copy in removed])


def _others(store: Any, target: str, names: Collection[str]) -> dict[str, int]:
    """What is in the version's folder beside its files: address and size."""
    if not store.exists(target):
        return {}
    known = {f"{target}/{name}" for name in names}
    return {
        place: int(about["size"])
        for place, about in store.find(target, detail=True).items()
        if place not in known
    }


def in_order(release: Path, manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Files and their sha256, the manifest last.

    Raises:
        ReleaseError: a file is not what the manifest says.
    """
    for path, entry in manifest["files"].items():
        if sha256_of(release / path) != entry["sha256"]:
            raise ReleaseError(f"{path} was altered", file=release, remedy="Take the release from its source")
        yield path, entry["sha256"]
    yield MANIFEST, sha256_of(release / MANIFEST)


def _refuse_another(store: Any, manifest: str, release: Path, path: str) -> None:
    """What differs is left from a stopped push or was altered, unless another release is there."""
    if store.exists(manifest) and _sum(store, manifest) != sha256_of(release / MANIFEST):
        raise ReleaseError(
            f"another version {release.name} is there: its {path} is not this one's",
            remedy="Nothing is overwritten; check what is there",
        )


def _sum(store: Any, place: str) -> str:
    digest = hashlib.sha256()
    with store.open(place, "rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
