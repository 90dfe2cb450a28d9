"""A PostgreSQL that is damaged, another user's, full or busy: its cause and the remedy, in a sentence."""

import contextlib
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg2
import pytest

from asco_dagster.cli.main import exit_code
from asco_dagster.errors import AscoError, ConfigurationError
from asco_dagster.operations.instance import open_instance, storage_errors
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.postgres.address import storage
from asco_dagster.storage.postgres.server_faults import connecting_fault, starting_fault

pytestmark = pytest.mark.slow

AGAIN = "Restore the home from a backup (asco restore), or move {data} away to begin a new run history: waves"
GIVE_BACK = "Give all of {data} back to the user who runs it (chown -R), with mode 0700."


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose server ran and stopped in order."""
    home = tmp_path_factory.mktemp("sound")
    with storage(Settings(home=home), Places(home)):
        pass
    return home


def _each_log(data: Path, write: Callable[[Path], object]) -> None:
    for segment in (data / "pg_wal").glob("0*"):
        write(segment)


CONTROL, LOG = (
    "its control file (global/pg_control) is missing",
    "its write-ahead log (pg_wal) is missing or dam",
)
FAULTS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "an empty control file": (lambda data: (data / "global/pg_control").write_bytes(b""), CONTROL, AGAIN),
    "a control file of noise": (
        lambda data: (data / "global/pg_control").write_bytes(bytes(range(256)) * 32),
        CONTROL,
        AGAIN,
    ),
    "no control file": (lambda data: (data / "global/pg_control").unlink(), CONTROL, AGAIN),
    "no log": (lambda data: _each_log(data, Path.unlink), LOG, AGAIN),
    "an empty log": (lambda data: _each_log(data, lambda path: path.write_bytes(b"")), LOG, AGAIN),
    "a log of noise": (
        lambda data: _each_log(data, lambda path: path.write_bytes(b"\x5a" * 2**24)),
        LOG,
        AGAIN,
    ),
    "no folder of logs": (lambda data: shutil.rmtree(data / "pg_wal"), LOG, AGAIN),
    "a wrong configuration": (
        lambda data: (data / "postgresql.conf").write_text("max_connections = many\n"),
        "its configuration file is missing or wrong",
        "See {data}/log and fix what it names in {data}.",
    ),
    "no configuration": (
        lambda data: (data / "postgresql.conf").unlink(),
        "its configuration file is missing or wrong",
        "See {data}/log and fix what it names in {data}.",
    ),
    "files of another user": (
        lambda data: subprocess.run(["chown", "-R", "nobody", str(data)], check=True),
        "a part of them belongs to user nobody",
        GIVE_BACK,
    ),
    "one folder of another user": (
        lambda data: subprocess.run(["chown", "-R", "nobody", str(data / "global")], check=True),
        "a part of them belongs to user nobody",
        GIVE_BACK,
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_cause_is_named_and_not_the_last_line_of_the_log(sound: Path, tmp_path: Path, fault: str) -> None:
    if "another user" in fault and os.geteuid() != 0:
        pytest.skip("only root can give files away")
    home = tmp_path / "home"
    subprocess.run(["cp", "-a", str(sound), str(home)], check=True)
    data = home / "postgres"
    spoil, cause, remedy = FAULTS[fault]
    spoil(data)
    with pytest.raises(ConfigurationError) as refused, storage(Settings(home=home), Places(home)):
        pass
    told = str(refused.value)
    assert told.startswith("the embedded PostgreSQL does not start: ")
    assert cause in told
    assert remedy.format(data=data) in told
    assert "database system is shut down" not in told
    assert exit_code(refused.value) == 2


@pytest.mark.parametrize(
    "kind", ["a file in place of the folder", "a folder in place of a file", "no version"]
)
def test_what_postgresql_did_not_leave_is_named(tmp_path: Path, kind: str) -> None:
    data = tmp_path / "postgres"
    if kind.startswith("a file"):
        data.write_text("x")
    else:
        data.mkdir()
        (data / "PG_VERSION").mkdir() if kind.startswith("a folder") else (data / "PG_VERSION").touch()
    with pytest.raises(ConfigurationError) as refused, storage(Settings(home=tmp_path), Places(tmp_path)):
        pass
    assert str(data) in str(refused.value)
    assert "to begin a new run history" in str(refused.value)


def test_a_server_without_a_free_connection_is_reported_as_such(settings: Settings, places: Places) -> None:
    with storage(settings, places):
        pass
    with (places.postgres / "postgresql.conf").open("a") as file:
        file.write("max_connections = 12\nsuperuser_reserved_connections = 3\nautovacuum_worker_slots = 1\n")
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(storage(settings, places)).replace("+psycopg2", "")
        with open_instance(settings, places) as instance, pytest.raises(AscoError) as lost, storage_errors():
            _exhaust(stack, address)
            instance.add_dynamic_partitions("waves", ["2014"])
            raise AssertionError("it had a connection all the same")
        assert "the connection to Dagster's storage was lost: all its connections are in use" in str(
            lost.value
        )
        _exhaust(stack, address)
        for given in (settings, Settings(home=places.home / "other", postgres_url=address)):
            with pytest.raises(ConfigurationError) as refused, storage(given, Places.of(given)):
                pass
            told = str(refused.value)
            assert "all its connections are in use (" in told and "too many clients already" in told
            assert (
                "Close programs that use it (asco up, dagster dev, notebooks) or wait, then try again" in told
            )


def _exhaust(stack: contextlib.ExitStack, address: str) -> None:
    with contextlib.suppress(psycopg2.OperationalError):
        while True:
            stack.callback(psycopg2.connect(address).close)


def test_a_full_disk_and_too_little_memory_are_reported_as_such() -> None:
    """What PostgreSQL 18 says: a disk that is full can be had in a test by root alone."""
    full = (
        "waiting for server to start.... stopped waiting\npg_ctl: could not start server\n"
        '2026-11-30 21:04:31.729 UTC [23043] FATAL:  could not write lock file "postmaster.pid": '
        "No space left on device\n"
    )
    fault = starting_fault(full, Path("/home/postgres"), Path("/home/postgres/log"))
    assert fault.cause == (
        'the disk is full (FATAL: could not write lock file "postmaster.pid": No space left on device)'
    )
    assert fault.remedy == "Free some disk space, then try again"
    running = (
        'could not extend file "base/16384/16385": No space left on device\nHINT:  Check free disk space.'
    )
    found = connecting_fault(running)
    assert found is not None and found.cause.startswith("its disk is full (could not extend file")
    assert connecting_fault("server closed the connection unexpectedly") is None


def test_the_sockets_folder_is_still_its_owners_alone(sound: Path) -> None:
    assert stat.S_IMODE((sound / "postgres").stat().st_mode) == 0o700
