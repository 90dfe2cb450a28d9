"""What is wrong with a wave's database file: one sentence and remedy for each cause.

DuckDB reports a text file, a torn header, a full disk and a reader in another process all as “IO Error”.
"""

import re
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from asco_dagster.errors import AscoError

_KIND = re.compile(
    r"^(IO|FATAL|INTERNAL|Serialization|TransactionContext|Invalid Input|Binder|Catalog|Parser) Error: "
)
_HELD = re.compile(r"Could not set lock on file")
_HOLDER = re.compile(r"Conflicting lock is held in (?P<program>.*?) ?\(PID (?P<pid>\d+)\)")
_MAGIC, _MAGIC_AT = b"DUCK", 8  # of any DuckDB file, encrypted or not
_DAMAGED = re.compile(
    r"Corrupt|Could not read enough bytes|not a valid DuckDB database|INTERNAL|Serialization|deserializ",
    re.IGNORECASE,
)
_FULL = re.compile(r"No space left on device|Disk quota exceeded|File too large", re.IGNORECASE)
_REBUILD = "Move it away: the next run rebuilds every table from the deliveries; or restore a backup"


def require_database(path: Path) -> None:
    """Check that the file of a database, if it exists, is a DuckDB file.

    Raises:
        AscoError: it is a folder, empty, or something else.
    """
    if not path.exists():
        return
    if not path.is_file():
        raise _fault("the wave's database is a folder", path)
    try:
        with path.open("rb") as file:
            head = file.read(_MAGIC_AT + len(_MAGIC))
    except PermissionError as error:
        raise _unreadable(path) from error
    if not head:
        raise _fault("the wave's database is empty (0 bytes)", path)
    if head[_MAGIC_AT:] != _MAGIC:
        raise _fault("the wave's database is damaged or not a database: it has no header", path)


def holder_of(error: Exception) -> str | None:
    """The process that has a database open, where that is why it cannot be opened.

    Returns:
        For example ``process 4706 (python3 of user anne)``; None if no process has it open.
    """
    text = str(error)
    if not _HELD.search(text):
        return None
    found = _HOLDER.search(text)
    if found is None:
        return "a process of another user"
    return f"process {found['pid']} ({_named(int(found['pid']), found['program'])})"


def held_fault(holder: str, path: Path, waited: float = 0.0) -> AscoError:
    """The error of a database that another process has open."""
    waiting = f" and did not close it within {waited:.0f} s" if waited else ""
    return AscoError(
        f"{holder} has the wave's database open{waiting}",
        file=path,
        remedy="Close it or wait, then try again; asco query and the copy in readable/ work during a run",
    )


def opening_fault(error: Exception, path: Path) -> AscoError:
    """The error of a database that cannot be opened, though no other process has it open."""
    said = first_line(error)
    if "replaying WAL" in said:
        return AscoError(
            f"the write-ahead log of the wave's database is damaged: {said}",
            file=f"{path}.wal",
            remedy="Move that file away; the next run rebuilds what the last step wrote",
        )
    return _unreadable(path) if "Permission denied" in said else working_fault(error, path, "opened")


def working_fault(error: Exception, path: Path, done: str = "read or written") -> AscoError:
    """The error of a database that could not be read or written."""
    said, again = first_line(error), "then run the wave again; the interrupted step is rolled back"
    if _FULL.search(said):
        return AscoError(f"the disk is full: {said}", file=path, remedy=f"Free some disk space, {again}")
    if _DAMAGED.search(str(error)):
        return _fault(f"the wave's database is damaged: {said}", path)
    return AscoError(
        f"the wave's database cannot be {done}: {said}", file=path, remedy=f"Check its disk, {again}"
    )


def first_line(error: Exception) -> str:
    """DuckDB's first line without the kind of the error; the lines below may quote rows."""
    return _KIND.sub("", str(error).splitlines()[0])


def _fault(what: str, path: Path) -> AscoError:
    return AscoError(what, file=path, expected="a DuckDB database", remedy=f"{_REBUILD} ({path})")


def _unreadable(path: Path) -> AscoError:
    return AscoError(
        f"this user may not read or write the wave's database, which belongs to {_owner(path)}",
        file=path,
        remedy=f"Run asco as that user, or give the home to this one: chown -R \"$USER\" '{path.parent}'",
    )


def _owner(path: Path) -> str:
    try:
        return f"user {path.owner()}"
    except (KeyError, OSError):
        return "another user"


def _named(pid: int, program: str) -> str:
    """Name and user of a process as far as they can be seen, else its program as DuckDB reports it."""
    try:
        process = psutil.Process(pid)
        return f"{process.name()} of user {process.username()}"
    except psutil.Error:
        return Path(program).name or "ended meanwhile"
