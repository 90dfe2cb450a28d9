"""Worlds that take a minute, built by the first process of a test session that wants one, for all of them."""

import fcntl
import os
import subprocess
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest


def built_once(
    factory: pytest.TempPathFactory, name: str, build: Callable[[Path], str | None]
) -> tuple[Path, str]:
    """Give a world that all processes of the session share; none may change it.

    Args:
        factory: of the session's temporary folders.
        name: of the world and of its folder.
        build: builds the world in an empty private folder, and returns what the build printed, if anything.

    Returns:
        The folder, and what the build printed.

    Raises:
        RuntimeError: the build failed, in this process or in the one that tried it.
    """
    root = factory.getbasetemp()
    # xdist gives each process a folder of its own in one that all share
    shared = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    folder, built, failed = shared / name, shared / f"{name}.built", shared / f"{name}.failed"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists() and not failed.exists():
            folder.mkdir(mode=0o700)
            try:
                built.write_text(build(folder) or "", encoding="utf-8")
            except BaseException:
                failed.write_text(traceback.format_exc(), encoding="utf-8")
                raise
        if failed.exists():
            raise RuntimeError(f"the world {name} was not built:\n{failed.read_text(encoding='utf-8')}")
    return folder, built.read_text(encoding="utf-8")


def copied(world: Path, target: Path) -> Path:
    """Copy the home of a world for one process to change; the servers of the original may run meanwhile.

    Args:
        world: the home that is shared.
        target: where to; it does not exist yet.

    Returns:
        The target.
    """
    # PostgreSQL's files keep their owner, which Python's own copying would lose
    subprocess.run(["cp", "--archive", "--reflink=auto", str(world), str(target)], check=True)
    for running in (*target.rglob(".s.PGSQL*"), *target.rglob("*.pid")):
        running.unlink()
    return target
