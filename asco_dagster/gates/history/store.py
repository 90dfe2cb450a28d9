"""The memory of a wave's quality: one SQLite file a wave, ``waves/<wave>/history.sqlite``.

SQLite because a killed run leaves it whole, and because another wave's run may read it meanwhile, which
DuckDB's files do not allow. It holds counts and key figures: no value of a row, none of a suppressed cell,
and before the day of its release no result of a wave. A repeated step of one run replaces its former rows.
"""

import datetime as dt
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

FILE = "history.sqlite"
PATIENCE = 30  # seconds that a writer waits for another
_TABLES = """
create table if not exists judgements (
    run text, asset text, at text not null, state text not null, expectations integer not null,
    failed integer not null, row_count integer not null, share_unexpected real, primary key (run, asset)
);
create table if not exists observations (
    run text, asset text, number integer, what text not null, at text not null, value real not null,
    low real, high real, primary key (run, asset, number)
);
create table if not exists acknowledgements (
    asset text, warning text, observed text, at text not null, name text not null, reason text not null,
    primary key (asset, warning, observed)
);
create table if not exists figures (
    run text, figure text, at text not null, value real not null, primary key (run, figure)
);
"""


@dataclass(frozen=True)
class Judgement:
    """What a gate found in one run.

    Attributes:
        wave: of the table.
        run: Dagster's identifier of the run.
        at: when, ISO 8601 in UTC.
        state: ``open``, ``warns`` or ``closed``.
        expectations: number of expectations.
        failed: number of those that failed.
        rows: rows judged.
        share_unexpected: largest share of rows that an expectation did not expect; None where none has one.
    """

    wave: str
    run: str
    at: str
    state: str
    expectations: int
    failed: int
    rows: int
    share_unexpected: float | None


@dataclass(frozen=True)
class Value:
    """What a figure was in one run: ``wave``, ``run``, ``at`` as of a judgement, and ``value``."""

    wave: str
    run: str
    at: str
    value: float


@dataclass(frozen=True)
class Observation:
    """What an expectation on a whole table saw in one run: ``wave``, ``run``, ``at`` as of a judgement.

    Attributes:
        what: the column, and why it is expected.
        value: the number observed.
        low: lowest number allowed; None without such a limit.
        high: highest number allowed; None without such a limit.
    """

    wave: str
    run: str
    at: str
    what: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Acknowledgement:
    """A warning that somebody has looked at; it counts while the same is observed.

    Attributes:
        asset: of the gate.
        warning: reason of the expectation that failed.
        observed: what was observed.
        at: when, ISO 8601 in UTC.
        name: of the person.
        reason: why it may be so.
    """

    asset: str
    warning: str
    observed: str
    at: str
    name: str
    reason: str


def keep_acknowledgement(folder: Path, acknowledgement: Acknowledgement) -> None:
    """Remember an acknowledgement in the wave's working folder."""
    with _opened(folder) as store:
        store.execute(
            "insert or replace into acknowledgements values (?, ?, ?, ?, ?, ?)", astuple(acknowledgement)
        )


def acknowledgements(folder: Path) -> dict[tuple[str, str, str], Acknowledgement]:
    """The acknowledgements of a wave, by asset, warning and what was observed."""
    if not (folder / FILE).is_file():
        return {}
    with _opened(folder) as store:
        known = [Acknowledgement(*row) for row in store.execute("select * from acknowledgements")]
    return {(one.asset, one.warning, one.observed): one for one in known}


def keep_observations(folder: Path, asset: str, known: Sequence[Observation]) -> None:
    """Remember what the expectations of a gate observed in one run."""
    with _opened(folder) as store:
        store.executemany(
            "insert or replace into observations values (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (one.run, asset, number, one.what, one.at, one.value, one.low, one.high)
                for number, one in enumerate(known)
            ],
        )


def observations(waves: Path) -> dict[str, dict[str, list[Observation]]]:
    """What the expectations of every gate observed, oldest first, by asset and by what was observed."""
    found: dict[str, dict[str, list[Observation]]] = {}
    for wave, store in _stores(waves):
        rows = store.execute(
            "select asset, what, run, at, value, low, high from observations order by at, run, number"
        )
        for asset, what, run, at, *values in rows:
            known = found.setdefault(asset, {}).setdefault(what, [])
            known.append(Observation(wave, run, at, what, *values))
    return found


