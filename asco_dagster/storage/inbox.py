"""What lies in the inbox of a wave: whether it is still being copied, whether it is whole, what it says.

Dates tell only whether a file still changes; what counts as new is the content. What does not belong here:
starting a run (``triggers/sensors.py``), reading a delivery (``sources/``).
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from asco_dagster.connectors.fetch import sha256_of
from asco_dagster.waves import Wave

_UNFINISHED = (".part", ".tmp", ".partial", ".crdownload", ".filepart")


@dataclass(frozen=True)
class Seen:
    """What is remembered of an inbox from one look to the next.

    Attributes:
        shape: fingerprint of names, sizes and dates at the last look.
        taken: hash of the content that was last given to a run; empty before the first.
        turn: how often content was given to a run, so that the return of a former content counts as new.
    """

    shape: str = ""
    taken: str = ""
    turn: int = 0


@dataclass(frozen=True)
class Look:
    """What one look at an inbox gave.

    Attributes:
        seen: to be remembered until the next look.
        content: hash of a new and settled content, which a run should take; None when there is none.
        reason: why there is none.
    """

    seen: Seen
    content: str | None = None
    reason: str = ""


def look(wave: Wave, inbox: Path, before: Seen) -> Look:
    """Look at an inbox once.

    Args:
        wave: the wave, which says what must be there.
        inbox: the folder.
        before: what the last look gave.

    Returns:
        New content only if nothing changed since the last look, everything that the wave names is there, and
        its content is not the one that was last taken.
    """
    shape = _shape(inbox)
    seen = replace(before, shape=shape)
    if not shape:
        return Look(seen, reason="nothing is delivered")
    missing = absent(wave, inbox)
    if missing:
        return Look(seen, reason=f"still missing: {', '.join(missing)}")
    if shape != before.shape:
        return Look(seen, reason="a delivery changed since the last look; it may still be copied")
    content = content_hash(inbox)
    if content == before.taken:
        return Look(seen, reason="no delivery changed since the last run")
    if _shape(inbox) != shape:
        return Look(replace(seen, shape=""), reason="a delivery changed while it was read")
    return Look(Seen(shape, content, before.turn + 1), content)


def absent(wave: Wave, inbox: Path) -> list[str]:
    """Deliveries that the wave's file names in its inbox and that are not there."""
    local = [delivery.address for delivery in wave.deliveries() if "://" not in delivery.address]
    return [address for address in local if not (inbox / address).exists()]


def content_hash(inbox: Path) -> str:
    """Hash of the names and contents of all deliveries (64 hexadecimal digits); dates do not count."""
    digest = hashlib.sha256()
    for path in delivered_files(inbox):
        digest.update(f"{path.relative_to(inbox).as_posix()}\0{sha256_of(path)}\n".encode())
    return digest.hexdigest()


def delivered_files(inbox: Path) -> list[Path]:
    """Files of an inbox, without those that are still being copied."""
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
            told = path.stat()
        except OSError:  # it went away meanwhile
            continue
        lines.append(f"{path.relative_to(inbox).as_posix()}\0{told.st_size}\0{told.st_mtime_ns}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest() if lines else ""
