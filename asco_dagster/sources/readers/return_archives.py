"""The members of a zip or a tar of returns, and no silence about an archive that is damaged or cut short.

The standard library stops without a word where a tar is damaged, and takes a zip of stored workbooks that was
cut short for the last whole workbook in it; here both are errors. Does not belong here: folders, and what a
member's path may be (``return_members``).
"""

import datetime as dt
import errno
import functools
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tarfile import EOFHeaderError, HeaderError  # type: ignore[attr-defined]

from asco_dagster.errors import OutOfReachError, SourceError
from asco_dagster.sources.readers.encoding import AGAIN
from asco_dagster.sources.readers.refusals import RefusedReturnError
from asco_dagster.sources.readers.return_inspection import BOMB_RATIO
from asco_dagster.sources.readers.return_kinds import MAX_FILE

MAX_ARCHIVE = 64 * 1024**3  # bytes that a compressed tar may inflate to while it is passed over
_TAR_FAULTS = (tarfile.TarError, EOFError, OSError, zlib.error, ValueError)
# Libraries raise OSError at wrong bytes too, without a number; or the bytes tell of a place that cannot be.
_OF_WRONG_BYTES = (None, errno.EINVAL)


@dataclass(frozen=True)
class Where:
    """Where the bytes of a member are.

    Attributes:
        path: the file or archive.
        index: number of the member of a zip; None otherwise.
        offset: where they begin in the file.
        size: how many they are; None means to the end.
        content: the bytes themselves, from an archive that can only be read from front to back.
    """

    path: Path
    index: int | None = None
    offset: int = 0
    size: int | None = None
    content: bytes | None = None


@dataclass(frozen=True)
class Found:
    """One file of a delivery, before its path is judged.

    Attributes:
        name: its path inside the delivery.
        where: its bytes.
        modified: moment (ISO, no zone) that the archive or file system tells.
        refused: reason to refuse it for what it is; None for an ordinary file.
    """

    name: str
    where: Where | None
    modified: str | None
    refused: str | None = None


def zip_files(path: Path) -> Iterator[Found]:
    """Files of a zip, in the order of its directory.

    Raises:
        SourceError: it is damaged or cut short.
    """
    entries = _opened(path).infolist()
    seen: dict[str, int] = {}
    for index, entry in enumerate(entries):
        if entry.is_dir():
            continue
        kind = entry.external_attr >> 16
        refused = "symbolic_link" if stat.S_ISLNK(kind) else None
        if entry.file_size > MAX_FILE:
            bomb = entry.file_size > BOMB_RATIO * max(entry.compress_size, 1)
            refused = refused or ("zip_bomb" if bomb else "too_large")
        elif entry.flag_bits & 0x1:
            refused = refused or "password"
        name = entry.orig_filename
        seen[name] = seen.get(name, 0) + 1
        shown = name if seen[name] == 1 else f"{name}#{seen[name]}"
        yield Found(shown, Where(path, index), _zip_moment(entry), refused)


def _opened(path: Path) -> zipfile.ZipFile:
    """An archive, opened once a process as long as it stays the same: it may have ten thousand entries."""
    try:
        status = path.stat()
    except OSError as fault:
        raise OutOfReachError.from_os_error(fault, path) from fault
    return _opened_as(path, status.st_mtime_ns, status.st_size, status.st_ino)


@functools.lru_cache(maxsize=4)
def _opened_as(path: Path, *_state: int) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(path)
        # Cut short, a zip of stored workbooks ends in the directory of one of them, and would pass for it.
        if min((entry.header_offset for entry in archive.infolist()), default=0) > 0:
            raise zipfile.BadZipFile("the archive does not start where its directory says")
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, EOFError) as fault:
        raise _unreadable(path, fault) from None
    return archive


def _unreadable(path: Path, fault: Exception, after: str = "") -> SourceError:
    """The error of an archive that is damaged, or that the system does not give."""
    told = _system_fault(fault)
    if told is not None:
        return OutOfReachError.from_os_error(told, path)
    what = f"the archive of returns is damaged or cut short{after} ({type(fault).__name__})"
    return SourceError(what, file=path, remedy=AGAIN)


def _system_fault(fault: Exception) -> OSError | None:
    """What the system told when it did not give bytes; None when it gave them, and they are wrong."""
    # zipfile calls a file damaged whose end could not be read, while it handles what the system told
    told = (one for one in (fault, fault.__context__) if isinstance(one, OSError))
    return next((one for one in told if one.errno not in _OF_WRONG_BYTES), None)


def read_zipped(where: Where) -> bytes:
    """The bytes of a file of a zip, as far as a questionnaire may go.

    Raises:
        RefusedReturnError: damaged, or packed in a way that cannot be read.
        OutOfReachError: the system does not give them.
    """
    archive = _opened(where.path)
    entry = archive.infolist()[where.index or 0]
    try:
        with archive.open(entry) as file:
            return file.read(MAX_FILE + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError):
        raise RefusedReturnError("corrupt") from None
    except (NotImplementedError, RuntimeError, OSError, ValueError) as fault:
        told = _system_fault(fault)
        if told is not None:
            raise OutOfReachError.from_os_error(told, where.path) from fault
        raise RefusedReturnError("unreadable") from None


class _StrictEntry(tarfile.TarInfo):
    """An entry of a tar that must go on until its end mark; the library stops in silence at a damaged one."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> "_StrictEntry":
        """The next entry."""
        try:
            return super().fromtarfile(tarfile)
        except EOFHeaderError:
            raise
        except HeaderError as fault:
            raise EOFError(str(fault)) from None


def tar_files(path: Path) -> Iterator[Found]:
    """Files of a tar: of a plain one their places, of a compressed one their bytes as they pass.

    Raises:
        SourceError: it is damaged or cut short.
    """
    plain = path.suffix.lower() == ".tar"
    passed, count = 0, 0
    try:
        with tarfile.open(path, "r:" if plain else "r|*", tarinfo=_StrictEntry) as archive:
            for entry in archive:
                if entry.isdir():
                    continue
                passed += entry.size
                count += 1
                if passed > MAX_ARCHIVE:
                    raise SourceError("the archive inflates beyond measure", file=path, remedy=AGAIN)
                yield _tar_file(path, archive, entry, plain=plain)
    except _TAR_FAULTS as fault:
        raise _unreadable(path, fault, f" after {count} files") from None


def _tar_file(path: Path, archive: tarfile.TarFile, entry: tarfile.TarInfo, *, plain: bool) -> Found:
    refused = None
    if entry.issym() or entry.islnk():
        refused = "symbolic_link"
    elif not entry.isreg() or entry.issparse():
        refused = "special_file"
    elif entry.size > MAX_FILE:
        refused = "too_large"
    where = None
    if refused is None and plain:
        where = Where(path, offset=entry.offset_data, size=entry.size)
    elif refused is None:
        file = archive.extractfile(entry)
        where = Where(path, content=file.read(MAX_FILE + 1) if file else b"")
    return Found(entry.name, where, moment_at(entry.mtime), refused)


def _zip_moment(entry: zipfile.ZipInfo) -> str | None:
    try:
        return dt.datetime(*entry.date_time).isoformat(timespec="seconds")
    except ValueError:
        return None


def moment_at(seconds: float) -> str | None:
    """Seconds since 1970 as an ISO moment in UTC, without its zone; None when it is none."""
    try:
        moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return moment.replace(tzinfo=None).isoformat(timespec="seconds")
