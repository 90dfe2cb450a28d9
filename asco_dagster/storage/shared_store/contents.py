"""Which files of a home belong to a wave, and under which keys the store has them.

Confidential ones are cut into pieces below ``confidential/``; a released version stands whole and readable
below ``public/releases/<wave>/``, in a folder named by its content, so that whoever writes there writes the
same bytes. Deliveries are the office's and stand apart (``inbox``). What does not belong here: moving them.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from asco_dagster.storage.encryption import SPILL
from asco_dagster.storage.shared_store.state import Entry

CONFIDENTIAL = ("waves", "quarantine", "quality", "downloads", "sealed", "withdrawn")
RELEASES = "releases"
SHELF = (RELEASES, "sealed", "withdrawn")
"""What a publication or a withdrawal changes."""

_PASSING = ("dbt-", SPILL)  # folders of a step beside the database


def files_of(home: Path, wave: str, tops: Iterable[str] = (*CONFIDENTIAL, RELEASES)) -> list[Path]:
    """Files and links of a wave below some of the home's folders, without drafts, locks and what passes."""
    found = []
    for top in tops:
        root = home / top / wave
        for path in sorted(root.rglob("*")) if root.is_dir() else ():
            parts = path.relative_to(root).parts
            kept = not any(part.startswith(".") for part in parts) and not parts[0].startswith(_PASSING)
            if kept and (path.is_symlink() or path.is_file()):
                found.append(path)
    return found


def is_of(path: str, tops: Iterable[str]) -> bool:
    """Whether a path below the home lies in one of these folders."""
    return path.split("/", 1)[0] in tops


def is_shown(path: str) -> bool:
    """Whether pages and the calendar of another machine need it: all but the database and the downloads."""
    return not is_of(path, ("downloads",)) and not path.partition(".duckdb")[1]


def version_of(path: str) -> tuple[str, str] | None:
    """Version folder and the path within it of a released file; None for anything else."""
    parts = path.split("/", 3)
    return (parts[2], parts[3]) if parts[0] == RELEASES and len(parts) > 3 else None


def release_keys(wave: str, sums: Mapping[str, str]) -> dict[str, str]:
    """Public key of each released file.

    Args:
        wave: the wave.
        sums: sha256 of every file of every version, by path below the home.

    Returns:
        Keys by path, in the order in which they should be written: a version's manifest last.
    """
    versions: dict[str, list[tuple[str, str]]] = {}
    for path in sorted(sums, key=lambda path: (path.endswith("/manifest.json"), path)):
        told = version_of(path)
        if told is not None:
            versions.setdefault(told[0], []).append((path, told[1]))
    keys = {}
    for version, paths in versions.items():
        digest = hashlib.sha256()
        for path, within in paths:
            digest.update(f"{within} {sums[path]}\n".encode())
        folder = f"{public_key(wave)}{version}-{digest.hexdigest()[:16]}"
        keys.update({path: f"{folder}/{within}" for path, within in paths})
    return keys


def public_key(wave: str) -> str:
    """Where the released versions of a wave stand."""
    return f"public/releases/{wave}/"


def index_key(wave: str) -> str:
    """The object that names the versions of a wave, for readers."""
    return f"{public_key(wave)}versions.json"


def index_of(wave: str, files: Mapping[str, Entry]) -> dict[str, object]:
    """Versions of a wave, the folder of each, and which is the latest, as readers are told."""
    versions: dict[str, dict[str, object]] = {}
    for path, entry in sorted(files.items()):
        told = version_of(path)
        if told is not None:
            own = versions.setdefault(told[0], {"folder": entry.keys[0].split("/")[3], "withdrawn": False})
            own["withdrawn"] = own["withdrawn"] or told[1] == "withdrawn.json"
    latest = files.get(f"{RELEASES}/{wave}/latest")
    return {"wave": wave, "latest": latest.link if latest else None, "versions": versions}
