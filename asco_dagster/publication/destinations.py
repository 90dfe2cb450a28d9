"""Where releases go: a folder, an S3-compatible store, a dataset of a data portal; each push can be repeated.

A file that is there already, byte for byte, is not sent again, and the manifest goes last: a release whose
manifest is there is whole, whatever interrupted an earlier push. Nothing pushed is overwritten. What does not
belong here: publishing (``release``), and any address or key, which are the caller's.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from asco_dagster.connectors.fetch import sha256_of
from asco_dagster.errors import ConfigurationError, ReleaseError
from asco_dagster.publication.shelf import MANIFEST, read_manifest

_CHUNK = 1024 * 1024
_SILENCE = 60  # seconds without an answer after which a portal counts as gone


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
    for path, sha256 in _in_order(release, manifest):
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


def push_to_portal(release: Path, dataset: str, key: str) -> Pushed:
    """Upload the tables and metadata of a release as resources of a dataset (udata's API, as data.gouv.fr's).

    Args:
        release: the release folder.
        dataset: API address of the dataset, ``https://<portal>/api/1/datasets/<id>/``.
        key: the API key.

    Raises:
        ConfigurationError: the address is neither https nor this machine's.
        ReleaseError: the portal refuses, or cannot be reached.
    """
    if not dataset.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise ConfigurationError(
            "the portal's address is not https", expected="https://<portal>/api/1/datasets/<id>/"
        )
    import requests

    dataset, manifest = dataset.rstrip("/"), read_manifest(release)
    with requests.Session() as session:
        session.headers["X-API-KEY"] = key
        listed = _answer(partial(session.get, f"{dataset}/", timeout=_SILENCE))
        known = {
            (resource["title"], (resource.get("checksum") or {}).get("value"))
            for resource in listed.get("resources", [])
        }
        sent, there = [], []
        for path, sha256 in _in_order(release, manifest):
            title = f"{manifest['version']}/{path}"
            if (title, sha256) in known:
                there.append(path)
                continue
            with (release / path).open("rb") as handle:
                file = {"file": (title.replace("/", "-"), handle)}
                made = _answer(partial(session.post, f"{dataset}/upload/", files=file, timeout=_SILENCE))
            about: dict[str, Any] = {"title": title, "checksum": {"type": "sha256", "value": sha256}}
            address = f"{dataset}/resources/{made['id']}/"
            _answer(partial(session.put, address, json=about, timeout=_SILENCE))
            sent.append(path)
    return Pushed(sent, there)


def _in_order(release: Path, manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
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


def _answer(ask: Callable[[], Any]) -> dict[str, Any]:
    """The portal's answer; its address and our key stay out of the error."""
    import requests

    try:
        response = ask()
    except requests.RequestException as error:
        raise ReleaseError(
            f"the portal cannot be reached ({type(error).__name__})",
            remedy="Push again later: what was sent is not sent again",
        ) from None
    if not response.ok:
        raise ReleaseError(
            f"the portal answered {response.status_code}",
            remedy="Look at the dataset's address and at ASCO_PORTAL_KEY, then push again",
        )
    return dict(response.json())
