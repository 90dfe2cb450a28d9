"""udata, the portal of data.gouv.fr: each file of a release is a resource of the dataset of its wave.

A resource is known by its bytes: the portal computes their SHA-1 when a file is uploaded (also when someone
replaces it by hand), and this push then writes title and SHA-256. So a push that stopped between both, a
resource that someone renamed and one that was uploaded by hand are found again and get their title; one that
was altered gets the bytes of the release again; exact copies are removed. Source: the portal's guide to its
API and its code (``udata/core/dataset/api.py``: ``datasets/<id>/upload/``, ``datasets/<id>/resources/<id>/``
and its ``upload/``).
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asco_dagster.errors import ReleaseError
from asco_dagster.publication.destinations import Pushed, in_order
from asco_dagster.publication.portal import Portal
from asco_dagster.releases.store import MANIFEST, read_manifest

PLACE = "/api/1/datasets/"
_TITLE = re.compile(r"\d+\.\d+\.\d+/")

Resource = Mapping[str, Any]


@dataclass(frozen=True)
class _File:
    """A file of the release: its title on the portal, and what its bytes are known by."""

    path: str
    title: str
    size: int
    sums: Mapping[str, str]

    def is_held_by(self, resource: Resource) -> bool:
        """Whether a resource has these bytes, as the portal says."""
        checksum = resource.get("checksum") or {}
        size = resource.get("filesize")
        kind = str(checksum.get("type", "")).lower().replace("-", "")
        return (size is None or size == self.size) and self.sums.get(kind, "") == checksum.get("value")

    def may_adopt(self, resource: Resource) -> bool:
        """Whether a resource has these bytes, and no title of another file of a release."""
        title = resource.get("title") or ""
        return self.is_held_by(resource) and (title == self.title or not _TITLE.match(title))


def header(key: str) -> dict[str, str]:
    """The header that carries the key."""
    return {"X-API-KEY": key}


def push(release: Path, portal: Portal) -> Pushed:
    """Send what the dataset does not hold yet, the manifest last.

    Args:
        release: the release folder.
        portal: the dataset.

    Raises:
        ReleaseError: another release is there under this version.
    """
    manifest = read_manifest(release)
    files = [_described(release, path, str(manifest["version"])) for path, _ in in_order(release, manifest)]
    resources = list(portal.ask("GET", "").get("resources", []))
    whole = next(file for file in files if file.path == MANIFEST)
    sent, there = [], []
    for file in files:
        titled = [resource for resource in resources if resource.get("title") == file.title]
        held = [resource for resource in [*titled, *resources] if file.may_adopt(resource)]
        if held:
            resource = held[0]
            there.append(file.path)
            _describe(portal, resource, file)
        elif titled:
            resource = titled[0]
            _refuse_another(resources, whole, file)
            portal.send("POST", f"resources/{resource['id']}/upload/", _name(file), release / file.path)
            _describe(portal, {"id": resource["id"]}, file)
            sent.append(file.path)
        else:
            resource = portal.send("POST", "upload/", _name(file), release / file.path)
            _describe(portal, {"id": resource["id"]}, file)
            sent.append(file.path)
        resources = [other for other in resources if other["id"] != resource["id"]]
    return Pushed(sent, there, _without_copies(portal, resources, files))


def _described(release: Path, path: str, version: str) -> _File:
    content = (release / path).read_bytes()
    sums = {
        "sha1": hashlib.sha1(content, usedforsecurity=False).hexdigest(),
        "sha256": hashlib.sha256(content).hexdigest(),
        "md5": hashlib.md5(content, usedforsecurity=False).hexdigest(),
    }
    return _File(path, f"{version}/{path}", len(content), sums)


def _name(file: _File) -> str:
    return file.title.replace("/", "-")


def _describe(portal: Portal, resource: Resource, file: _File) -> None:
    """Give a resource the title and the checksum of its file, if it has them not yet."""
    about: dict[str, Any] = {
        "title": file.title,
        "checksum": {"type": "sha256", "value": file.sums["sha256"]},
    }
    if any(resource.get(name) != value for name, value in about.items()):
        portal.ask("PUT", f"resources/{resource['id']}/", json=about)


def _refuse_another(resources: list[Resource], manifest: _File, file: _File) -> None:
    """Other bytes under a title were altered by someone, unless another release is there."""
    manifests = [resource for resource in resources if resource.get("title") == manifest.title]
    if manifests and not any(manifest.is_held_by(resource) for resource in manifests):
        raise ReleaseError(
            f"another version {manifest.title.partition('/')[0]} is there: its {file.path} is not this one's",
            remedy="Nothing is overwritten; check the resources of the dataset",
        )


def _without_copies(portal: Portal, resources: list[Resource], files: list[_File]) -> list[str]:
    """Remove resources that are exact copies of the files; gives their titles."""
    removed = []
    for resource in resources:
        if any(file.may_adopt(resource) for file in files):
            portal.ask("DELETE", f"resources/{resource['id']}/")
            removed.append(str(resource.get("title")))
    return removed
