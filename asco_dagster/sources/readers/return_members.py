"""What was delivered, file by file: the members of a folder, a zip or a tar, and how to get at its bytes.

Nothing is ever unpacked: a member is read into memory by whoever needs it, under a limit, so its path can do
no harm; a path that tries to is refused all the same. What an office machine leaves behind (``__MACOSX``,
lock files, thumbnails) is no return: it is counted and left. Does not belong here: what is in a file.
"""

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from asco_dagster.errors import OutOfReachError, SourceError
from asco_dagster.sources.readers.refusals import Refusal, RefusedReturnError
from asco_dagster.sources.readers.return_archives import (
    Found,
    Where,
    moment_at,
    read_zipped,
    tar_files,
    zip_files,
)
from asco_dagster.sources.readers.return_kinds import MAX_FILE

_LEFT_BEHIND = re.compile(r"~\$.*|\._.*|\.~lock.*|\.ds_store|thumbs\.db|desktop\.ini", re.IGNORECASE)
_TAR = re.compile(r"\.(tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz))$", re.IGNORECASE)


@dataclass(frozen=True)
class Member:
    """One delivered file.

    Attributes:
        file: delivery and path inside it, as a person would look for it.
        where: its bytes; None when it is refused for its path alone.
        modified: moment (ISO, no zone) that the archive or file system tells.
        refusal: why it is refused without being read.
        ignored: whether it is no return at all.
    """

    file: str
    where: Where | None
    modified: str | None = None
    refusal: Refusal | None = None
    ignored: bool = False


def members(path: Path) -> Iterator[Member]:
    """Every file of a delivery, folders left out, in an order that the delivery alone decides.

    Args:
        path: a folder, a zip, a tar (plain or compressed), or one single file.

    Raises:
        SourceError: it is not there, or it is an archive that is itself damaged or cut short.
        OutOfReachError: the system does not list or give it.
    """
    if path.is_dir():
        found = _folder(path)
    elif not path.is_file():
        raise SourceError("the returns are not there", file=path, remedy="deliver them, or correct the name")
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


def _folder(path: Path) -> Iterator[Found]:
    for found in sorted(files_below(path), key=lambda found: found.relative_to(path).parts):
        name = found.relative_to(path).as_posix()
        status = found.lstat()
        refused = None
        if stat.S_ISLNK(status.st_mode):
            refused = "symbolic_link"
        elif not stat.S_ISREG(status.st_mode):
            refused = "special_file"
        yield Found(name, Where(found), moment_at(status.st_mtime), refused)


def _judged(delivery: Path, found: Found) -> Member:
    """A member with the verdict on its path."""
    parts = re.split(r"[/\\]", found.name)
    file = f"{delivery.name}/{_shown(found.name)}"
    if "__MACOSX" in parts or _LEFT_BEHIND.fullmatch(PurePosixPath(parts[-1]).name):
        return Member(file, None, found.modified, ignored=True)
    where, refused = found.where, found.refused
    if refused in ("symbolic_link", "special_file"):
        where = None  # never opened: a link may lead anywhere, a pipe never ends
    elif found.name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", found.name):
        refused = "absolute_path"
    elif ".." in parts:
        refused = "path_traversal"
    return Member(file, where, found.modified, Refusal(refused) if refused else None)


def _shown(name: str) -> str:
    """A name that can be printed and stored, whatever bytes it is made of."""
    if name.isprintable():  # surrogates are not
        return name
    plain = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in plain)
