"""Homes in which waves really ran: through the command line, with a real PostgreSQL, at true size."""

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
            timeout=600,
        )

    return run


@pytest.fixture(scope="session")
def released(asco: Asco, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A home where the demonstration of wave 2014 ran to a release, and what the run printed."""
    home = tmp_path_factory.mktemp("released")
    delivered = asco(home, "demo", "--wave", "2014")
    assert delivered.returncode == 0, delivered.stdout
    done = asco(home, "run", "2014")
    assert done.returncode == 0, done.stdout
    yield home, done.stdout
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
