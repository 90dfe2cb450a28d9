"""The faults: what is killed or starved at an instant of a run.

What does not belong here: what is demanded afterwards.
"""

import contextlib
import os
import random
import re
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from asco_testing.faults.checkpoints import Checkpoint, reach
from asco_testing.faults.forked import UNCAUGHT, Forked
from asco_testing.faults.home_under_test import PATIENCE, Bench, NotRecoveredError, SkippedError
from asco_testing.faults.journal import ENDED

Fault = Callable[[Bench, Checkpoint, random.Random], str]
"""Disturb a run from a checkpoint; tells what was done and at which step."""


def kill_run(bench: Bench, at: Checkpoint, chance: random.Random) -> str:
    process = bench.start("run", at.wave)
    reached = reach(process, at.instant(chance))
    process.kill()
    process.wait(PATIENCE)
    return where(process, reached)


def kill_postgres(bench: Bench, at: Checkpoint, chance: random.Random) -> str:
    process = bench.start("run", at.wave)
    reached = reach(process, at.instant(chance))
    with contextlib.suppress(OSError, ValueError, IndexError):
        pid = int((bench.home / "postgres" / "postmaster.pid").read_text().splitlines()[0])
        # a pid file may be older than this try, and its number that of another process by now
        if b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)
    finish(process)
    return where(process, reached)


def full_disk(bench: Bench, at: Checkpoint, chance: random.Random) -> str:
    """The disk of the home fills up; without the right to mount one, files can no longer grow."""
    left = int(10 ** chance.uniform(0, 6))
    if os.geteuid():
        process = bench.start("run", at.wave)
        reached = reach(process, at.instant(chance))
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (left, left))
        finish(process)
        return where(process, reached)
    with small_disk(bench.home):
        process = bench.start("run", at.wave)
        reached = reach(process, at.instant(chance))
        filler = bench.home / "filler"
        free = os.statvfs(bench.home)
        with contextlib.suppress(OSError), filler.open("wb") as handle:
            os.posix_fallocate(handle.fileno(), 0, max(1, free.f_bavail * free.f_bsize - left))
        finish(process)
        filler.unlink(missing_ok=True)
        bench.quiet()
    return f"{left} bytes left, {where(process, reached)}"


def read_only_inbox(bench: Bench, at: Checkpoint, chance: random.Random) -> str:
    inbox = bench.home / "inbox"
    before = contents(inbox)
    with read_only(inbox):
        bench.require_done("run", at.wave)
        bench.quiet()
    if contents(inbox) != before:
        raise NotRecoveredError(f"the inbox of {at.wave} was changed")
    return "released"


def jumping_clock(bench: Bench, at: Checkpoint, chance: random.Random) -> str:
    """The clock jumps in the middle of a run, and at times back again before the next."""
    clock = os.environ.get("FAKETIME_TIMESTAMP_FILE")
    if clock is None:
        raise SkippedError("libfaketime is not installed (Debian: apt-get install libfaketime)")
    jump = chance.choice(("-400d", "-3d", "-2h", "+2h", "+3d"))
    process = bench.start("run", at.wave)
    reached = reach(process, at.instant(chance))
    Path(clock).write_text(jump + "\n")
    told = process.told()
    finish(process)
    stays = chance.random() < 0.5
    if not stays:
        Path(clock).write_text("+0\n")
    return f"{jump} {'stays' if stays else 'and back'}, {where(process, reached, told)}"


def started_twice(bench: Bench, at: Checkpoint, chance: random.Random) -> str:
    first = bench.start("run", at.wave)
    gap = chance.choice((0.0, chance.uniform(0, 1), at.instant(chance)))
    reach(first, gap)
    second = bench.start("run", at.wave)
    codes = finish(first), finish(second)
    if all(codes):
        raise NotRecoveredError(f"neither of two runs released {codes}: {second.told()[-300:]}")
    return f"gave {codes} after {gap:.1f} CPU s"


def finish(process: Forked) -> int:
    """Its exit code; a run that was not killed itself says in a sentence why it does not release."""
    try:
        code = process.wait(PATIENCE)
    except TimeoutError as error:
        raise NotRecoveredError(str(error)) from None
    if code == UNCAUGHT:
        raise NotRecoveredError(f"the run ended with a traceback: {process.told()[-600:]}")
    return code


def where(process: Forked, reached: bool, told: str | None = None) -> str:
    """The last table that the run reported, of all or until the fault, and how it ended."""
    made = re.findall(r"^ *\d+/\d+  (\S+)", process.told() if told is None else told, re.MULTILINE)
    last = made[-1] if made else "nothing"
    return f"after {last}{'' if reached else f', {ENDED}'}, exit {process.poll()}"


@contextmanager
def small_disk(home: Path) -> Iterator[None]:
    """Have the home on a disk of its own for a while."""
    away = home.with_name("home-away")
    home.rename(away)
    home.mkdir()
    mount("-t", "tmpfs", "-o", "size=600m,mode=0755", "asco-faults", str(home))
    try:
        subprocess.run(["cp", "-a", f"{away}/.", str(home)], check=True)
        yield
        subprocess.run(["rm", "-rf", str(away)], check=True)
        subprocess.run(["cp", "-a", str(home), str(away)], check=True)
    finally:
        unmount(home)
        home.rmdir()
        away.rename(home)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody can write there; root only by a mount, since no permission holds it back."""
    if os.geteuid() == 0:
        mount("--bind", str(folder), str(folder))
        mount("-o", "remount,ro,bind", str(folder))
        try:
            yield
        finally:
            unmount(folder)
        return
    closed = [path for path in (folder, *folder.rglob("*")) if not path.is_symlink()]
    for path in closed:
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        yield
    finally:
        for path in closed:
            path.chmod(0o700 if path.is_dir() else 0o600)


def mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SkippedError(f"nothing can be mounted here: {done.stderr.strip()}")


def unmount(folder: Path) -> None:
    for _ in range(100):
        if subprocess.run(["umount", str(folder)], capture_output=True).returncode == 0:
            return
        time.sleep(0.1)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def contents(folder: Path) -> dict[Path, tuple[int, bytes]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}