def keep_judgement(folder: Path, asset: str, judgement: Judgement) -> None:
    """Remember what a gate found.

    Args:
        folder: the wave's working folder.
        asset: of the gate.
        judgement: what it found.
    """
    _, run, *found = astuple(judgement)
    with _opened(folder) as store:
        store.execute(
            "insert or replace into judgements values (?, ?, ?, ?, ?, ?, ?, ?)", [run, asset, *found]
        )


def keep_figures(folder: Path, run: str, figures: Mapping[str, float]) -> None:
    """Remember the key figures of a run; a figure without a value is not kept.

    Args:
        folder: the wave's working folder.
        run: Dagster's identifier of the run.
        figures: by name.
    """
    known = [(run, name, now(), float(value)) for name, value in figures.items() if value == value]
    with _opened(folder) as store:
        store.executemany("insert or replace into figures values (?, ?, ?, ?)", known)


def forget_runs(folder: Path, runs: Sequence[str]) -> bool:
    """Drop what was kept of some runs.

    Args:
        folder: the wave's working folder.
        runs: Dagster's identifiers.

    Returns:
        Whether there was anything of them.
    """
    if not (folder / FILE).is_file():
        return False
    with _opened(folder) as store:
        before = store.total_changes
        for table in ("judgements", "observations", "figures"):
            store.executemany(f"delete from {table} where run = ?", [(run,) for run in runs])  # noqa: S608
        dropped = store.total_changes > before
    if dropped:
        with closing(sqlite3.connect(folder / FILE, timeout=PATIENCE)) as store:
            store.execute("vacuum")
    return dropped


def forget_figures(folder: Path, beginning: str) -> None:
    """Delete the figures of every run whose name begins so; arguments as those of :func:`keep_figures`."""
    with _opened(folder) as store:
        store.execute("delete from figures where substr(figure, 1, ?) = ?", [len(beginning), beginning])


def judgements(waves: Path, asset: str | None = None) -> dict[str, list[Judgement]]:
    """What every gate, or that of one asset, found in every run of every wave, oldest first, by asset.

    Args:
        waves: the folder of all waves' working folders.
        asset: of the one gate.
    """
    found: dict[str, list[Judgement]] = {}
    for wave, store in _stores(waves):
        rows = store.execute(
            "select asset, run, at, state, expectations, failed, row_count, share_unexpected "
            "from judgements where asset = ?1 or ?1 is null order by at, run",
            [asset],
        )
        for name, *values in rows:
            found.setdefault(name, []).append(Judgement(wave, *values))
    return dict(sorted(found.items()))


def figures(waves: Path) -> dict[str, list[Value]]:
    """What every key figure was in every run of every wave, by figure: by wave, oldest first."""
    found: dict[str, list[Value]] = {}
    for wave, store in _stores(waves):
        for name, *values in store.execute("select figure, run, at, value from figures order by at, run"):
            found.setdefault(name, []).append(Value(wave, *values))
    return dict(sorted(found.items()))


def now() -> str:
    """The present instant, as it is stored."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


@contextmanager
def _opened(folder: Path) -> Iterator[sqlite3.Connection]:
    """The store, to be written; it is created with mode 0600 when it does not exist."""
    former = os.umask(0o077)
    try:
        with closing(sqlite3.connect(folder / FILE, timeout=PATIENCE)) as store:
            # A power cut may cost the last judgement, never the file; a killed process costs nothing.
            store.execute("pragma journal_mode = wal")
            store.execute("pragma synchronous = normal")
            store.executescript(_TABLES)
            with store:
                yield store
    finally:
        os.umask(former)


def _stores(waves: Path) -> Iterator[tuple[str, sqlite3.Connection]]:
    """Every wave that has a store, in order, with the store to be read."""
    for path in sorted(waves.glob(f"*/{FILE}")):
        with closing(sqlite3.connect(path, timeout=PATIENCE)) as store:
            store.executescript(_TABLES)
            yield path.parent.name, store
