"""Broken and hostile inputs: each gives its own sentence, no traceback, no open gate, no changed release.

The cases stand in tables, one file a kind (``broken_suites`` …); here is how a case of each kind is tried.
"""

import functools
import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from asco_dagster.errors import AscoError, ConfigurationError
from asco_dagster.gates.checks import run_gate
from asco_dagster.gates.suite import load_suite
from asco_dagster.places import Places
from asco_dagster.settings import Settings
from asco_dagster.waves import Wave, load_wave

for _folder in (Path(__file__).parent, Path(__file__).parents[1] / "publication"):
    sys.path.insert(0, str(_folder))
from broken_input import Broken  # noqa: E402
from broken_suites import ASSET, SUITES, sound  # noqa: E402
from small_release import released  # noqa: E402

AT_LEAST = 60
TABLES = {"suites": SUITES}
ROWS = "select * from (values ('1', 1, 'a'), ('2', 2, 'b')) as told(code, n, kind)"


def cases(kind: str) -> pytest.MarkDecorator:
    """The cases of a kind, by their names."""
    return pytest.mark.parametrize("broken", TABLES[kind], ids=lambda broken: broken.name)


def told(error: pytest.ExceptionInfo[AscoError], broken: Broken) -> None:
    """Demand that a sentence says what it must, on one line."""
    sentence = str(error.value)
    assert [part for part in broken.told if part not in sentence] == [], sentence
    assert "\n" not in sentence and "Traceback" not in sentence


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a wave's releases."""
    return released(tmp_path_factory.mktemp("released")).parent


@pytest.fixture
def places(tmp_path: Path, shelf: Path) -> Iterator[Places]:
    """A home with a release, which no case may change."""
    places = Places.of(Settings(home=tmp_path / "home"))
    shutil.copytree(shelf, places.releases("2014"), symlinks=True)
    before = _bytes_below(places.home / "releases")
    assert before
    yield places
    assert _bytes_below(places.home / "releases") == before


def _bytes_below(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_table_is_long_and_no_case_is_in_it_twice() -> None:
    names = [broken.name for table in TABLES.values() for broken in table]
    assert len(names) >= AT_LEAST
    assert len(set(names)) == len(names)


@pytest.fixture
def wave() -> Wave:
    """A wave with the bounds of the sound suite; one of them is too low."""
    return load_wave("2014").model_copy(update={"bounds": {"rows_min": 2.0, "rows_max": 1.0}})


@pytest.fixture
def judge(tmp_path: Path, places: Places, wave: Wave, monkeypatch: pytest.MonkeyPatch):
    """Judge a small table by a suite of this text, as a step does."""
    path = tmp_path / "expectations" / "staging" / f"{ASSET}.json"
    path.parent.mkdir(parents=True)
    from_folder = functools.partial(load_suite, folder=path.parents[1])
    monkeypatch.setattr("asco_dagster.gates.checks.load_suite", from_folder)

    def judged(text: str | bytes):
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        with duckdb.connect() as database:
            database.execute(f"create schema staging; create table staging.{ASSET} as {ROWS}")
            return run_gate(database, ASSET, wave, places, Settings(home=places.home))

    return judged


def test_the_sound_suite_opens_its_gate(judge) -> None:
    assert judge(json.dumps(sound())).passed


@cases("suites")
def test_a_broken_suite_is_refused_before_it_judges(broken: Broken, judge, places: Places) -> None:
    with pytest.raises(ConfigurationError) as error:
        judge(broken.make())
    told(error, broken)
    assert not list(places.gates("2014").iterdir())
