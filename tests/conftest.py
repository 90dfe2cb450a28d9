"""What every test stands on: a home of its own, the checkout, the publishers' real files where they are."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from asco_testing import CHECKOUT, REAL
from asco_testing.dagster_api import TOKEN
from asco_testing.worlds.built_once import built_once, copied

if TYPE_CHECKING:
    from asco_testing.worlds.small_wave import SmallWave

pytest_plugins = ["asco_testing.home_fixtures"]

# A test that takes one of these fixtures is of a slower tier: a wave at true size; a small wave, deliveries
# at true size, a program or a browser.
SLOWER = {
    **dict.fromkeys(("released_once", "released_real", "sealed_once"), "long"),
    **dict.fromkeys(
        (
            "small_wave_home",
            "deliveries",
            "small_demonstration",
            "real_files",
            "script",
            "asco",
            "browser",
            "chromium",
        ),
        "slow",
    ),
}
# What takes longest begins first: else one process ends long after the others. Of those that wait for the
# same world, one builds it while the others begin with something else.
LONGEST = (
    *("test_dagster_pages", "test_agreement", "test_revised_wave", "disclosure_real", "test_backfill"),
    *("test_wave_2014", "test_disclosure_2014", "test_sealed_numbers"),
    *(
        "test_sign_off",
        "test_mutations",
        "deliveries",
        "test_second_origin",
        "test_third_wave",
        "test_nothing_twice",
    ),
    *("test_retries", "test_coverage", "test_killed", "test_cluster"),
)

# A test run never reads or writes the home of a person who works in this checkout.
for _name in [name for name in os.environ if name.startswith("ASCO_")]:
    del os.environ[_name]
os.environ["ASCO_HOME"] = str(CHECKOUT / "var" / "test-home")
os.environ["ASCO_UI_TOKEN"] = TOKEN
os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")


@pytest.hookimpl(tryfirst=True)  # before -m selects, and before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put each test into its tier; keep a module together, to set it up once; the longest begin first."""
    for item in items:
        taken = getattr(item, "fixturenames", ())
        for tier in {SLOWER[name] for name in taken if name in SLOWER}:
            item.add_marker(tier)
        if item.get_closest_marker("real"):
            item.add_marker("slow")
        if item.get_closest_marker("xdist_group") is None:
            # the demonstration is written once at true size and once small, for all tests of it
            written = {"deliveries", "small_demonstration"} & set(taken)
            item.add_marker(pytest.mark.xdist_group("deliveries" if written else item.path.stem))
    items.sort(key=_turn)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a long text by its length: identifiers go to every process and into the log."""
    is_long = isinstance(val, str | bytes) and len(val) > 100
    return f"{argname} of {len(val)}" if is_long else None


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
def small_wave_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home where a small wave ran to a release: to read or to copy."""
    from asco_testing.worlds.small_wave import build_small_wave

    return built_once(tmp_path_factory, "small", build_small_wave)[0]


@pytest.fixture(scope="session")
def small_wave(small_wave_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator["SmallWave"]:
    """A copy of that home for the tests of one process, with its server running."""
    from asco_testing.worlds.small_wave import small_wave_in

    home = copied(small_wave_home, tmp_path_factory.mktemp("small") / "home")
    with small_wave_in(home) as wave:
        yield wave
    shutil.rmtree(home, ignore_errors=True)
