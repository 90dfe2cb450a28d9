"""What is wrong with a wave's database file, each cause in a sentence of its own with its remedy.

DuckDB tells a text file, a torn header, a full disk and a reader in another process all as “IO Error”. What
does not belong here: opening a database (``warehouse.py``).
"""

import re
from pathlib import Path

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
_MADE_AGAIN = "Move it away: the next run makes every table again from the deliveries; or restore a backup"


def require_database(path: Path) -> None:
    """Demand that what lies at the place of a database, if anything, is a DuckDB file.

    Raises:
        AscoError: it is a folder, empty, or something else.
    """
    if not path.exists():
        return
    if not path.is_file():
        raise _fault("a folder lies where the wave's database should be", path)
    try:
        with path.open("rb") as file:
            head = file.read(_MAGIC_AT + len(_MAGIC))
    except PermissionError as error:
        raise _unreadable(path) from error
    if not head:
        raise _fault("the wave's database is empty (0 bytes)", path)
    if head[_MAGIC_AT:] != _MAGIC:
        raise _fault("the wave's database is damaged, or another file took its place: it has no header", path)


def holder_of(error: Exception) -> str | None:
    """The process that has a database open, where that is why it cannot be opened.

    Args:
        error: DuckDB's.

    Returns:
        For example ``process 4706 (python3 of user anne)``; None when nobody has it open.
    """
    text = str(error)
    if not _HELD.search(text):
        return None
    found = _HOLDER.search(text)
    if found is None:
        return "another process, which this user may not see"
    return f"process {found['pid']} ({_named(int(found['pid']), found['program'])})"


def held_fault(holder: str, path: Path, waited: float = 0.0) -> AscoError:
    """The error of a database that another process did not close in time."""
    waiting = f", which did not close it within {waited:.0f} s" if waited else ""
    return AscoError(
        f"the wave's database is open in {holder}{waiting}",
        file=path,
        remedy="Close it there, then do this again; to read during a run use “asco query” or the copy below "
        "readable/ of the home",
    )


def opening_fault(error: Exception, path: Path) -> AscoError:
    """The error of a database that cannot be opened, though no other process has it open."""
    told = first_line(error)
    if "replaying WAL" in told:
        return AscoError(
            f"the write-ahead log of the wave's database is damaged: {told}",
            file=f"{path}.wal",
            remedy="Move that file away: what the last step wrote goes with it and is made again",
        )
    if "Permission denied" in told:
        return _unreadable(path)
    return _common(error, path) or AscoError(
        f"the wave's database cannot be opened: {told}",
        file=path,
        remedy="Check the disk that it lies on, then run again",
    )


def working_fault(error: Exception, path: Path) -> AscoError:
    """The error of a database that was open and could not be read or written."""
    told = first_line(error)
    return _common(error, path) or AscoError(
        f"the wave's database cannot be worked on: {told}",
        file=path,
        remedy="Check the disk that it lies on, then run the wave again: what was begun is undone",
    )


def first_line(error: Exception) -> str:
    """What DuckDB says first, without the kind of the error; the lines below may quote rows."""
    return _KIND.sub("", str(error).splitlines()[0])


def _common(error: Exception, path: Path) -> AscoError | None:
    """The errors that may come on opening and later alike."""
    told = first_line(error)
    if _FULL.search(told):
        return AscoError(
            f"the disk is full: {told}",
            file=path,
            remedy="Free some disk space, then run the wave again: what was begun is undone",
        )
    if _DAMAGED.search(str(error)):
        return _fault(f"the wave's database is damaged: {told}", path)
    return None


def _fault(what: str, path: Path) -> AscoError:
    return AscoError(what, file=path, expected="a DuckDB database", remedy=f"{_MADE_AGAIN} ({path})")


def _unreadable(path: Path) -> AscoError:
    return AscoError(
        f"the wave's database may not be read or written by this user: it belongs to {_owner(path)}",
        file=path,
        remedy=f"Run asco as that user, or give the home to this one: chown -R \"$USER\" '{path.parent}'",
    )


def _owner(path: Path) -> str:
    try:
        return f"user {path.owner()}"
    except (KeyError, OSError):
        return "another user"


def _named(pid: int, program: str) -> str:
    """Name and user of a process as far as they can be seen; DuckDB tells its program at least."""
    import psutil  # type: ignore[import-untyped]

    try:
        process = psutil.Process(pid)
        return f"{process.name()} of user {process.username()}"
    except psutil.Error:
        return Path(program).name or "ended meanwhile"
