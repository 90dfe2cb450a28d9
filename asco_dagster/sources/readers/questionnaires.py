"""Reading a wave's returns, however they came, into answers and a list of what became of each.

The one door for those who need returns: it takes deliveries (folders, zips, tars of workbooks, exports of
the web questionnaire) and what the quarantine holds for another try, and gives back both tables, with every
refused file put into quarantine and every return counted. Does not belong here: the steps themselves
(``return_*``, ``web_returns``).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from asco_dagster.questionnaires.questions import Codebook
from asco_dagster.sources.quarantine import Entry, Quarantine
from asco_dagster.sources.readers.refusals import Refusal
from asco_dagster.sources.readers.return_form import Expected
from asco_dagster.sources.readers.return_members import Member, members
from asco_dagster.sources.readers.return_pool import read_all
from asco_dagster.sources.readers.return_settling import Record, demand_all_counted, settle
from asco_dagster.sources.readers.return_tables import answers_table, returns_frame
from asco_dagster.sources.readers.web_returns import read_export, read_limesurvey

if TYPE_CHECKING:
    import pyarrow as pa

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
        answers: see ``return_tables.answers_table``; only of accepted returns.
        returns: see ``return_tables.returns_frame``; every return.
        counts: number of returns ``accepted``, ``superseded``, ``refused``, and of files ``ignored``.
    """

    answers: "pa.Table"
    returns: pd.DataFrame
    counts: dict[str, int]


def read_returns(
    path: Path | Sequence[Delivered],
    *,
    codebooks: Mapping[str, Codebook],
    wave: str,
    sampled: set[tuple[str, str]] | None,
    workers: int | None = None,
    quarantine: Quarantine | None = None,
) -> Returns:
    """Read returns.

    Args:
        path: one folder, zip, tar or single workbook; or several deliveries of any kind.
        codebooks: questionnaire of each type of unit.
        wave: the wave.
        sampled: type and code of every sampled unit; None lets any unit answer.
        workers: reading processes; None takes every core that this process may use.
        quarantine: where refused files go and retried ones come from; None keeps nothing.

    Returns:
        Both tables and the counts.

    Raises:
        SourceError: a delivery that is missing or broken as a whole, or a return that was lost on the way.
    """
    deliveries = [Delivered(path)] if isinstance(path, Path) else list(path)
    expected = forms(codebooks, wave, sampled)
    counter = _Counter()
    records = list(_read(deliveries, expected, workers or _cores(), counter))
    if quarantine is not None:
        records += _retried(quarantine, expected, records, counter)
    settled = settle(records)
    counts = demand_all_counted(settled, counter.delivered)
    if quarantine is not None:
        quarantine.update(settled)
    return Returns(
        answers_table(settled, expected),
        returns_frame(settled),
        {**counts, "ignored": counter.ignored},
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
    entries: Sequence[Entry], quarantine: Quarantine, expected: Mapping[str, Expected]
) -> list[Record]:
    """Read the files of quarantine entries, in their order."""
    found = [entry.member(quarantine.folder) for entry in entries]
    if not found:
        return []
    return [
        Record(
            member.file,
            entry.unit_type,
            outcome,
            sha256,
            member.modified,
            where=member.where,
            entry=entry.id,
        )
        for entry, (member, (sha256, outcome)) in zip(entries, read_all(found, expected, 1), strict=True)
    ]


class _Counter:
    """Counts what comes in where it comes in, so that a loss further on cannot hide."""

    def __init__(self) -> None:
        self.delivered = 0
        self.ignored = 0

    def passing(self, delivered: Iterator[Member]) -> Iterator[Member]:
        """The same members, counted."""
        for member in delivered:
            if member.ignored:
                self.ignored += 1
            else:
                self.delivered += 1
            yield member


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _read(
    deliveries: Sequence[Delivered], expected: Mapping[str, Expected], workers: int, counter: _Counter
) -> Iterator[Record]:
    for delivery in deliveries:
        own = {delivery.unit_type: expected[delivery.unit_type]} if delivery.unit_type else dict(expected)
        if delivery.format == "workbooks":
            for member, (sha256, outcome) in read_all(counter.passing(members(delivery.path)), own, workers):
                # Bytes that came with a compressed tar are held no longer than a refusal needs them.
                where = member.where if isinstance(outcome, Refusal) else None
                yield Record(member.file, delivery.unit_type, outcome, sha256, member.modified, where=where)
            continue
        read = read_export if delivery.format == "export" else read_limesurvey
        rows = read(delivery.path, next(iter(own.values())), content=delivery.content)
        counter.delivered += rows.count
        yield from rows.records


def _retried(
    quarantine: Quarantine, expected: Mapping[str, Expected], records: Sequence[Record], counter: _Counter
) -> list[Record]:
    """What the quarantine holds for another try, but for files that were delivered again themselves."""
    present = {record.sha256 for record in records}
    entries = [entry for entry in quarantine.to_read() if entry.sha256 not in present]
    counter.delivered += len(entries)
    return reread(entries, quarantine, expected)
