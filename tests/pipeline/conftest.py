"""Homes in which waves really ran: through the command line, with a real PostgreSQL, at true size."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from asco_testing import SHIPPED_WAVES
from asco_testing.worlds.built_once import built_once, copied

Asco = Callable[..., subprocess.CompletedProcess]


@pytest.fixture(scope="session")
def asco(checkout: Path) -> Asco:
    """Runs ``asco`` in a home and gives back what it printed and its exit code."""

    def run(home: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "asco_dagster.cli.main", *arguments],
            env={**os.environ, "ASCO_HOME": str(home), **settings},
            cwd=checkout,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=1800,  # of a run that hangs: one of true size took 600 s on a machine that did much else
        )

    return run


@pytest.fixture(scope="session")
def released_once(asco: Asco, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The home in which the demonstration of wave 2014 ran, and what the run printed: to read or to copy."""
    return built_once(tmp_path_factory, "released", lambda home: _ran(asco, home))


@pytest.fixture(scope="module")
def released(
    released_once: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, str]]:
    """A copy of that home, for the tests of one module to do with as they like, and what the run printed."""
    origin, printed = released_once
    home = copied(origin, tmp_path_factory.mktemp("copy") / "home")
    yield home, printed.replace(str(origin), str(home))
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def released_real(asco: Asco, real_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home where wave 2014 ran to a release on the publishers' real files: to read."""
    return built_once(tmp_path_factory, "real", lambda home: _ran(asco, home, "--real", str(real_files)))[0]


@pytest.fixture(scope="session")
def sealed_once(
    asco: Asco, released_once: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """The same deliveries in another home, with another key and an embargo: a home with a sealed version.

    Returns:
        The home, to read, and all that its commands printed.
    """
    inbox = released_once[0] / "inbox"
    folder, printed = built_once(tmp_path_factory, "sealed", lambda folder: _sealed(asco, folder, inbox))
    return folder / "home", printed


def _sealed(asco: Asco, folder: Path, inbox: Path) -> str:
    home, waves = folder / "home", folder / "waves"
    wave = yaml.safe_load((SHIPPED_WAVES / "2014.yaml").read_text(encoding="utf-8"))
    wave["release"]["embargo"] = "2099-01-01"
    waves.mkdir()
    (waves / "2014.yaml").write_text(yaml.safe_dump(wave, allow_unicode=True), encoding="utf-8")
    shutil.copytree(inbox, home / "inbox", copy_function=os.link)
    printed = []
    for arguments in (
        ("run", "2014"),
        ("status",),
        ("status", "--json"),
        ("releases", "--json"),
        ("quarantine", "list", "2014", "--json"),
    ):
        done = asco(home, *arguments, ASCO_WAVES=str(waves))
        assert done.returncode == 0, done.stdout
        printed.append(done.stdout)
    return "\n".join(printed)


def _ran(asco: Asco, home: Path, *options: str) -> str:
    """Deliver the demonstration of wave 2014 and run it to a release; what the run printed."""
    delivered = asco(home, "demo", "--wave", "2014", *options)
    assert delivered.returncode == 0, delivered.stdout
    done = asco(home, "run", "2014")
    assert done.returncode == 0, done.stdout
    return done.stdout
