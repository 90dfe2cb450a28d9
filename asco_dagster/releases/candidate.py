"""Candidates: versions that wait for an approval, and what they change, for whoever lists them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from asco_dagster.releases.approval import waits_for_approval
from asco_dagster.releases.embargo import waiting
from asco_dagster.releases.store import ReleaseStore, read_manifest
from asco_dagster.storage.places import Places

PAGE = "candidate.html"
"""Page of a wave's candidate, below ``quality/<wave>/``."""
_WORDS = {
    "changed": ("number changed", "numbers changed"),
    "suppressed": ("newly suppressed", "newly suppressed"),
    "removed": ("removed", "removed"),
    "disclosed": ("no longer suppressed", "no longer suppressed"),
    "added_rows": ("new row", "new rows"),
}


@dataclass(frozen=True)
class Candidate:
    """A version that waits for an approval.

    Attributes:
        wave: its wave.
        version: its version.
        name: its version with the beginning of the hash of its content; a later candidate has another.
        former: the version that is public, with which it was compared.
        made_at: when it was made, ISO 8601 in UTC.
        public_from: first instant at which it may be public, ISO 8601; None without an embargo.
        changes: how many numbers are ``changed``, ``suppressed``, ``removed`` or ``disclosed``, and how many
            rows are new (``added_rows``).
        folder: its release folder, confidential.
    """

    wave: str
    version: str
    name: str
    former: str
    made_at: str
    public_from: str | None
    changes: Mapping[str, int]
    folder: Path

    @property
    def command(self) -> str:
        """The command that approves this content and no other."""
        return f"asco release approve {self.wave} {self.name} --by NAME"

    @property
    def page(self) -> str:
        """Path of its page below ``quality/``."""
        return f"{self.wave}/{PAGE}"

    @property
    def differences(self) -> str:
        """What it changes, in words."""
        found = [f"{count:,} {_WORDS[kind][count != 1]}" for kind, count in self.changes.items() if count > 0]
        return ", ".join(found) or "tables or columns are new or gone"


def candidate_of(places: Places, wave: str) -> Candidate | None:
    """The candidate of a wave; None where no version waits for an approval.

    Raises:
        ReleaseError: its manifest cannot be read.
    """
    if not (places.home / "sealed" / wave).is_dir():  # do not create folders
        return None
    store = ReleaseStore.of(places, wave)
    folder = waiting(store)
    manifest = read_manifest(folder) if folder is not None else {}
    if folder is None or not waits_for_approval(store, manifest):
        return None
    return Candidate(
        wave=wave,
        version=manifest["version"],
        name=folder.name,
        former=manifest["former_version"],
        made_at=manifest["sealed_at"],
        public_from=manifest["public_from"],
        changes=manifest["changes"],
        folder=folder,
    )


def candidates(places: Places, waves: Sequence[str]) -> list[Candidate]:
    """The candidates of these waves, with their differences and the page that shows them.

    Raises:
        ReleaseError: a manifest cannot be read.
    """
    return [found for wave in waves if (found := candidate_of(places, wave)) is not None]
