"""Homes in which waves really ran: through the command line, with a real PostgreSQL, at true size."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Asco = Callable[..., subprocess.CompletedProcess]


@pytest.fixture(scope="session")
def asco(checkout: Path) -> Asco:
    """Runs ``asco`` in a home and gives back what it printed and its exit code."""

    def run(home: Path, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "asco_dagster.cli.main", *arguments],
            env={**os.environ, "ASCO_HOME": str(home)},
            cwd=checkout,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=1800,  # of a run that hangs: one of true size took 600 s on a machine that did much else
        )

    return run


@pytest.fixture(scope="session")
def released_once(asco: Asco, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The home in which the demonstration of wave 2014 ran, made by the first process that wants it."""
    root = tmp_path_factory.getbasetemp()
    # xdist gives each process a folder of its own in one that all share
    home = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "released"
    home.mkdir(exist_ok=True, mode=0o700)
    told = home.with_name("released.txt")
    with home.with_name("released.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            delivered = asco(home, "demo", "--wave", "2014")
            assert delivered.returncode == 0, delivered.stdout
            done = asco(home, "run", "2014")
            assert done.returncode == 0, done.stdout
            told.write_text(done.stdout)
    return home, told.read_text()


@pytest.fixture(scope="module")
def released(
    released_once: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, str]]:
    """A copy of that home, for the tests of one module to do with as they like, and what the run printed."""
    origin, told = released_once
    home = tmp_path_factory.mktemp("copy") / "home"
    # PostgreSQL's files keep their owner, which Python's own copying would lose
    subprocess.run(["cp", "--archive", "--reflink=auto", str(origin), str(home)], check=True)
    yield home, told.replace(str(origin), str(home))
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def released_real(asco: Asco, real_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home where wave 2014 ran to a release on the publishers' real files."""
    home = tmp_path_factory.mktemp("real")
    delivered = asco(home, "demo", "--wave", "2014", "--real", str(real_files))
    assert delivered.returncode == 0, delivered.stdout
    done = asco(home, "run", "2014")
    assert done.returncode == 0, done.stdout
    yield home
    shutil.rmtree(home, ignore_errors=True)
