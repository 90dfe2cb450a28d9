"""Invented deliveries: how the demonstration marks them, and how whoever reads them knows.

The note beside the files in the inbox lists the checksum of each. The checksum and not the name decides: a
real file put in place of an invented one is real.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asco_dagster.connectors.fetch import sha256_of
from asco_dagster.storage.inbox import delivered_files

NOTE = "DELIVERY.txt"
REAL_FILES = "Fichiers réels, inchangés (Licence Ouverte 2.0 ; INSEE, DREES, DGCL) / Real files, unchanged:"
"""Heading of the note above the files that are not invented."""
FRENCH, ENGLISH = "DÉMONSTRATION, données inventées", "DEMONSTRATION, invented data"
DEMONSTRATION = f"{FRENCH} / {ENGLISH}"
_LISTED = re.compile(r"^ {2}([0-9a-f]{64}) {2}(.+)$", re.MULTILINE)


def invented_checksums(inbox: Path) -> frozenset[str]:
    """SHA-256 of each invented file that the note of an inbox lists; none without a note."""
    return frozenset(checksum for checksum, _ in _LISTED.findall(_note(inbox).partition(REAL_FILES)[0]))


def invented_mark(described: Mapping[str, Any], inbox: Path) -> dict[str, bool]:
    """``invented`` for a file that the note of the inbox lists; nothing for another.

    Args:
        described: what the manifest says of the file, with its ``sha256``.
        inbox: of the wave.
    """
    return {"invented": True} if described["sha256"] in invented_checksums(inbox) else {}


def listed(checksum: str, name: str) -> str:
    """A file as the note lists it."""
    return f"  {checksum}  {name}"


def foreign_files(inbox: Path) -> list[str]:
    """Files of an inbox that the demonstration did not write, or that were changed since, by name."""
    known = {(name, checksum) for checksum, name in _LISTED.findall(_note(inbox))}
    files = {path.relative_to(inbox).as_posix(): path for path in delivered_files(inbox)}
    return [name for name, path in files.items() if name != NOTE and (name, sha256_of(path)) not in known]


def _note(inbox: Path) -> str:
    try:
        return (inbox / NOTE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
