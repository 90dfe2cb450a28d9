"""Which of the returns count: duplicates, one return of each unit, and the count of it all.

Of several returns of one unit, that one counts which is ahead in the first of these that differs:

1. ``complete``: more than 80 % of the questions put are answered (``COMPLETE``);
2. ``dated``, ``newer``: it has a moment that can be believed (``return_moments``), and the later one;
3. ``later_delivery``: the wave file names its delivery later;
4. ``later_response``: the survey's server gave it a higher number (LimeSurvey's ``id``);
5. ``more_complete``: more of the questions put are answered;
6. ``later_place``: it is further behind in its delivery (path in the archive, row in the export).

The table of returns says for each which of these decided (``decided_by``; ``only`` when its unit sent no
other), and for one that does not count which return does (``superseded_by``). The last one is an arbitrary
order: a warning of the gate asks a person to look. Dates outside the collection count as none, see
``return_moments``.

Pure: records in, the same records with a status out. Does not belong here: reading and writing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from asco_dagster.errors import SourceError
from asco_dagster.sources.readers.refusals import Refusal
from asco_dagster.sources.readers.return_form import Return
from asco_dagster.sources.readers.return_moments import Claim, MomentFlag, Window, judged

COMPLETE = 0.8
"""Share of the questions put from which a return is complete (AAPOR, Standard Definitions: over 80 %)."""

Status = Literal["accepted", "superseded", "refused"]
_Rank = tuple[bool, bool, str, int, int, float, int]
_DECIDES = ("complete", "dated", "newer", "later_delivery", "later_response", "more_complete", "later_place")
"""What each place of a rank decides."""


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
        response: number that the survey's server gave it; None for a workbook.
        delivery: place of its delivery among those of the wave, from 0.
        status: what became of it; None until settled.
        moment_flag: what is to be said of its moment, see ``return_moments``.
        submitted_at: ISO moment that is believed; None when there is none.
        decided_by: what decided whether it counts; None for a refused one.
        superseded_by: file, and row of an export, of the return of its unit that counts.
    """

    file: str
    unit_type: str | None
    outcome: Return | Refusal
    sha256: str | None = None
    modified: str | None = None
    row: int | None = None
    headers: tuple[str, ...] | None = None
    response: int | None = None
    delivery: int = 0
    status: Status | None = None
    moment_flag: MomentFlag = "undated"
    submitted_at: str | None = None
    decided_by: str | None = None
    superseded_by: str | None = None

    @property
    def claimed_at(self) -> str | None:
        """When it was filled in as it says itself, believed or not; else as its archive does."""
        return self._own or self.modified

    @property
    def place(self) -> str:
        """Where a person finds it: its file, and its row in an export."""
        return self.file if self.row is None else f"{self.file}, row {self.row}"

    @property
    def claim(self) -> Claim:
        """What it says of its moment."""
        return Claim(self.file.partition("/")[0], self._own, self.modified)

    @property
    def _own(self) -> str | None:
        return self.outcome.submitted_at if isinstance(self.outcome, Return) else None


def settle(records: Iterable[Record], window: Window) -> list[Record]:
    """Give every record its status.

    A file that was delivered already, byte for byte, is refused. Of the returns of one unit one is accepted,
    by the rule above; the others are superseded.

    Args:
        records: in the order of delivery.
        window: first and last day of collection.

    Returns:
        The same records, in the same order, each with its status and what decided it.
    """
    settled = _without_repeats(records)
    moments = judged([record.claim for record in settled], window)
    settled = [
        replace(record, moment_flag=flag, submitted_at=moment)
        for record, (flag, moment) in zip(settled, moments, strict=True)
    ]
    ranks: dict[tuple[str, str], list[_Rank]] = {}
    for number, record in enumerate(settled):
        if isinstance(record.outcome, Return):
            unit = (record.outcome.unit_type, record.outcome.unit_code)
            ranks.setdefault(unit, []).append(_rank(number, record, record.outcome))
    for of_unit in ranks.values():
        of_unit.sort(reverse=True)
        for place, rank in enumerate(of_unit):
            settled[rank[-1]] = _placed(settled, of_unit, place)
    return [
        replace(record, status="refused") if isinstance(record.outcome, Refusal) else record
        for record in settled
    ]


def _rank(number: int, record: Record, returned: Return) -> _Rank:
    """What compares two returns of a unit, the most important first."""
    moment = record.submitted_at or ""
    return (
        returned.completeness > COMPLETE,
        bool(moment),
        moment,
        record.delivery,
        record.response or 0,
        returned.completeness,
        number,
    )


def _placed(settled: Sequence[Record], ranks: Sequence[_Rank], place: int) -> Record:
    """A return with what became of it, among all of its unit, the first of which counts."""
    record = settled[ranks[place][-1]]
    if len(ranks) == 1:
        return replace(record, status="accepted", decided_by="only")
    rival = ranks[1 if place == 0 else 0]
    differs = next(n for n, (one, other) in enumerate(zip(ranks[place], rival, strict=True)) if one != other)
    if place == 0:
        return replace(record, status="accepted", decided_by=_DECIDES[differs])
    counts = settled[ranks[0][-1]].place
    return replace(record, status="superseded", decided_by=_DECIDES[differs], superseded_by=counts)


def require_all_counted(records: Sequence[Record], delivered: int) -> dict[str, int]:
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
