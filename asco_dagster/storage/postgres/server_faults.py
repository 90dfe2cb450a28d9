"""Why a PostgreSQL server does not start or accept a connection: cause and remedy from its messages.

The last line of its log is hardly ever the cause.
"""

import re
from dataclasses import dataclass
from pathlib import Path

_PREFIX = re.compile(r"^\S+ \S+ \w+ \[\d+\] ")
_GRAVE = re.compile(r"\b(FATAL|PANIC|ERROR):\s|could not|cannot")
_BEGIN_AGAIN = (
    "Restore the home from a backup (asco restore), or move {data} away to begin a new run history: waves "
    "and releases remain, and the next run checks everything again"
)
_STARTING = (
    (
        r"No space left on device|Disk quota exceeded",
        "the disk is full",
        "Free some disk space, then try again",
    ),
    (
        r"Permission denied|wrong ownership|Operation not permitted|invalid permissions",
        "it may not read or write its files",
        "Give all of {data} back to the user who runs it (chown -R), with mode 0700",
    ),
    (
        r"configuration file|postgresql\.conf|pg_hba\.conf|invalid value for parameter",
        "its configuration file is missing or wrong",
        "See {log} and fix what it names in {data}",
    ),
    (
        r"pg_control|control file|database files are incompatible",
        "its control file (global/pg_control) is missing or damaged",
        _BEGIN_AGAIN,
    ),
    (
        r"checkpoint record|pg_wal|WAL segment|redo location",
        "its write-ahead log (pg_wal) is missing or damaged",
        _BEGIN_AGAIN,
    ),
    (
        r"Cannot allocate memory|shared memory segment",
        "the machine has too little memory for it",
        "Close some programs, then try again",
    ),
)
_CONNECTING = (
    (
        r"too many clients|remaining connection slots|too many connections",
        "all its connections are in use",
        "Close programs that use it (asco up, dagster dev, notebooks) or wait, then try again",
    ),
    (
        r"No space left on device|Disk quota exceeded",
        "its disk is full",
        "Free some disk space, then try again",
    ),
)


@dataclass(frozen=True)
class Fault:
    """A fault of a server: its ``cause`` with the server's message, and the ``remedy``."""

    cause: str
    remedy: str


def starting_fault(said: str, data: Path, log: Path) -> Fault:
    """Why a server did not start, from what it and ``pg_ctl`` printed."""
    line = _gravest(said)
    for pattern, cause, remedy in _STARTING:
        if re.search(pattern, said):
            return Fault(f"{cause} ({line})", remedy.format(data=data, log=log))
    return Fault(line, f"See {log} and fix what it names, or set ASCO_POSTGRES_URL")


def connecting_fault(said: str) -> Fault | None:
    """Why a running server refuses a connection or statement; None if unknown."""
    for pattern, cause, remedy in _CONNECTING:
        if re.search(pattern, said):
            return Fault(f"{cause} ({_gravest(said)})", remedy)
    return None


def _gravest(said: str) -> str:
    """The last line that reports a failure, else the last line, without its date."""
    lines = [line.strip() for line in said.strip().splitlines() if line.strip()]
    grave = [line for line in lines if _GRAVE.search(line)]
    chosen = next((line for line in reversed(grave) if "FATAL" in line or "PANIC" in line), None)
    line = chosen or (grave or lines or ["no message"])[-1]
    return " ".join(_PREFIX.sub("", line).split()).removeprefix("but ").rstrip(".")
