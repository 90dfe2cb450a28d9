"""Where a try begins: homes kept from an undisturbed run that was stopped before each of its large steps.

A wave has two chains: its first release, from which some returns are still missing, and the revision that
they bring later. Each part of a chain is as likely as another, and the instant is uniform over the processor
seconds of its part. What does not belong here: what is done at that instant.
"""

import json
import random
import re
import shutil
import time
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from asco_testing.faults.forked import Forked
from asco_testing.faults.home_under_test import PATIENCE, Bench, NotRecoveredError, Undisturbed
from asco_testing.worlds.small_france import SCALE

STOPS = {
    "first": ("sec_asco__cells", "pub_asco__release"),
    "revised": ("raw_asco__returns", "sec_asco__cells", "pub_asco__release"),
}
_MADE = re.compile(r"^ *\d+/\d+ .* rows$", re.MULTILINE)
_STARTUP = 0.1  # share of the instants that fall before anything is made


@dataclass(frozen=True)
class Checkpoint:
    """A home to begin with.

    Attributes:
        wave: the wave that is run from it.
        name: chain and the step that comes next.
        first: processor seconds of a run from here until it makes something.
        last: until it reaches the next checkpoint, or its end.
    """

    wave: str
    name: str
    first: float
    last: float

    def instant(self, chance: random.Random) -> float:
        """A moment of this part of the run, in processor seconds."""
        if chance.random() < _STARTUP:
            return chance.uniform(0.0, self.first)
        return chance.uniform(self.first, self.last)


@dataclass
class Checkpoints:
    """All of them, with what an undisturbed run leaves."""

    folder: Path
    all: list[Checkpoint]
    wanted: dict[str, Undisturbed]

    def place(self, checkpoint: Checkpoint) -> Path:
        return self.folder / checkpoint.wave / checkpoint.name

    def wanted_of(self, checkpoint: Checkpoint) -> Undisturbed:
        return self.wanted[f"{checkpoint.wave} {checkpoint.name.split('-')[0]}"]

    def choose(self, chance: random.Random) -> Checkpoint:
        return chance.choice(self.all)


def prepare(bench: Bench, folder: Path, code: str, wave: str) -> Checkpoints:
    """Make the checkpoints of a wave, unless the folder holds those of this code and this commit.

    A release names its commit: that of another commit of the same code differs, though nothing went wrong.
    """
    from asco_dagster.publication.assets import code_version

    noted = folder / f"{wave}.json"
    told = json.loads(noted.read_text()) if noted.exists() else {}
    commit = code_version()
    if (told.get("code"), told.get("commit")) == (code, commit):
        wanted = {name: Undisturbed(**one) for name, one in told["wanted"].items()}
        return Checkpoints(folder, [Checkpoint(**one) for one in told["all"]], wanted)
    made = Checkpoints(folder, [], {})
    _two_chains(bench, made, wave)
    told = {
        "code": code,
        "commit": commit,
        "all": [asdict(one) for one in made.all],
        "wanted": {name: asdict(one) for name, one in made.wanted.items()},
    }
    noted.write_text(json.dumps(told))
    return made


def _two_chains(bench: Bench, made: Checkpoints, wave: str) -> None:
    for path in bench.home.iterdir() if bench.home.exists() else ():
        # dbt's parser starts threads, and what forks from a process that parsed would wait for them for ever
        if path.name != "dbt":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    bench.require_done("demo", "--wave", wave, "--scale", SCALE)
    returns = next((bench.home / "inbox" / wave).glob("asco-returns-communes-*"))
    whole = returns.read_bytes()
    returns.write_bytes(_without_late(returns, whole))
    for chain in STOPS:
        if chain == "revised":
            returns.write_bytes(whole)
        _chain(bench, made, wave, chain)


def _chain(bench: Bench, made: Checkpoints, wave: str, chain: str) -> None:
    step = "start"
    for following in (*STOPS[chain], None):
        started = time.monotonic()
        folder = made.folder / wave / f"{chain}-{step}"
        folder.parent.mkdir(parents=True, exist_ok=True)
        bench.save(folder)
        first, last = _run_until(bench, wave, following)
        made.all.append(Checkpoint(wave, f"{chain}-{step}", first, last))
        print(
            f"wave {wave} {chain}-{step}: made from {first:.1f} to {last:.1f} CPU s,"
            f" {time.monotonic() - started:.1f} s",
            flush=True,
        )
        step = following or ""
    made.wanted[f"{wave} {chain}"] = bench.undisturbed(wave)


def _run_until(bench: Bench, wave: str, stop: str | None) -> tuple[float, float]:
    process = bench.fork(lambda: _stopped_run(wave, stop))
    first = last = 0.0
    told = ""
    while process.poll() is None:
        last = process.spent() or last
        if not _MADE.search(told) and (now := process.told()) != told:
            # a table is reported when it is made: its making began with the line before
            first, told = (first if _MADE.search(now) else last), now
        time.sleep(0.02)
    code, told = process.wait(PATIENCE), process.told()
    if code != 0 if stop is None else f"before {stop}" not in told:
        raise NotRecoveredError(f"the undisturbed run of {wave} until {stop} gave {code}: {told[-1500:]}")
    return min(first, last), last


def _stopped_run(wave: str, stop: str | None) -> None:
    """Run a wave in this process, failing in order before a step."""
    import sys

    from asco_dagster.cli.main import main
    from asco_dagster.errors import AscoError
    from asco_dagster.orchestration import wave_step

    usual: Callable[..., Any] = wave_step._reuse_or_rebuild

    def stopping(step: Any, work: Any) -> Any:
        if stop in work.names:
            raise AscoError(f"a checkpoint before {stop}", remedy="Go on from here")
        return usual(step, work)

    wave_step._reuse_or_rebuild = stopping
    sys.argv = ["asco", "run", wave]
    main()


def _without_late(path: Path, content: bytes) -> bytes:
    """The same delivery before its last returns came."""
    if path.suffix == ".csv":
        lines = content.splitlines(keepends=True)
        return b"".join(line for number, line in enumerate(lines) if number % 20 != 19)
    draft = path.with_name(".draft.zip")
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(draft, "w") as part:
        for number, entry in enumerate(whole.infolist()):
            if number % 20 != 19:
                part.writestr(entry, whole.read(entry))
    try:
        return draft.read_bytes()
    finally:
        draft.unlink()


def reach(process: Forked, instant: float) -> bool:
    """Wait until a process has spent so many processor seconds; False when it ended before."""
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        if process.spent() >= instant:
            return True
        time.sleep(0.01)
    return False
