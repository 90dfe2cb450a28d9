"""What became of each try, a line of JSON each, so that several calls add up. Nothing is tried here."""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

ENDED = "ended before"
"""Told of a try whose run had ended before the fault."""


@dataclass(frozen=True)
class Try:
    """One try.

    Attributes:
        fault: its name.
        number: of the try; with the seed it gives wave, checkpoint and instant.
        seed: of the call.
        code: fingerprint of the code that was tried.
        wave: the wave.
        checkpoint: where it began.
        told: what was done, and at which step.
        recovered: whether everything was as demanded afterwards.
        why: why not.
        wall: seconds.
        cpu: processor seconds of everything.
    """

    fault: str
    number: int
    seed: int
    code: str
    wave: str
    checkpoint: str
    told: str
    recovered: bool
    why: str
    wall: float
    cpu: float

    @property
    def late(self) -> bool:
        """Whether the run had ended before the fault: it disturbed nothing and proves nothing."""
        return ENDED in self.told


def note(journal: Path, tried: Try) -> None:
    """Add a try, whole or not at all, whoever else writes."""
    line = (json.dumps(asdict(tried), ensure_ascii=False) + "\n").encode()
    handle = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(handle, line)
    os.close(handle)


def read(journal: Path) -> list[Try]:
    """Every try that was noted."""
    lines = journal.read_text(encoding="utf-8").splitlines() if journal.exists() else []
    return [Try(**json.loads(line)) for line in lines]


def table(tries: Iterable[Try], codes: Mapping[str, str]) -> str:
    """The table *fault, tries, recovered* of the code that each fault tries, with what did not recover.

    A try whose run had ended before the fault is counted only when it did not recover.
    """
    mine, others, late = defaultdict(list), 0, 0
    for one in tries:
        if one.code != codes[one.fault]:
            others += 1
        elif one.late and one.recovered:
            late += 1
        else:
            mine[one.fault].append(one)
    lines = [f"{'fault':<30}{'tries':>7}{'recovered':>11}{'CPU s':>8}{'s':>8}"]
    for fault in codes:
        found = mine[fault]
        mean = [sum(getattr(one, kind) for one in found) / max(1, len(found)) for kind in ("cpu", "wall")]
        recovered = sum(one.recovered for one in found)
        lines.append(f"{fault:<30}{len(found):>7}{recovered:>11}{mean[0]:>8.1f}{mean[1]:>8.1f}")
        lines += [
            f"    try {one.number} (wave {one.wave}, {one.checkpoint}; {one.told}): {one.why}"
            for one in found
            if not one.recovered
        ]
    if late:
        lines.append(f"({late} tries whose run had ended before the fault are not counted)")
    if others:
        lines.append(f"({others} tries of other code are not counted)")
    return "\n".join(lines)
