"""What other users of the machine may do to a home, whatever the umask: read its releases, nothing else."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from asco_dagster.durable import PUBLIC, make_folder
from asco_dagster.errors import ConfigurationError
from asco_dagster.operations.upkeep.diagnosis import home_findings
from asco_dagster.settings import Settings
from asco_dagster.storage.home import require_home
from asco_dagster.storage.keys import read_key
from asco_dagster.storage.places import Places
from asco_dagster.storage.postgres import cluster
from asco_dagster.storage.postgres.address import storage
from asco_testing.security.closed_home import require_closed

pytestmark = pytest.mark.slow


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "private" / "home")


@pytest.fixture
def places(settings: Settings) -> Places:
    settings.home.parent.mkdir(mode=0o700)
    return Places.of(settings)


@pytest.fixture
def open_umask() -> Iterator[None]:
    former = os.umask(0)
    yield
    os.umask(former)


@pytest.mark.parametrize(
    ("umask", "arguments"),
    [(0o000, ["demo", "--wave", "2014", "--scale", "0.02"]), (0o000, ["doctor"]), (0o077, ["doctor"])],
)
def test_what_the_product_makes_has_its_permissions_whatever_the_umask(
    umask: int, arguments: list[str], tmp_path: Path, checkout: Path
) -> None:
    home = tmp_path / "missing" / "home"
    done = subprocess.run(
        [sys.executable, "-m", "asco_dagster.cli.main", *arguments],
        env={**os.environ, "ASCO_HOME": str(home)},
        cwd=checkout,
        capture_output=True,
        text=True,
        umask=umask,
    )
    assert done.returncode == 0, done.stderr
    require_closed(home)
    assert mode(home) == mode(home.parent) == 0o755
    assert not [path for path in home.rglob("*") if not path.is_symlink() and mode(path) & 0o022]
    if arguments[0] == "demo":
        assert {mode(path) for path in (home / "inbox").rglob("*") if path.is_file()} == {0o600}
        assert {mode(path) for path in (home / "inbox" / "2014", home / "demonstration")} == {0o700}


@pytest.mark.usefixtures("open_umask")
def test_a_folder_and_those_above_it_get_the_mode_that_is_asked_for(tmp_path: Path) -> None:
    assert [mode(path) for path in (make_folder(tmp_path / "a" / "b"), tmp_path / "a")] == [0o700, 0o700]
    os.umask(0o077)
    assert [mode(path) for path in (make_folder(tmp_path / "c" / "d", PUBLIC), tmp_path / "c")] == [0o755] * 2
    assert mode(make_folder(tmp_path / "a" / "b", PUBLIC)) == 0o700  # what exists is left as it is


def test_a_private_folder_above_the_home_stays_private(settings: Settings, places: Places) -> None:
    for _ in range(2):  # the server of a new data folder, and of one that is there
        with storage(settings, places) as url:
            assert url.startswith("postgresql")
    assert mode(places.home.parent) == 0o700
    assert mode(places.postgres) == 0o700


def test_programs_in_a_private_folder_run_and_the_folder_stays_private(
    settings: Settings, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = cluster._binaries().parents[1]
    for folder in (cluster._binaries().parent, package.with_name(f"{package.name}.libs")):
        target = places.home.parent / folder.relative_to(package.parent)
        shutil.copytree(folder, target, symlinks=True)
    installed = places.home.parent / cluster._binaries().relative_to(package.parent)
    monkeypatch.setattr(cluster, "_binaries", lambda: installed)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as copies:  # that all may pass
        Path(copies).chmod(0o755)
        monkeypatch.setattr(cluster, "_COPIES", Path(copies) / "asco")
        with storage(settings, places) as url:
            assert url.startswith("postgresql")
        copied = [path for path in Path(copies).rglob("*") if not path.is_symlink()]
        assert not [path for path in copied if mode(path) & 0o022]
        if copied:
            (Path(copies) / "asco").chmod(0o777)
            with pytest.raises(
                ConfigurationError, match=r"other users may write into .*, which holds PostgreSQL's programs"
            ):
                cluster._programs()
    assert mode(places.home.parent) == 0o700


@pytest.mark.parametrize("opened", [0o777, 0o775, 0o757, 0o1777])
def test_a_home_that_others_may_write_into_is_refused(opened: int, places: Places) -> None:
    require_home(places)
    places.home.chmod(opened)
    with pytest.raises(ConfigurationError) as caught:
        require_home(places)
    assert str(caught.value) == (
        f"other users may write into the home {places.home} (mode {opened:04o}); expected write"
        f" permission for its owner only. Run chmod go-w '{places.home}', then asco doctor."
    )
    [told] = [finding for finding in home_findings(places) if finding.verdict == "problem"]
    assert (told.text, told.remedy) == (
        f"other users may write into {places.home} (mode {opened:04o})",
        f"chmod go-w '{places.home}'",
    )


def test_doctor_says_what_lies_open_and_how_to_close_it(settings: Settings, places: Places) -> None:
    require_home(places)
    places.pseudonym_key(settings)
    sealed, release = places.sealed("2014"), places.releases("2014") / "1.0.0"
    release.mkdir(parents=True)
    assert not [finding for finding in home_findings(places) if finding.verdict == "problem"]
    for path, opened in ((sealed.parent, 0o755), (sealed, 0o750), (release, 0o777)):
        path.chmod(opened)
    (places.keys / "pseudonym.key").chmod(0o640)
    places.home.parent.chmod(0o777)
    found = [finding for finding in home_findings(places) if finding.verdict == "problem"]
    key = places.keys / "pseudonym.key"
    assert [(finding.text, finding.remedy) for finding in found] == [
        (
            f"other users may write into {places.home.parent} (mode 0777)",
            f"chmod go-w '{places.home.parent}'",
        ),
        (f"other users may write into {release} (mode 0777)", f"chmod go-w '{release}'"),
        (
            f"other users may read or change the key {key} (mode 0640); expected mode 0600",
            f"Run chmod 600 '{key}'; if somebody may have read it, replace it with asco rotate-key",
        ),
        (f"{sealed} can be read by others (mode 0750)", f"chmod go-rwx '{sealed}'"),
    ]


def spoil(key: Path, how: str) -> None:
    elsewhere = key.with_name("elsewhere")
    if how == "empty":
        key.write_bytes(b"")
    elif how == "white":
        key.write_bytes(b" \n" * 40)
    elif how == "short":
        key.write_bytes(b"k" * 31 + b"\n")
    elif how == "group":
        key.chmod(0o640)
    elif how == "others":
        key.chmod(0o604)
    elif how == "link":
        key.rename(elsewhere)
        key.symlink_to(elsewhere)
    elif how == "dangling":
        key.unlink()
        key.symlink_to(elsewhere)
    elif how == "pipe":
        key.unlink()
        os.mkfifo(key, 0o600)
    elif how == "folder":
        key.unlink()
        key.mkdir(mode=0o700)
    elif how == "writable":
        key.parent.chmod(0o770)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("empty", "holds 0 bytes; expected at least 32"),
        ("white", "holds 0 bytes; expected at least 32"),
        ("short", "holds 31 bytes; expected at least 32"),
        ("group", "other users may read or change the key"),
        ("others", "other users may read or change the key"),
        ("link", "is a symbolic link"),
        ("dangling", "is a symbolic link"),
        ("pipe", "is not a regular file"),
        ("folder", "is not a regular file"),
        ("writable", "other users may replace the keys"),
    ],
)
def test_a_key_that_is_none_is_a_sentence(how: str, words: str, settings: Settings, places: Places) -> None:
    kept = places.pseudonym_key(settings).decode()
    spoil(places.keys / "pseudonym.key", how)
    with pytest.raises(ConfigurationError, match=words) as caught:
        places.pseudonym_key(settings)
    assert kept not in str(caught.value)
    assert caught.value.remedy
    with pytest.raises(ConfigurationError, match=words):
        read_key(places.keys / "pseudonym.key")


def test_a_key_of_another_user_is_a_sentence(
    settings: Settings, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    places.pseudonym_key(settings)
    owner = os.geteuid()
    key = places.keys / "pseudonym.key"
    # seen as another user would see it; a folder of root's is everybody's
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    expected = "may replace the keys" if owner else f"the key {key} belongs to another user \\(uid 0\\)"
    with pytest.raises(ConfigurationError, match=expected):
        places.pseudonym_key(settings)


@pytest.mark.parametrize("name", ["ASCO_PSEUDONYM_KEY", "ASCO_DATABASE_KEY"])
@pytest.mark.parametrize(
    ("given", "words"),
    [("", "is empty"), ("   ", "is empty"), ("k" * 31, "has 31 bytes"), (f"{'k' * 31}  ", "has 31 bytes")],
)
def test_a_given_key_that_is_none_is_a_sentence(name: str, given: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} {words}; expected at least 32 bytes"):
        Settings.from_environment({name: given})
    assert Settings.from_environment({name: "é" * 16})  # 32 bytes
