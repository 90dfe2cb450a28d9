"""The inbox of a wave: complete, no longer being copied, and new by content (not by date)?"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from asco_dagster.connectors.fetch import sha256_of
from asco_dagster.errors import SourceError
from asco_dagster.waves import Wave

_NOT_FOUND = "not found"
_UNFINISHED = (".part", ".tmp", ".partial", ".crdownload", ".filepart")


@dataclass(frozen=True)
class Seen:
    """What is remembered of an inbox between two looks.

    Attributes:
        shape: fingerprint of names, sizes and dates at the last look.
        taken: content hash of the last run; empty before the first.
        turn: number of runs started, so that a former content that returns counts as new.
    """

    shape: str = ""
    taken: str = ""
    turn: int = 0


@dataclass(frozen=True)
class Look:
    """The result of one look at an inbox.

    Attributes:
        seen: to remember until the next look.
        content: hash of new and complete content for a run; None if there is none.
        reason: why there is none.
    """

    seen: Seen
    content: str | None = None
    reason: str = ""


def look(wave: Wave, inbox: Path, before: Seen) -> Look:
    """Look at an inbox once.

    ``before`` is ``seen`` of the last look.

    Returns:
        New content only if nothing changed since the last look, every expected file is there, and the content
        differs from that of the last run.
    """
    shape = _shape(inbox)
    seen = replace(before, shape=shape)
    if not shape:
        return Look(seen, reason="the inbox is empty")
    missing = absent(wave, inbox)
    if missing:
        return Look(seen, reason=f"missing: {', '.join(missing)}")
    if shape != before.shape:
        return Look(seen, reason="a file changed since the last look; it may still be copied")
    content = content_hash(inbox)
    if content == before.taken:
        return Look(seen, reason="no file changed since the last run")
    if _shape(inbox) != shape:
        return Look(replace(seen, shape=""), reason="a file changed while it was read")
    return Look(Seen(shape, content, before.turn + 1), content)


def absent(wave: Wave, inbox: Path) -> list[str]:
    """Expected files that are not in the inbox."""
    return [address for address in expected(wave) if not (inbox / address).exists()]


def expected(wave: Wave) -> list[str]:
    """The files and folders that a wave reads from its inbox, as its file names them."""
    return [delivery.address for delivery in wave.deliveries() if "://" not in delivery.address]


def require_deliveries(wave: Wave, inbox: Path, addresses: Iterable[str]) -> None:
    """Require that some deliveries can be read; if not, name every delivery of the wave that cannot.

    Args:
        wave: the wave.
        inbox: its inbox.
        addresses: of the deliveries that are required.

    Raises:
        SourceError: one of them cannot be read; names all that are missing or cannot be read, by their paths.
    """
    known, faults = expected(wave), faults_of(wave, inbox)
    if not faults.keys() & set(addresses):
        return
    missing = [str(inbox / address) for address, fault in faults.items() if fault == _NOT_FOUND]
    unreadable = [f"{inbox / address} ({fault})" for address, fault in faults.items() if fault != _NOT_FOUND]
    parts = [f"{_NOT_FOUND}: {', '.join(missing)}"] if missing else []
    parts += [f"cannot be read: {', '.join(unreadable)}"] if unreadable else []
    raise SourceError(
        f"{len(faults)} of the {len(known)} deliveries of wave {wave.wave} are not available – "
        + "; ".join(parts),
        remedy="Put them into the inbox, or correct their names in the wave file, and run the wave again",
    )


def faults_of(wave: Wave, inbox: Path) -> dict[str, str]:
    """Why deliveries of a wave cannot be read, by their names in the inbox; those that can are left out."""
    return {address: fault for address in expected(wave) if (fault := _fault(inbox / address))}


def _fault(path: Path) -> str | None:
    """Why a delivery cannot be read; None when it can."""
    try:
        if path.is_dir():
            next(path.iterdir(), None)
        else:
            with path.open("rb") as file:
                file.read(1)
    except FileNotFoundError:
        return _NOT_FOUND
    except OSError as error:
        return error.strerror or type(error).__name__
    return None


def content_hash(inbox: Path) -> str:
    """SHA-256 of the names and contents of all deliveries, in hexadecimal; dates do not count."""
    digest = hashlib.sha256()
    for path in delivered_files(inbox):
        digest.update(f"{path.relative_to(inbox).as_posix()}\0{sha256_of(path)}\n".encode())
    return digest.hexdigest()


def delivered_files(inbox: Path) -> list[Path]:
    """Files of an inbox, except those still being copied."""
    # Copying programs write under a hidden name or one with such an ending, and rename last.
    return [
        path
        for path in sorted(inbox.rglob("*"))
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(inbox).parts)
        and path.suffix.lower() not in _UNFINISHED
    ]


def _shape(inbox: Path) -> str:
    """Fingerprint of names, sizes and dates; empty without a file."""
    lines = []
    for path in delivered_files(inbox):
        try:
            found = path.stat()
        except OSError:  # deleted meanwhile
            continue
        lines.append(f"{path.relative_to(inbox).as_posix()}\0{found.st_size}\0{found.st_mtime_ns}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest() if lines else ""
