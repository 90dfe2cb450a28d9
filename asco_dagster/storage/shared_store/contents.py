"""Which files of a home belong to a wave, and their keys in the store.

Confidential files are split into pieces below ``confidential/``; a released version is stored as files below
``public/releases/<wave>/``, in a folder named by its content, so that every writer writes the same bytes.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from asco_dagster.storage.encryption import SPILL
from asco_dagster.storage.shared_store.state import Entry

CONFIDENTIAL = ("waves", "quarantine", "quality", "downloads", "sealed", "withdrawn")
RELEASES = "releases"
RELEASED = (RELEASES, "sealed", "withdrawn", "quality")
"""Folders that a publication, an approval or a withdrawal changes."""

_TEMPORARY = ("dbt-", SPILL)  # folders of a step beside the database


def files_of(home: Path, wave: str, tops: Iterable[str] = (*CONFIDENTIAL, RELEASES)) -> list[Path]:
    """Files and links of a wave in some folders of the home, without drafts, locks and temporary files."""
    found = []
    for top in tops:
        root = home / top / wave
        for path in sorted(root.rglob("*")) if root.is_dir() else ():
            parts = path.relative_to(root).parts
            kept = not any(part.startswith(".") for part in parts) and not parts[0].startswith(_TEMPORARY)
            if kept and (path.is_symlink() or path.is_file()):
                found.append(path)
    return found


def is_of(path: str, tops: Iterable[str]) -> bool:
    """Whether a path relative to the home is in one of these folders."""
    return path.split("/", 1)[0] in tops


def is_shown(path: str) -> bool:
    """Whether the pages and calendar of a machine need it: all but database and downloads."""
    return not is_of(path, ("downloads",)) and not path.partition(".duckdb")[1]


def version_of(path: str) -> tuple[str, str] | None:
    """Version, and path within its folder, of a released file; None for other files."""
    parts = path.split("/", 3)
    return (parts[2], parts[3]) if parts[0] == RELEASES and len(parts) > 3 else None


def release_keys(wave: str, sums: Mapping[str, str]) -> dict[str, str]:
    """Public key of each released file.

    ``sums`` has the sha256 of every file of every version, by path relative to the home.

    Returns:
        Keys by path, in the order of writing: a version's manifest last.
    """
    versions: dict[str, list[tuple[str, str]]] = {}
    for path in sorted(sums, key=lambda path: (path.endswith("/manifest.json"), path)):
        released = version_of(path)
        if released is not None:
            versions.setdefault(released[0], []).append((path, released[1]))
    keys = {}
    for version, paths in versions.items():
        digest = hashlib.sha256()
        for path, within in paths:
            digest.update(f"{within} {sums[path]}\n".encode())
        folder = f"{public_key(wave)}{version}-{digest.hexdigest()[:16]}"
        keys.update({path: f"{folder}/{within}" for path, within in paths})
    return keys


def public_key(wave: str) -> str:
    """Prefix of the released versions of a wave."""
    return f"public/releases/{wave}/"


def index_key(wave: str) -> str:
    """Key of the public list of versions of a wave."""
    return f"{public_key(wave)}versions.json"


def index_of(wave: str, files: Mapping[str, Entry]) -> dict[str, object]:
    """The public list of versions: the folder of each, and which is the latest."""
    versions: dict[str, dict[str, object]] = {}
    for path, entry in sorted(files.items()):
        released = version_of(path)
        if released is not None:
            version, within = released
            listed = versions.setdefault(version, {"folder": entry.keys[0].split("/")[3], "withdrawn": False})
            listed["withdrawn"] = listed["withdrawn"] or within == "withdrawn.json"
    latest = files.get(f"{RELEASES}/{wave}/latest")
    return {"wave": wave, "latest": latest.link if latest else None, "versions": versions}
