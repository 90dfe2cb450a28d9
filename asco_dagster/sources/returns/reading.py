"""Reading a wave's returns, however they came, into answers and a list of what became of each.

Takes deliveries (folders, zips, tars of workbooks, exports of the web questionnaire) and gives back both
tables, with every refusal recorded in the quarantine and every return counted.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pandas as pd

from asco_dagster.errors import OutOfReachError, SourceError
from asco_dagster.processors import processors
from asco_dagster.questionnaires.questions import Codebook
from asco_dagster.sources.returns.archive_members import Member, members
from asco_dagster.sources.returns.quarantine import Entry, Quarantine
from asco_dagster.sources.returns.questionnaire_form import Expected
from asco_dagster.sources.returns.reading_pool import read_all
from asco_dagster.sources.returns.refusals import UNREADABLE_DELIVERY, Refusal
from asco_dagster.sources.returns.settling import Record, Window, require_all_counted, settle
from asco_dagster.sources.returns.tables import Answers, returns_frame
from asco_dagster.sources.returns.web_export import read_export, read_limesurvey

Format = Literal["workbooks", "export", "limesurvey"]


@dataclass(frozen=True)
class Delivered:
    """A delivery within reach.

    Attributes:
        path: folder, archive or file; for ``limesurvey`` from the API only a name.
        format: what it holds.
        unit_type: type of unit that it is for; None when workbooks of both may be in it.
        content: bytes of an export that was never written to a file, since it holds contact details.
    """

    path: Path
    format: Format = "workbooks"
    unit_type: str | None = None
    content: bytes | None = None


@dataclass(frozen=True)
class Returns:
    """What came in.

    Attributes:
        answers: see ``tables.Answers``; only of accepted returns.
        returns: see ``tables.returns_frame``; every return.
        counts: number of returns ``accepted``, ``superseded``, ``refused``, and of files ``ignored``.
        left_out: for each export, the columns that are no question and were not read.
    """

    answers: Answers
    returns: pd.DataFrame
    counts: dict[str, int]
    left_out: dict[str, list[str]]


def read_returns(
    deliveries: Sequence[Delivered],
    *,
    codebooks: Mapping[str, Codebook],
    wave: str,
    sampled: set[tuple[str, str]] | None,
    collection: Window,
    workers: int | None = None,
    quarantine: Quarantine | None = None,
) -> Returns:
    """Read returns.

    Args:
        deliveries: within reach, in the order of the wave file.
        codebooks: questionnaire of each type of unit.
        wave: the wave.
        sampled: type and code of every sampled unit; None lets any unit answer.
        collection: its first and last day.
        workers: reading processes; None takes every core that this process may use.
        quarantine: where refusals are recorded; None records them in the tables alone.

    Returns:
        Both tables and the counts.

    Raises:
        SourceError: a delivery that is missing or broken as a whole, or a return that was lost on the way.
        OutOfReachError: a delivered file that the system does not give.
    """
    expected = forms(codebooks, wave, sampled)
    counter = _Counter()
    settled = settle(_read(deliveries, expected, workers or processors(), counter, quarantine), collection)
    counts = require_all_counted(settled, counter.delivered)
    if quarantine is not None:
        quarantine.update(settled)
    return Returns(
        Answers(settled, expected),
        returns_frame(settled),
        {**counts, "ignored": counter.ignored},
        counter.left_out,
    )


def forms(
    codebooks: Mapping[str, Codebook], wave: str, sampled: set[tuple[str, str]] | None
) -> dict[str, Expected]:
    """What returns must look like, by type of unit; arguments as in :func:`read_returns`."""
    return {
        unit_type: Expected.of(
            codebook,
            wave,
            None if sampled is None else frozenset(code for kind, code in sampled if kind == unit_type),
        )
        for unit_type, codebook in codebooks.items()
    }


def reread(
    entries: Sequence[Entry], deliveries: Sequence[Delivered], expected: Mapping[str, Expected]
) -> Iterator[tuple[Entry, str, Record | None]]:
    """Read refused returns again.

    Args:
        entries: of the quarantine.
        deliveries: those of the wave, within reach.
        expected: what returns must look like, by type of unit.

    Yields:
        Each entry, the state that it has now (see ``quarantine``), and its return as it reads now;
        None where there is none.
    """
    wanted = {entry.file for entry in entries}
    found: dict[tuple[str, int | None], Record] = {}
    unreadable = set()
    for delivery in deliveries:
        try:
            for record in _read_one(delivery, expected, 1, _Counter(), wanted):
                found[record.file, record.row] = record
        except SourceError:
            unreadable.add(delivery.path.name)
    for entry in entries:
        returned = found.get((entry.file, entry.row))
        if entry.file.partition("/")[0] in unreadable or entry.reason == "duplicate_file":
            yield entry, "refused", None
        elif entry.reason == UNREADABLE_DELIVERY:
            yield entry, "retry", None
        elif returned is None:
            yield entry, "absent", None
        else:
            yield entry, "refused" if isinstance(returned.outcome, Refusal) else "retry", returned


class _Counter:
    """Counts what comes in where it comes in, so that a loss further on cannot hide."""

    def __init__(self) -> None:
        self.delivered = 0
        self.ignored = 0
        self.left_out: dict[str, list[str]] = {}

    def passing(self, delivered: Iterable[Member]) -> Iterator[Member]:
        """The same members, counted."""
        for member in delivered:
            if member.ignored:
                self.ignored += 1
            else:
                self.delivered += 1
            yield member


def _read(
    deliveries: Sequence[Delivered],
    expected: Mapping[str, Expected],
    workers: int,
    counter: _Counter,
    quarantine: Quarantine | None,
) -> Iterator[Record]:
    for number, delivery in enumerate(deliveries):
        try:
            for record in _read_one(delivery, expected, workers, counter):
                yield replace(record, delivery=number)
        except OutOfReachError:
            raise  # the delivery may be sound: nothing is recorded, and the next run reads it
        except SourceError:
            if quarantine is not None and (delivery.content is not None or delivery.path.exists()):
                refusal = Refusal(UNREADABLE_DELIVERY)
                quarantine.put(Record(delivery.path.name, delivery.unit_type, refusal))
            raise


def _read_one(
    delivery: Delivered,
    expected: Mapping[str, Expected],
    workers: int,
    counter: _Counter,
    wanted: Collection[str] | None = None,
) -> Iterator[Record]:
    """Returns of one delivery; all of them, or the workbooks of these names and every row of an export."""
    wanted_forms = (
        {delivery.unit_type: expected[delivery.unit_type]} if delivery.unit_type else dict(expected)
    )
    if delivery.format == "workbooks":
        found = counter.passing(
            member for member in members(delivery.path) if wanted is None or member.file in wanted
        )
        for member, (sha256, outcome) in read_all(found, wanted_forms, workers):
            yield Record(member.file, delivery.unit_type, outcome, sha256, member.modified)
        return
    read = read_export if delivery.format == "export" else read_limesurvey
    export = read(delivery.path, next(iter(wanted_forms.values())), content=delivery.content)
    if export.left_out:
        counter.left_out[delivery.path.name] = export.left_out
    for record in export.records:
        counter.delivered += 1
        yield record
