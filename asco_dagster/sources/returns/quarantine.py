"""The quarantine of a wave: every refused return with its reason, until a person has dealt with it.

One JSON an entry, 0600: reason, place and remedy in French and English, and where the return is in the inbox
(delivery, path inside it, checksum). The return itself is never copied: it holds contact details, which are
nowhere but in the inbox, and the inbox is the office's and stays as it was delivered. States of an entry:

* ``refused``: the return is in its delivery and waits for someone;
* ``retry``: ``asco quarantine retry`` could read it: the next run decides again;
* ``absent``: its delivery no longer holds it, and its unit has not answered otherwise: to be asked again.

An entry is removed once its return counts, once another return has replaced it (which counts, or has an entry
in turn), or once its unit has answered otherwise.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from asco_dagster.durable import write_whole
from asco_dagster.errors import SourceError
from asco_dagster.sources.returns.questionnaire_form import Return
from asco_dagster.sources.returns.refusals import UNREADABLE_DELIVERY, Refusal, reasons

if TYPE_CHECKING:
    from asco_dagster.sources.returns.settling import Record

STATES = ("refused", "retry", "absent")


@dataclass(frozen=True)
class Entry:
    """One refused return, or a delivery that could not be read at all.

    Attributes:
        id: short name of the entry.
        state: ``refused``, ``retry`` or ``absent``.
        file: delivery and path inside it, where the return is in the inbox.
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
        modified: moment that the archive gives.
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
    modified: str | None
    when: str


_KNOWN = frozenset(field.name for field in fields(Entry))


class Quarantine:
    """The quarantine folder of one wave; a second run records nothing twice.

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
                content = json.loads(path.read_text(encoding="utf-8"))
                found.append(Entry(**{name: value for name, value in content.items() if name in _KNOWN}))
            except (json.JSONDecodeError, TypeError, AttributeError, UnicodeDecodeError) as fault:
                raise SourceError(
                    f"this quarantine entry cannot be read ({type(fault).__name__})",
                    file=path,
                    remedy="restore the former content, or delete the entry: the next run writes it again",
                ) from None
        return sorted(found, key=lambda entry: (entry.file, entry.row or 0, entry.id))

    def mark(self, entry: Entry, state: str) -> Entry:
        """Give an entry another state."""
        marked = replace(entry, state=state)
        self._write(marked)
        return marked

    def put(self, record: "Record", former: Entry | None = None) -> Entry:
        """Record why a return is refused, in place of its former entry."""
        if not isinstance(record.outcome, Refusal):
            raise TypeError("only a refused return is put into quarantine")
        refusal, reason = record.outcome, reasons()[record.outcome.reason]
        entry = Entry(
            id=_id_of(record.file, record.row, record.sha256),
            state="refused",
            file=record.file,
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
            modified=record.modified,
            when=dt.datetime.now(dt.UTC).replace(tzinfo=None).isoformat(timespec="seconds"),
        )
        self._write(entry)
        if former is not None and former.id != entry.id:  # other bytes are in its place by now
            self._remove(former)
        return entry

    def update(self, records: Sequence["Record"]) -> None:
        """Bring the quarantine up to date with a run: new refusals in, what is settled by now out.

        Args:
            records: every return of the run, settled.
        """
        former = self.entries()
        refused = {self.put(record).id for record in records if record.status == "refused"}
        counting = [record for record in records if record.status != "refused"]
        files = {record.file for record in records} | {record.sha256 for record in counting} - {None}
        units = {
            (record.outcome.unit_type, record.outcome.unit_code)
            for record in counting
            if isinstance(record.outcome, Return)
        }
        for entry in former:
            if entry.id in refused:
                continue
            # An export comes again whole with each run, and this run has read every delivery.
            if (
                entry.row is not None
                or entry.reason == UNREADABLE_DELIVERY
                or _is_settled(entry, files, units)
            ):
                self._remove(entry)
            elif entry.state != "absent":
                self.mark(entry, "absent")

    def _write(self, entry: Entry) -> None:
        content = json.dumps(asdict(entry), ensure_ascii=False, indent=1)
        write_whole(self.folder / f"{entry.id}.refusal.json", content)

    def _remove(self, entry: Entry) -> None:
        (self.folder / f"{entry.id}.refusal.json").unlink(missing_ok=True)


def _is_settled(entry: Entry, files: Collection[str | None], units: Collection[tuple[str, str]]) -> bool:
    """Whether another has replaced a refused return, it counts by now, or its unit has answered."""
    answered = entry.unit_code is not None and (entry.unit_type, entry.unit_code) in units
    return answered or entry.file in files or (entry.sha256 is not None and entry.sha256 in files)


def _id_of(file: str, row: int | None, sha256: str | None) -> str:
    """The same for the same file in the same place, so that a second run records nothing twice."""
    return hashlib.sha256("\0".join((file, str(row or ""), sha256 or "")).encode()).hexdigest()[:12]
