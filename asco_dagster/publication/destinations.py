"""Where releases go: a folder or an S3-compatible store; each push can be repeated.

A file that is there already, byte for byte, is not sent again, and the manifest goes last: a release whose
manifest is there is whole, whatever interrupted an earlier push. Nothing pushed is overwritten. What does not
belong here: the datasets of data portals (``portals``), publishing (``release``), and any address or key,
which are the caller's.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asco_dagster.connectors.fetch import sha256_of
from asco_dagster.errors import ReleaseError
from asco_dagster.publication.shelf import MANIFEST, read_manifest

_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Pushed:
    """What a push did: files sent, and files that were there already."""

    sent: list[str]
    there: list[str]


def push_to_store(release: Path, address: str) -> Pushed:
    """Copy a release to ``<address>/<wave>/<version>/``.

    Args:
        release: the release folder.
        address: a folder, or an address that fsspec knows such as ``s3://bucket/folder`` (endpoint and keys
            from fsspec's own environment, for example ``FSSPEC_S3_ENDPOINT_URL``).

    Raises:
        ReleaseError: another release stands there under this version, or a local file was altered.
    """
    from fsspec.core import url_to_fs

    store, root = url_to_fs(address)
    manifest = read_manifest(release)
    target = f"{root.rstrip('/')}/{manifest['wave']}/{manifest['version']}"
    sent, there = [], []
    for path, sha256 in in_order(release, manifest):
        place = f"{target}/{path}"
        if store.exists(place):
            whole = store.size(place) == (release / path).stat().st_size and _sum(store, place) == sha256
            if whole:
                there.append(path)
                continue
            _refuse_another(store, f"{target}/{MANIFEST}", path)
        store.makedirs(place.rsplit("/", 1)[0], exist_ok=True)
        store.put_file(str(release / path), place)
        sent.append(path)
    return Pushed(sent, there)


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


def _refuse_another(store: Any, manifest: str, path: str) -> None:
    if store.exists(manifest):
        told = json.loads(store.cat_file(manifest))
        raise ReleaseError(
            f"another version {told.get('version')} stands there: its {path} is not this one's",
            remedy="Nothing is overwritten; look into what stands there",
        )


def _sum(store: Any, place: str) -> str:
    digest = hashlib.sha256()
    with store.open(place, "rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
