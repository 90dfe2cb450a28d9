"""What a server said of the edition that was downloaded last: its ETag and its Last-Modified date.

Kept as JSON beside the download, so that the next request asks only for what has changed. What does not
belong here: the request itself (``fetch.py``).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from asco_dagster.durable import write_whole


@dataclass(frozen=True)
class Edition:
    """One downloaded edition.

    Attributes:
        asked: SHA-256 of the address, which may itself hold a signature and is therefore not kept.
        sha256: checksum of the file as it was downloaded.
        etag: the server's ETag, as it was sent.
        modified: the server's Last-Modified, as it was sent.
    """

    asked: str
    sha256: str
    etag: str | None = None
    modified: str | None = None

    def conditions(self) -> dict[str, str]:
        """Headers of a conditional request; empty when the server gave nothing to compare with."""
        told = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in told.items() if value}


def edition_of(address: str, sha256: str, headers: Mapping[str, str]) -> Edition:
    """The edition that an answer delivered; names of headers in lower case."""
    return Edition(_hash(address), sha256, headers.get("etag"), headers.get("last-modified"))


def known_edition(address: str, download: Path, sha256: str | None) -> Edition | None:
    """What is known of a download, if it came from this address and is still what came.

    Args:
        address: the address to be asked.
        download: the download.
        sha256: its checksum as it lies there; None when it is not there.
    """
    try:
        known = Edition(**json.loads(_note(download).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return known if known.asked == _hash(address) and known.sha256 == sha256 else None


def keep_edition(download: Path, edition: Edition) -> None:
    """Note an edition beside its download, whole or not at all."""
    write_whole(_note(download), json.dumps(asdict(edition)))


def _note(download: Path) -> Path:
    return download.with_name(f".{download.name}.edition.json")


def _hash(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()
