"""The quarantine of a wave: every refused return with its reason, until a person has dealt with it.

Two files an entry, both 0600: the return as delivered, and a JSON beside it that tells reason, place and
remedy in French and English. Nothing here is deleted before its bytes count elsewhere. States of an entry:

* ``refused``: kept, waiting for someone;
* ``retry``: ``asco quarantine retry`` has marked it: the next run reads it again from here;
* ``accepted``: it was read from here and counts; since it may be nowhere else, it stays an input of every
  later run, until the same file is delivered and accepted.

Rows of a web export leave a JSON alone: the export itself comes again whole with each run, and a row of it
holds contact details. What does not belong here: why a return is refused (``readers/refusals``).
"""

import contextlib
import datetime as dt
import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from asco_dagster.errors import SourceError
from asco_dagster.sources.readers.refusals import Refusal, RefusedReturnError, reasons
from asco_dagster.sources.readers.return_archives import Where
from asco_dagster.sources.readers.return_members import Member, read_member

if TYPE_CHECKING:
    from asco_dagster.sources.readers.return_settling import Record

STATES = ("refused", "retry", "accepted")
_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Entry:
    """One refused return.

    Attributes:
        id: short name of the entry.
        state: ``refused``, ``retry`` or ``accepted``.
        file: delivery and path inside it.
        row: row in a web export; None for a file.
        unit_type: type of unit, as far as known.
        unit_code: its code, as far as known.
        reason: code of the reason.
        fr: the whole sentence in French.
        en: the whole sentence in English.
        tab: tab concerned.
        cell: cell concerned.
        expected: what should have been there.
        remedy_fr: what to do, in French.
        remedy_en: what to do, in English.
        sha256: checksum of the file.
        kept: name of the copy beside the JSON; None when there is none (a row of an export, a repeated
            file, a bomb, a path without bytes): the delivery has it.
        modified: moment that the archive told.
        when: UTC moment of the latest refusal.
    """

    id: str
    state: str
    file: str
    row: int | None
    unit_type: str | None
    unit_code: str | None
    reason: str
    fr: str
    en: str
    tab: str | None
    cell: str | None
    expected: str | None
    remedy_fr: str
    remedy_en: str
    sha256: str | None
    kept: str | None
    modified: str | None
    when: str

    def member(self, folder: Path) -> Member:
        """The file as something that can be read."""
        return Member(f"quarantine/{self.kept}", Where(folder / (self.kept or "")), self.modified)


class Quarantine:
    """The quarantine folder of one wave.

    A second run tells nothing twice, and never overwrites a copy: someone may have mended it in its place.

    Args:
        folder: ``places.quarantine(wave)``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def entries(self) -> list[Entry]:
        """Every entry, in the order of files.

        Raises:
            SourceError: a JSON that someone has damaged.
        """
        found = []
        for path in sorted(self.folder.glob("*.refusal.json")):
            try:
                found.append(Entry(**json.loads(path.read_text(encoding="utf-8"))))
            except (json.JSONDecodeError, TypeError, UnicodeDecodeError) as fault:
                raise SourceError(
                    f"this quarantine entry cannot be read ({type(fault).__name__})",
                    file=path,
                    remedy="put the former content back, or remove the entry and deliver its return again",
                ) from None
        return sorted(found, key=lambda entry: (entry.file, entry.row or 0, entry.id))

    def to_read(self) -> list[Entry]:
        """The entries that the next run reads."""
        return [entry for entry in self.entries() if entry.state != "refused" and entry.kept]

    def mark(self, entry: Entry, sha256: str | None) -> Entry:
        """Have the next run read an entry, whose file someone may have mended: hence its checksum of now."""
        marked = replace(entry, state="retry", sha256=sha256)
        self._write(marked)
        return marked

    def put(self, record: "Record", former: Entry | None = None) -> Entry:
        """Keep a refused return, or tell again why a former entry is refused."""
        if not isinstance(record.outcome, Refusal):
            raise TypeError("only a refused return is put into quarantine")
        refusal, reason = record.outcome, reasons()[record.outcome.reason]
        name = former.id if former else _id_of(record)
        entry = Entry(
            id=name,
            state="refused",
            file=former.file if former else record.file,
            row=record.row,
            unit_type=record.unit_type,
            unit_code=refusal.unit_code,
            reason=refusal.reason,
            fr=refusal.sentence("fr"),
            en=refusal.sentence("en"),
            tab=refusal.tab,
            cell=refusal.cell,
            expected=refusal.expected,
            remedy_fr=reason.remedy_fr,
            remedy_en=reason.remedy_en,
            sha256=record.sha256,
            kept=former.kept if former and former.kept else self._keep(name, record),
            modified=record.modified,
            when=dt.datetime.now(dt.UTC).replace(tzinfo=None).isoformat(timespec="seconds"),
        )
        self._write(entry)
        return entry

    def update(self, records: Sequence["Record"]) -> None:
        """Bring the quarantine up to date with a run: new refusals in, what counts by now out.

        Args:
            records: every return of the run, settled.
        """
        former = {entry.id: entry for entry in self.entries()}
        for entry in former.values():
            if entry.row is not None:  # rows of an export come again with each run
                self._remove(entry)
        counting = set()
        for record in records:
            own = former.get(record.entry) if record.entry else None
            if record.status == "refused":
                known = own or former.get(_id_of(record))
                # A delivered file whose mended copy is to be read, or counts, has been dealt with.
                if own is not None or known is None or known.state == "refused":
                    self.put(record, known)
            elif own is not None:
                self._write(replace(own, state="accepted"))
            elif record.sha256 is not None:
                counting.add(record.sha256)
        for entry in former.values():
            if entry.sha256 in counting:
                self._remove(entry)

    def _keep(self, name: str, record: "Record") -> str | None:
        """Copy the return's bytes; None when there are none that can or need be copied."""
        if record.where is None or record.row is not None:
            return None
        if isinstance(record.outcome, Refusal) and record.outcome.reason == "duplicate_file":
            return None
        with contextlib.suppress(RefusedReturnError):
            content = read_member(record.where)
            kept = f"{name}-{_PLAIN.sub('_', record.file.rpartition('/')[2])[-80:]}"
            _write_private(self.folder / kept, content)
            return kept
        return None

    def _write(self, entry: Entry) -> None:
        told = json.dumps(asdict(entry), ensure_ascii=False, indent=1)
        _write_private(self.folder / f"{entry.id}.refusal.json", told.encode())

    def _remove(self, entry: Entry) -> None:
        (self.folder / f"{entry.id}.refusal.json").unlink(missing_ok=True)
        if entry.kept:
            (self.folder / entry.kept).unlink(missing_ok=True)


def _id_of(record: "Record") -> str:
    """The same for the same file in the same place, so that a second run tells nothing twice."""
    told = "\0".join((record.file, str(record.row or ""), record.sha256 or ""))
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def _write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
        handle.write(content)
    draft.replace(path)
