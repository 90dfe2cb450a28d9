"""What every test stands on: a home of its own, the checkout, the publishers' real files where they are."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from asco_testing import CHECKOUT, REAL
from asco_testing.dagster_api import TOKEN

if TYPE_CHECKING:
    from asco_testing.worlds.small_wave import SmallWave

pytest_plugins = ["asco_testing.home_fixtures"]

# Waves that run once for one process; a test that takes one runs where it ran.
WAVES_THAT_RUN = ("released_real", "small_wave")
# What takes longest begins first: else one process ends long after the others.
LONGEST = ("test_dagster_pages", *WAVES_THAT_RUN, "test_wave_2014")

# A test run never reads or writes the home of a person who works in this checkout.
for _name in [name for name in os.environ if name.startswith("ASCO_")]:
    del os.environ[_name]
os.environ["ASCO_HOME"] = str(CHECKOUT / "var" / "test-home")
os.environ["ASCO_UI_TOKEN"] = TOKEN
os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together what shares a wave or a module, so that it is set up once; the longest begin first."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            taken = getattr(item, "fixturenames", ())
            group = next((name for name in WAVES_THAT_RUN if name in taken), item.path.stem)
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    group = item.get_closest_marker("xdist_group").args[0]
    return LONGEST.index(group) if group in LONGEST else len(LONGEST)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """Root of the project."""
    return CHECKOUT


@pytest.fixture(scope="session")
def real_files() -> Path:
    """The publishers' real files; the test is skipped, saying so, where they are not."""
    if not REAL.is_dir():
        pytest.skip(f"the publishers' real files are not at ../shared/data/real ({REAL.name} is absent)")
    return REAL


@pytest.fixture(scope="session")
def small_wave(tmp_path_factory: pytest.TempPathFactory) -> Iterator["SmallWave"]:
    """A small wave that ran to a release."""
    from asco_testing.worlds.small_wave import made_small_wave

    home = tmp_path_factory.mktemp("small")
    with made_small_wave(home) as made:
        yield made
    shutil.rmtree(home, ignore_errors=True)
