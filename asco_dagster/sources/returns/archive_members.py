"""What was delivered, file by file: the members of a folder, a zip or a tar, and their bytes.

Nothing is ever unpacked: a member is read into memory by whoever needs it, under a limit, so its path can do
no harm; a path that tries to is refused all the same. What an office machine leaves behind (``__MACOSX``,
lock files, thumbnails) is no return and only counted. The standard library stops without a word where a tar
is damaged, and takes a zip of stored workbooks that was cut short for the last whole workbook in it; here
both are errors.
"""

import datetime as dt
import errno
import functools
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from tarfile import EOFHeaderError, HeaderError  # type: ignore[attr-defined]

from asco_dagster.errors import OutOfReachError, SourceError
from asco_dagster.sources.readers.encoding import AGAIN
from asco_dagster.sources.returns.refusals import Refusal, RefusedReturnError
from asco_dagster.sources.returns.workbook_inspection import BOMB_RATIO, MAX_FILE

_LEFT_BEHIND = re.compile(r"~\$.*|\._.*|\.~lock.*|\.ds_store|thumbs\.db|desktop\.ini", re.IGNORECASE)
_TAR = re.compile(r"\.(tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz))$", re.IGNORECASE)
MAX_ARCHIVE = 64 * 1024**3  # bytes that a compressed tar may inflate to while it is passed over
_TAR_FAULTS = (tarfile.TarError, EOFError, OSError, zlib.error, ValueError)
# Libraries raise OSError at wrong bytes too, without a number; or the bytes name a place that cannot exist.
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
class Member:
    """One delivered file.

    Attributes:
        file: delivery and path inside it, as a person would look for it.
        where: its bytes; None when it is refused for its path alone.
        modified: moment (ISO, no zone) that the archive or file system gives.
        refusal: why it is refused without being read.
        ignored: whether it is no return at all.
    """

    file: str
    where: Where | None
    modified: str | None = None
    refusal: Refusal | None = None
    ignored: bool = False


def zip_files(path: Path) -> Iterator[Member]:
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
        yield Member(shown, Where(path, index), _zip_moment(entry), _refusal(refused))


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
    system_fault = _system_fault(fault)
    if system_fault is not None:
        return OutOfReachError.from_os_error(system_fault, path)
    what = f"the archive of returns is damaged or cut short{after} ({type(fault).__name__})"
    return SourceError(what, file=path, remedy=AGAIN)


def _system_fault(fault: Exception) -> OSError | None:
    """The error of the system when it did not give bytes; None when it gave them, and they are wrong."""
    # zipfile calls a file damaged whose end could not be read, while it handles the error of the system
    faults = (one for one in (fault, fault.__context__) if isinstance(one, OSError))
    return next((one for one in faults if one.errno not in _OF_WRONG_BYTES), None)


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
        system_fault = _system_fault(fault)
        if system_fault is not None:
            raise OutOfReachError.from_os_error(system_fault, where.path) from fault
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


def tar_files(path: Path) -> Iterator[Member]:
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
                    raise SourceError("the archive decompresses to an abnormal size", file=path, remedy=AGAIN)
                yield _tar_file(path, archive, entry, plain=plain)
    except _TAR_FAULTS as fault:
        raise _unreadable(path, fault, f" after {count} files") from None


def _tar_file(path: Path, archive: tarfile.TarFile, entry: tarfile.TarInfo, *, plain: bool) -> Member:
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
    return Member(entry.name, where, moment_at(entry.mtime), _refusal(refused))


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


def members(path: Path) -> Iterator[Member]:
    """Every file of a delivery, without its folders, in an order that the delivery alone decides.

    Args:
        path: a folder, a zip, a tar (plain or compressed), or one single file.

    Raises:
        SourceError: it is not there, or it is an archive that is itself damaged or cut short.
        OutOfReachError: the system does not list or give it.
    """
    if path.is_dir():
        found = _folder(path)
    elif not path.is_file():
        raise SourceError("not found", file=path, remedy="deliver them, or correct the name")
    elif path.suffix.lower() == ".zip":
        found = zip_files(path)
    elif _TAR.search(path.name):
        found = tar_files(path)
    else:
        yield Member(_shown(path.name), Where(path), moment_at(path.stat().st_mtime))
        return
    for one in found:
        yield _judged(path, one)


def read_member(where: Where) -> bytes:
    """The bytes of a member.

    Raises:
        RefusedReturnError: larger than a questionnaire may be, protected, or its archive is damaged there.
        OutOfReachError: the system does not give them.
    """
    if where.content is not None:
        content = where.content
    elif where.index is not None:
        content = read_zipped(where)
    else:
        try:
            with where.path.open("rb") as file:
                file.seek(where.offset)
                content = file.read(MAX_FILE + 1 if where.size is None else min(where.size, MAX_FILE + 1))
        except OSError as fault:
            raise OutOfReachError.from_os_error(fault, where.path) from fault
        if where.size is not None and len(content) < min(where.size, MAX_FILE + 1):
            raise RefusedReturnError("truncated")
    if len(content) > MAX_FILE:
        raise RefusedReturnError("too_large", expected=f"≤ {MAX_FILE >> 20} MiB")
    return content


def files_below(folder: Path) -> Iterator[Path]:
    """Whatever is no folder, at any depth; ``rglob`` passes in silence over a folder that it may not list.

    Raises:
        OutOfReachError: the system does not list one.
    """
    try:
        for found in folder.iterdir():
            if found.is_dir() and not found.is_symlink():
                yield from files_below(found)
            else:
                yield found
    except OSError as fault:
        raise OutOfReachError.from_os_error(fault, folder) from fault


def _folder(path: Path) -> Iterator[Member]:
    for found in sorted(files_below(path), key=lambda found: found.relative_to(path).parts):
        name = found.relative_to(path).as_posix()
        status = found.lstat()
        refused = None
        if stat.S_ISLNK(status.st_mode):
            refused = "symbolic_link"
        elif not stat.S_ISREG(status.st_mode):
            refused = "special_file"
        yield Member(name, Where(found), moment_at(status.st_mtime), _refusal(refused))


def _refusal(reason: str | None) -> Refusal | None:
    return None if reason is None else Refusal(reason)


def _judged(delivery: Path, found: Member) -> Member:
    """A member under the name of its delivery, with the verdict on its path."""
    parts = re.split(r"[/\\]", found.file)
    named = replace(found, file=f"{delivery.name}/{_shown(found.file)}")
    if "__MACOSX" in parts or _LEFT_BEHIND.fullmatch(PurePosixPath(parts[-1]).name):
        return replace(named, where=None, refusal=None, ignored=True)
    if found.refusal is not None and found.refusal.reason in ("symbolic_link", "special_file"):
        return replace(named, where=None)  # never opened: a link may lead anywhere, a pipe never ends
    if found.file.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", found.file):
        return replace(named, refusal=Refusal("absolute_path"))
    return replace(named, refusal=Refusal("path_traversal")) if ".." in parts else named


def _shown(name: str) -> str:
    """A name that can be printed and stored, whatever bytes it is made of."""
    if name.isprintable():  # surrogates are not
        return name
    plain = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in plain)
