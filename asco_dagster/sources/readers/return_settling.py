"""Which of the returns count: duplicates, the newest complete return of each unit, and the count of it all.

Pure: records in, the same records with a status out. Does not belong here: reading and writing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from asco_dagster.errors import SourceError
from asco_dagster.sources.readers.refusals import Refusal
from asco_dagster.sources.readers.return_form import Return

COMPLETE = 0.8
"""Share of the questions put from which a return is complete (AAPOR, Standard Definitions: over 80 %)."""

Status = Literal["accepted", "superseded", "refused"]


@dataclass(frozen=True, slots=True)
class Record:
    """One return as delivered: a workbook, or a row of a web export.

    Attributes:
        file: delivery and path inside it.
        unit_type: type of unit that the delivery is for; None when it may hold both.
        outcome: what it says, or why it is refused.
        sha256: checksum of a workbook; None for a row of an export.
        modified: when the archive says that it was written.
        row: row in the export, from 1; None for a workbook.
        headers: name of each question's column in the export; None for a workbook.
        status: what became of it; None until settled.
    """

    file: str
    unit_type: str | None
    outcome: Return | Refusal
    sha256: str | None = None
    modified: str | None = None
    row: int | None = None
    headers: tuple[str, ...] | None = None
    status: Status | None = None

    @property
    def submitted_at(self) -> str | None:
        """When it was filled in: as it says itself, else as its archive does."""
        own = self.outcome.submitted_at if isinstance(self.outcome, Return) else None
        return own or self.modified


def settle(records: Iterable[Record]) -> list[Record]:
    """Give every record its status.

    A file that was delivered already, byte for byte, is refused. Of the returns of one unit the newest
    complete one is accepted (the newest of all when none is complete); the others are superseded.

    Args:
        records: in the order of delivery.

    Returns:
        The same records, in the same order, each with its status.
    """
    settled = _without_repeats(records)
    best: dict[tuple[str, str], tuple[tuple[bool, str, int], int]] = {}
    for number, record in enumerate(settled):
        returned = record.outcome
        if isinstance(returned, Refusal):
            continue
        rank = (returned.completeness > COMPLETE, record.submitted_at or "", number)
        unit = (returned.unit_type, returned.unit_code)
        if unit not in best or rank > best[unit][0]:
            best[unit] = (rank, number)
    counting = {number for _, number in best.values()}

    def status(number: int, record: Record) -> Status:
        if isinstance(record.outcome, Refusal):
            return "refused"
        return "accepted" if number in counting else "superseded"

    return [replace(record, status=status(number, record)) for number, record in enumerate(settled)]


def demand_all_counted(records: Sequence[Record], delivered: int) -> dict[str, int]:
    """Count in = accepted + refused + superseded.

    Args:
        records: settled.
        delivered: number of returns that came in, counted where they came in.

    Returns:
        The number of each status.

    Raises:
        SourceError: a return was lost or counted twice.
    """
    counts = dict.fromkeys(("accepted", "superseded", "refused"), 0)
    for record in records:
        if record.status is not None:
            counts[record.status] += 1
    if sum(counts.values()) != delivered:
        told = ", ".join(f"{number} {status}" for status, number in counts.items())
        raise SourceError(
            f"{delivered} returns came in, but {told} make {sum(counts.values())}",
            expected="that every return is accepted, superseded or refused",
            remedy="Nothing was loaded; report this",
        )
    return counts


def _without_repeats(records: Iterable[Record]) -> list[Record]:
    """The records; of equal files all but the first are refused."""
    seen: set[str] = set()
    kept: list[Record] = []
    for record in records:
        again = record.sha256 is not None and record.sha256 in seen and isinstance(record.outcome, Return)
        if again and isinstance(record.outcome, Return):
            told = Refusal("duplicate_file", unit_code=record.outcome.unit_code)
            kept.append(replace(record, outcome=told))
            continue
        if record.sha256 is not None and isinstance(record.outcome, Return):
            seen.add(record.sha256)
        kept.append(record)
    return kept
