"""udata, the portal of data.gouv.fr: each file of a release is a resource, known by title and checksum.

Source: the portal's guide to its API (``datasets/<id>/upload/``, ``datasets/<id>/resources/<id>/``). What
does not belong here: other kinds of portals.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from asco_dagster.publication.destinations import Pushed, in_order
from asco_dagster.publication.shelf import read_manifest

if TYPE_CHECKING:
    from asco_dagster.publication.portals import Portal

PLACE = "/api/1/datasets/"


def header(key: str) -> dict[str, str]:
    """The header that carries the key."""
    return {"X-API-KEY": key}


def push(release: Path, portal: "Portal") -> Pushed:
    """Send what the dataset does not hold yet, the manifest last.

    Args:
        release: the release folder.
        portal: the dataset.
    """
    manifest = read_manifest(release)
    known = {
        (resource["title"], (resource.get("checksum") or {}).get("value"))
        for resource in portal.ask("GET", "").get("resources", [])
    }
    sent, there = [], []
    for path, sha256 in in_order(release, manifest):
        title = f"{manifest['version']}/{path}"
        if (title, sha256) in known:
            there.append(path)
            continue
        made = portal.send("POST", "upload/", title.replace("/", "-"), release / path)
        about: dict[str, Any] = {"title": title, "checksum": {"type": "sha256", "value": sha256}}
        portal.ask("PUT", f"resources/{made['id']}/", json=about)
        sent.append(path)
    return Pushed(sent, there)
