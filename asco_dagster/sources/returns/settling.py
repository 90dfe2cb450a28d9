"""Which of the returns count: duplicates, one return of each unit, and the count of them all.

Of several returns of one unit, that one counts which is ahead in the first of these that differs:

1. ``complete``: more than 80 % of the questions put are answered (``COMPLETE``);
2. ``dated``, ``newer``: it has a moment that can be believed, and the later one;
3. ``later_delivery``: the wave file names its delivery later;
4. ``later_response``: the survey's server gave it a higher number (LimeSurvey's ``id``);
5. ``more_complete``: more of the questions put are answered;
6. ``later_place``: it is further behind in its delivery (path in the archive, row in the export).

The table of returns says for each which of these decided (``decided_by``; ``only`` when its unit sent no
other), and for one that does not count which return does (``superseded_by``). The last one is an arbitrary
order: a warning of the gate asks a person to check.

A return gives a moment (the workbook's last save, the export's date of submission), and so does the archive.
Both can be wrong: an anonymised survey of LimeSurvey dates every response 1980-01-01, a zip without dates
every file, a clock can be years off, an import gives all returns one moment. Such a moment counts as none;
``moment_flag`` says why:

* ``in_collection``: from the first to the last day of collection (a day of tolerance for time zones);
* ``late``: up to half a year after the last day; it is believed, since corrections come in that time;
* ``before_collection``, ``after_collection``: earlier or later than that; not believed;
* ``constant``: at least three returns of a delivery have a moment and all have the same; not believed;
* ``undated``: there is none.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from asco_dagster.errors import SourceError
from asco_dagster.sources.returns.questionnaire_form import Return
from asco_dagster.sources.returns.refusals import Refusal

MomentFlag = Literal["in_collection", "late", "before_collection", "after_collection", "constant", "undated"]
BELIEVED: frozenset[MomentFlag] = frozenset(("in_collection", "late"))
LATE = dt.timedelta(days=183)
CONSTANT_FROM = 3
"""Returns of one delivery from which the same moment in all of them is no coincidence."""
_ZONES = dt.timedelta(days=1)
COMPLETE = 0.8
"""Share of the questions put from which a return is complete (AAPOR, Standard Definitions: over 80 %)."""

Status = Literal["accepted", "superseded", "refused"]
_Rank = tuple[bool, bool, str, int, int, float, int]
_DECIDES = ("complete", "dated", "newer", "later_delivery", "later_response", "more_complete", "later_place")
"""What each place of a rank decides."""


@dataclass(frozen=True)
class Window:
    """First and last day of collection."""

    start: dt.date
    end: dt.date


@dataclass(frozen=True, slots=True)
class Claim:
    """What one return says of its moment.

    Attributes:
        delivery: name of the delivery that it came in.
        stated: ISO moment that it gives itself, None when it gives none.
        archive: ISO moment that its archive says.
    """

    delivery: str
    stated: str | None
    archive: str | None


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
        moment_flag: whether its moment is believed, and why not, see above.
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
        return self._stated or self.modified

    @property
    def place(self) -> str:
        """Where a person finds it: its file, and its row in an export."""
        return self.file if self.row is None else f"{self.file}, row {self.row}"

    @property
    def claim(self) -> Claim:
        """What it says of its moment."""
        return Claim(self.file.partition("/")[0], self._stated, self.modified)

    @property
    def _stated(self) -> str | None:
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
        statuses = ", ".join(f"{number} {status}" for status, number in counts.items())
        raise SourceError(
            f"{delivered} returns came in, but {statuses} make {sum(counts.values())}",
            expected="that every return is accepted, superseded or refused",
            remedy="Nothing was loaded; report this error",
        )
    return counts


def _without_repeats(records: Iterable[Record]) -> list[Record]:
    """The records; of equal files all but the first are refused."""
    seen: set[str] = set()
    kept: list[Record] = []
    for record in records:
        again = record.sha256 is not None and record.sha256 in seen and isinstance(record.outcome, Return)
        if again and isinstance(record.outcome, Return):
            refusal = Refusal("duplicate_file", unit_code=record.outcome.unit_code)
            kept.append(replace(record, outcome=refusal))
            continue
        if record.sha256 is not None and isinstance(record.outcome, Return):
            seen.add(record.sha256)
        kept.append(record)
    return kept


def judged(claims: Sequence[Claim], window: Window) -> list[tuple[MomentFlag, str | None]]:
    """Judge the moment of each return.

    Args:
        claims: one a return.
        window: of the collection.

    Returns:
        For each, what is to be said of its claim (its archive's when it makes none itself), and the moment
        that is believed: the one it states, else its archive's, else None.
    """
    stated_constant = _constant((claim.delivery, claim.stated) for claim in claims)
    archive_constant = _constant((claim.delivery, claim.archive) for claim in claims)
    found: list[tuple[MomentFlag, str | None]] = []
    for claim in claims:
        stated = _flag(claim.stated, claim.delivery in stated_constant, window)
        archive = _flag(claim.archive, claim.delivery in archive_constant, window)
        believed = claim.stated if stated in BELIEVED else claim.archive if archive in BELIEVED else None
        found.append((archive if stated == "undated" else stated, believed))
    return found


def _flag(moment: str | None, is_constant: bool, window: Window) -> MomentFlag:
    if moment is None:
        return "undated"
    day = dt.datetime.fromisoformat(moment).date()
    if day < window.start - _ZONES:
        return "before_collection"
    if day > window.end + LATE:
        return "after_collection"
    if is_constant:
        return "constant"
    return "in_collection" if day <= window.end + _ZONES else "late"


def _constant(moments: Iterable[tuple[str, str | None]]) -> set[str]:
    """The deliveries whose moments are all the same."""
    of_delivery: dict[str, list[str]] = {}
    for delivery, moment in moments:
        if moment is not None:
            of_delivery.setdefault(delivery, []).append(moment)
    return {
        delivery
        for delivery, found in of_delivery.items()
        if len(found) >= CONSTANT_FROM and len(set(found)) == 1
    }
