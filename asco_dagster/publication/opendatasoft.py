"""Opendatasoft: each file of a release is an attachment of the dataset, the cells of the newest its records.

Source: Opendatasoft's Automation API 1.0 (datasets, attachments, resources and their files, publish). An
attachment has a name and no checksum, so one that is there is read back and compared; exact copies under
other names, as someone who renames a file by hand leaves them, are removed. The records that the portal's
Explore API serves come from one resource, whose title holds version and checksum; an older version never
replaces a newer one. The dataset with its title and rights is made by its editor.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from asco_dagster.connectors.fetch import sha256_of
from asco_dagster.errors import ReleaseError
from asco_dagster.publication.destinations import Pushed, in_order
from asco_dagster.publication.portal import Portal
from asco_dagster.releases.contract import CELLS, contract_of
from asco_dagster.releases.store import MANIFEST, numbers, read_manifest

PLACE = "/api/automation/v1.0/datasets/"
RECORDS = f"{contract_of(CELLS).file}.csv"
_RECORDS = Path(RECORDS).name
_OURS = re.compile(re.escape(_RECORDS) + r" (\d+\.\d+\.\d+) [0-9a-f]{12}$")
_FILE = re.compile(r"(\d+\.\d+\.\d+)-" + re.escape(_RECORDS) + "$")
_ATTACHED = re.compile(r"asco-\d{4}-\d+\.\d+\.\d+-")
_PAGE = 100
# How the portal reads an international CSV file of a release.
_READ = {
    "type": "csvfile",
    "params": {
        "doublequote": True,
        "encoding": "utf-8",
        "first_row_no": 1,
        "headers_first_row": True,
        "separator": ",",
    },
}


def header(key: str) -> dict[str, str]:
    """The header that carries the key."""
    return {"Authorization": f"Apikey {key}"}


def push(release: Path, portal: Portal) -> Pushed:
    """Attach what the dataset does not hold yet, the manifest last; then set its records and publish it.

    Publishing is asked each time, since an earlier push may have been stopped just before it.

    Args:
        release: the release folder.
        portal: the dataset.

    Raises:
        ReleaseError: another release is attached under this version.
    """
    manifest = read_manifest(release)
    attached: dict[str, list[str]] = {}
    for entry in _listed(portal, "attachments/"):
        attached.setdefault(entry["filename"], []).append(entry["uid"])
    files = {_name(manifest, path): (path, sha256) for path, sha256 in in_order(release, manifest)}
    sent: list[str] = []
    there: list[str] = []
    for name, (path, sha256) in files.items():
        whole = [uid for uid in attached.get(name, []) if _sum(portal, uid) == sha256]
        if attached.get(name) and not whole:
            _refuse_another(portal, attached, release, manifest, path)
        if not whole:
            portal.send("POST", "attachments/", name, release / path)
        (there if whole else sent).append(path)
        for uid in attached.get(name, []):
            if uid not in whole[:1]:
                portal.ask("DELETE", f"attachments/{uid}/")
    removed = _without_copies(
        portal, attached, manifest, {name: sha256 for name, (_, sha256) in files.items()}
    )
    if (release / RECORDS).is_file():
        _set_records(portal, release, str(manifest["version"]))
    portal.ask("POST", "publish/")
    return Pushed(sent, there, removed)


def _sum(portal: Portal, uid: str) -> str:
    return portal.sum(f"attachments/{uid}/download/")


def _without_copies(
    portal: Portal,
    attached: Mapping[str, Sequence[str]],
    manifest: Mapping[str, Any],
    names: Mapping[str, str],
) -> list[str]:
    """Remove attachments that are exact copies of the files under other names; gives those names."""
    prefix = _name(manifest, "")
    removed = []
    for name, uids in attached.items():
        if name in names or (_ATTACHED.match(name) and not name.startswith(prefix)):
            continue  # a file of this release or of another one
        for uid in uids:
            if _sum(portal, uid) in names.values():
                portal.ask("DELETE", f"attachments/{uid}/")
                removed.append(name)
    return removed


def _name(manifest: Mapping[str, Any], path: str) -> str:
    return f"asco-{manifest['wave']}-{manifest['version']}-{path.replace('/', '-')}"


def _refuse_another(
    portal: Portal,
    attached: Mapping[str, Sequence[str]],
    release: Path,
    manifest: Mapping[str, Any],
    path: str,
) -> None:
    """What differs is left from a stopped push, unless another whole release is attached."""
    there, expected = attached.get(_name(manifest, MANIFEST), []), sha256_of(release / MANIFEST)
    if there and all(_sum(portal, uid) != expected for uid in there):
        raise ReleaseError(
            f"another version {manifest['version']} is attached there: its {path} is not this one's",
            remedy="Nothing is overwritten; look into what is attached",
        )


def _set_records(portal: Portal, release: Path, version: str) -> None:
    """Have the dataset's records come from the cells of this version, unless those of a newer one do."""
    title = f"{_RECORDS} {version} {sha256_of(release / RECORDS)[:12]}"
    ours = [(entry, found) for entry in _listed(portal, "resources/") if (found := _version_of(entry))]
    for entry, _ in ours[1:]:
        portal.ask("DELETE", f"resources/{entry['uid']}/")
    if any(entry["title"] == title or numbers(found) > numbers(version) for entry, found in ours[:1]):
        return
    file = portal.send("POST", "resources/files/", f"{version}-{_RECORDS}", release / RECORDS)
    source = {"type": "uploaded_file", "file": {"uid": file["uid"]}}
    resource = {**_READ, "title": title, "datasource": source}
    if ours:
        portal.ask("PUT", f"resources/{ours[0][0]['uid']}/", json=resource)
    else:
        portal.ask("POST", "resources/", json=resource)


def _version_of(resource: Mapping[str, Any]) -> str | None:
    """The version whose cells a resource has, by its title, else its file's name; None for another's."""
    file = (resource.get("datasource") or {}).get("file") or {}
    found = _OURS.match(resource.get("title") or "") or _FILE.match(file.get("filename") or "")
    return found[1] if found else None


def _listed(portal: Portal, place: str) -> Iterator[dict[str, Any]]:
    """Everything that a place lists, page by page."""
    offset = 0
    while True:
        page = portal.ask("GET", place, params={"limit": _PAGE, "offset": offset})
        found = page.get("results", [])
        yield from found
        offset += len(found)
        if not found or not page.get("next"):
            return
