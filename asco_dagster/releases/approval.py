"""Approvals: who approved which version, when; the record that publication relies on.

A version that changes public numbers waits until somebody approves exactly its content, compared with exactly
its former version. The record is beside the versions that wait, it is confidential since it names people, and
it is never shortened.
"""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from asco_dagster.durable import write_whole
from asco_dagster.errors import ConfigurationError
from asco_dagster.escaping import on_one_line
from asco_dagster.releases.store import ReleaseStore

REQUIRED = "required"
"""Value of ``approval`` in the manifest of a version that waits for one, and in a wave file."""
RECORD = "approvals.json"
_LONGEST = 200  # characters of a name


@dataclass(frozen=True)
class Approval:
    """One approval.

    Attributes:
        version: the version.
        former_version: the version with which it was compared; None for the first.
        content_sha256: hash of its content, as its manifest has it.
        by: who approved it, as that person was named.
        at: when, ISO 8601 in UTC.
    """

    version: str
    former_version: str | None
    content_sha256: str
    by: str
    at: str


def approvals(store: ReleaseStore) -> list[Approval]:
    """Every approval of a wave, oldest first."""
    path = store.sealed / RECORD
    if not path.is_file():
        return []
    return [Approval(**one) for one in json.loads(path.read_text(encoding="utf-8"))]


def approval_of(store: ReleaseStore, manifest: Mapping[str, Any]) -> Approval | None:
    """The latest approval of the version of a manifest; None where nobody approved it."""
    wanted = {name: manifest[name] for name in ("version", "former_version", "content_sha256")}
    found = [one for one in approvals(store) if wanted.items() <= asdict(one).items()]
    return found[-1] if found else None


def waits_for_approval(store: ReleaseStore, manifest: Mapping[str, Any]) -> bool:
    """Whether the version of a manifest needs an approval that it does not have."""
    return manifest.get("approval") == REQUIRED and approval_of(store, manifest) is None


def record_approval(store: ReleaseStore, manifest: Mapping[str, Any], by: str, now: dt.datetime) -> Approval:
    """Record that somebody approves the version of a manifest; an approval that is there already counts.

    Args:
        store: the wave's folders, held.
        manifest: of the version.
        by: who approves it.
        now: the present instant, with its offset.

    Raises:
        ConfigurationError: no name is given, or a text that is none.
    """
    name = on_one_line(by).strip()
    if not name or len(name) > _LONGEST:
        raise ConfigurationError(
            "no name is given" if not name else f"the name has {len(name)} characters",
            expected=f"the name of who approves the version, {_LONGEST} characters at most",
            remedy="Give it with --by",
        )
    known = approval_of(store, manifest)
    if known is not None:
        return known
    approval = Approval(
        version=manifest["version"],
        former_version=manifest["former_version"],
        content_sha256=manifest["content_sha256"],
        by=name,
        at=now.astimezone(dt.UTC).isoformat(timespec="seconds"),
    )
    record = [asdict(one) for one in (*approvals(store), approval)]
    write_whole(store.sealed / RECORD, json.dumps(record, ensure_ascii=False, indent=2) + "\n")
    return approval
