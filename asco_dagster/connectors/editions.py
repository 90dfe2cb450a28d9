"""ETag and Last-Modified date of a download, stored beside it for the next conditional request."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from asco_dagster.durable import write_whole

_CONDITIONS = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}


def conditions_of(address: str, download: Path, sha256: str | None) -> dict[str, str]:
    """Headers of a conditional request for a download; empty unless it came from this address unchanged.

    ``sha256`` is the file's current checksum; None if it is missing.
    """
    try:
        stored = json.loads(_note(download).read_text(encoding="utf-8"))
        known = (stored["address"], stored["sha256"]) == (_hash(address), sha256)
        return {str(name): str(value) for name, value in stored["conditions"].items()} if known else {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def store_edition(address: str, download: Path, sha256: str, headers: Mapping[str, str]) -> None:
    """Store the headers (a case-insensitive mapping) that allow a conditional request, if any."""
    conditions = {name: headers[key] for key, name in _CONDITIONS.items() if headers.get(key)}
    if conditions:
        content = {"address": _hash(address), "sha256": sha256, "conditions": conditions}
        write_whole(_note(download), json.dumps(content))


def _note(download: Path) -> Path:
    return download.with_name(f".{download.name}.edition.json")


def _hash(address: str) -> str:
    """SHA-256 of an address, which may contain a signature and is therefore not stored."""
    return hashlib.sha256(address.encode()).hexdigest()
