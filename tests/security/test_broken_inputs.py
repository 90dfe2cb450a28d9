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

from asco_dagster.cli.main import main
from asco_dagster.errors import AscoError, ConfigurationError, GateError
from asco_dagster.gates.results import GateResult, Verdict, read_result
from asco_dagster.gates.suite import load_suite
from asco_dagster.operations.upkeep.backup import restore
from asco_dagster.orchestration.checks import run_gate
from asco_dagster.releases.contract import CELLS, PROFILES, ReleasedFile, contract_of
from asco_dagster.releases.disclosure import rounding_steps
from asco_dagster.releases.release import Provenance, publish
from asco_dagster.releases.store import ReleaseStore
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.warehouse import open_database
from asco_dagster.waves import Wave, load_wave
from asco_dagster.waves.wave import SHIPPED
from asco_testing.security.broken_backups import BACKUPS
from asco_testing.security.broken_databases import DATABASES
from asco_testing.security.broken_gate_files import GATE_FILES
from asco_testing.security.broken_input import Broken
from asco_testing.security.broken_manifests import FILES, RELEASE_FOLDERS
from asco_testing.security.broken_suites import ASSET, SUITES, sound
from asco_testing.security.broken_waves import WAVE_FILES

AT_LEAST = 60
TABLES = {
    "suites": SUITES,
    "wave files": WAVE_FILES,
    "gate files": GATE_FILES,
    "release folders": RELEASE_FOLDERS,
    "databases": DATABASES,
    "backups": BACKUPS,
}
ROWS = "select * from (values ('1', 1, 'a'), ('2', 2, 'b')) as told(code, n, kind)"


def cases(kind: str) -> pytest.MarkDecorator:
    """The cases of a kind, by their names."""
    return pytest.mark.parametrize("broken", TABLES[kind], ids=lambda broken: broken.name)


def told(sentence: str, broken: Broken) -> None:
    """Demand that a sentence says what it must, on one line."""
    assert [part for part in broken.told if part not in sentence] == [], sentence
    assert "\n" not in sentence and "Traceback" not in sentence


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a wave's releases, with a version of the files that each must have."""
    folder = tmp_path_factory.mktemp("released")
    wave = load_wave("2014")

    def write(draft: Path) -> list[ReleasedFile]:
        for path, text in FILES.items():
            (draft / path).parent.mkdir(exist_ok=True)
            (draft / path).write_text(text)
        return [ReleasedFile(path, 1) for path in FILES]

    made_of = Provenance("code", [], {}, wave.disclosure.model_dump(), rounding_steps(wave))
    store = ReleaseStore(folder / "releases", folder / "sealed", folder / "withdrawn")
    return publish("2014", store, write, made_of).folder.parent


@pytest.fixture
def places(tmp_path: Path, store: Path) -> Iterator[Places]:
    """A home with a release, which no case may change."""
    places = Places.of(Settings(home=tmp_path / "home"))
    shutil.copytree(store, places.releases("2014"), symlinks=True)
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
    monkeypatch.setattr("asco_dagster.orchestration.checks.load_suite", from_folder)

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
    told(str(error.value), broken)
    assert not list(places.gates("2014").iterdir())


@cases("wave files")
def test_a_broken_wave_file_is_refused(broken: Broken, tmp_path: Path, places: Places) -> None:
    text = broken.make((SHIPPED / "2014.yaml").read_text(encoding="utf-8"))
    (tmp_path / "2014.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ConfigurationError) as error:
        load_wave("2014", tmp_path)
    told(str(error.value), broken)


@cases("gate files")
def test_a_damaged_result_is_no_open_gate(broken: Broken, places: Places) -> None:
    folder = places.gates("2014")
    verdict = Verdict("expect_table_row_count_to_equal", "", "critical", True, "1", None, "because", [])
    result = GateResult("raw_x__y", "2014", 1, [verdict], 1, "run")
    result.write(folder)
    assert read_result(folder, "raw_x__y", "2014") == result
    broken.make(folder / "raw_x__y.json")
    with pytest.raises(GateError) as error:
        read_result(folder, "raw_x__y", "2014")
    told(str(error.value), broken)
    assert str(error.value).startswith("file raw_x__y.json: the gate of raw_x__y is not judged: ")
    assert str(error.value).endswith(" or “Re-execute all”): the table is made and judged again.")


@cases("release folders")
def test_a_broken_release_folder_does_not_hold(
    broken: Broken,
    tmp_path: Path,
    places: Places,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cells, profiles = contract_of(CELLS), contract_of(PROFILES)
    assert set(FILES) == {cells.parquet, f"{cells.file}.csv", profiles.parquet}
    folder = tmp_path / "judged" / "1.0.0"
    shutil.copytree(places.releases("2014") / "1.0.0", folder)
    broken.make(folder)
    monkeypatch.setattr(sys, "argv", ["asco", "verify", str(folder)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (1, 3)
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith("asco: ") for line in lines)
    told(" ".join(lines), broken)


@cases("databases")
def test_a_damaged_database_is_named_and_left_as_it_is(broken: Broken, places: Places) -> None:
    path = places.database("2014")
    with open_database(path) as database:
        database.execute("create table staging.t as select i, md5(i::varchar) m from range(50000) r(i)")
    path.write_bytes(broken.make(path.read_bytes()))
    left = path.read_bytes()
    with pytest.raises(AscoError) as error, open_database(path) as database:
        database.table("staging.t").fetchall()
    told(str(error.value), broken)
    assert path.read_bytes() == left


@cases("backups")
def test_what_is_no_backup_lays_nothing_into_a_home(broken: Broken, tmp_path: Path) -> None:
    archive, empty = tmp_path / "backup.tar", Settings(home=tmp_path / "new")
    broken.make(archive)
    with pytest.raises(AscoError) as error:
        restore(empty, Places.of(empty), archive, unverified=True)
    told(str(error.value), broken)
    assert [path for path in empty.home.rglob("*") if path.is_file()] == []
    assert not (tmp_path / "evil").exists()
