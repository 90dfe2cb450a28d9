"""The embedded PostgreSQL, really started: shared by processes, stopped with the last, however it ended."""

import os
import signal
import stat
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy

from asco_dagster.errors import ConfigurationError
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.postgres.address import external_url, storage
from asco_dagster.storage.postgres.cluster import Cluster

pytestmark = pytest.mark.slow

Script = Callable[..., "subprocess.Popen[str]"]
Living = Callable[[Path], list[str]]
Eventually = Callable[..., bool]
HOLD = """
    from asco_dagster.storage.postgres.address import storage
    with storage(settings, places) as url:
        print(url, flush=True)
        input()
"""


def ask(url: str, question: str) -> object:
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        return connection.execute(sqlalchemy.text(question)).scalar()


def test_two_processes_share_a_server_that_survives_a_kill_and_stops_with_the_last(
    script: Script, places: Places, living: Living, eventually: Eventually
) -> None:
    first, second = script(HOLD), script(HOLD)
    assert first.stdout and second.stdout
    url = first.stdout.readline().strip()
    assert second.stdout.readline().strip() == url
    assert url.startswith("postgresql+psycopg2://")
    assert str(ask(url, "select version()")).startswith("PostgreSQL 18")

    first.send_signal(signal.SIGKILL)
    first.wait()
    # The keeper has looked twice by now: the second process still holds the server.
    assert not eventually(lambda: not (places.postgres / "postmaster.pid").exists(), seconds=2.5)
    assert ask(url, "select current_database()") == "dagster"

    second.communicate("\n", timeout=20)
    assert second.returncode == 0
    assert not (places.postgres / "postmaster.pid").exists()
    assert living(places.home) == []


def test_killing_the_last_user_does_not_leave_the_server(
    script: Script, places: Places, living: Living, eventually: Eventually
) -> None:
    only = script(HOLD)
    assert only.stdout and only.stdout.readline()
    only.kill()
    assert eventually(lambda: living(places.home) == []), living(places.home)
    assert not (places.postgres / "postmaster.pid").exists()


@pytest.mark.parametrize(
    ("program", "slow"),
    [("initdb", 0), ("pg_ctl", 0), pytest.param("pg_ctl", 3, id="pg_ctl, after the keeper's first looks")],
)
def test_killing_whoever_starts_the_server_leaves_none(
    program: str, slow: int, script: Script, places: Places, living: Living, eventually: Eventually
) -> None:
    dying = f"""
    import os, signal, subprocess
    usual = subprocess.run
    def run(command, *, timeout=None, check=False, **options):
        if str(command[0]).endswith("{program}"):
            subprocess.Popen(["sh", "-c", 'sleep {slow}; exec "$0" "$@"', *command], **options)
            os.kill(os.getpid(), signal.SIGKILL)
        return usual(command, timeout=timeout, check=check, **options)
    subprocess.run = run
    """
    started = script(textwrap.dedent(dying) + textwrap.dedent(HOLD))
    assert started.wait(60) == -signal.SIGKILL
    assert eventually(lambda: living(places.home) == []), living(places.home)
    assert not eventually(lambda: living(places.home) != [], seconds=2.5)
    again = script(HOLD)
    assert again.stdout and again.stdout.readline().startswith("postgresql")
    again.communicate("\n", timeout=20)
    assert (again.returncode, living(places.home)) == (0, [])


def test_the_pid_file_of_a_killed_server_does_not_stop_another_home(
    places: Places, tmp_path: Path, settings: Settings
) -> None:
    """The kernel gives a number again: by then it may be that of the server of another home."""
    with storage(settings, places) as url:
        left = tmp_path / "killed" / "postgres"
        left.mkdir(parents=True)
        (left / "postmaster.pid").write_text((places.postgres / "postmaster.pid").read_text())
        Cluster(left).stop()
        assert ask(url, "select 1") == 1


def test_a_process_that_ignores_sigterm_ends_in_order(script: Script, places: Places, living: Living) -> None:
    """Dagster sets SIGTERM as it finds SIGINT, which a script's ``&`` ignores: the keeper inherits that."""
    only = script(f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{textwrap.dedent(HOLD)}")
    assert only.stdout and only.stdout.readline()
    only.communicate("\n", timeout=20)
    assert only.returncode == 0
    assert living(places.home) == []


def test_a_killed_server_starts_again_with_its_data(
    settings: Settings, places: Places, living: Living, eventually: Eventually
) -> None:
    with storage(settings, places) as url:
        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("create table kept as select 42 as answer"))
        os.kill(int((places.postgres / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        with storage(settings, places) as again:
            assert ask(again, "select answer from kept") == 42
    assert eventually(lambda: living(places.home) == [])


@pytest.mark.parametrize("name", ["a home's [name], with blanks", "long-" * 30])
def test_any_home_has_a_socket_that_only_its_owner_reaches(tmp_path: Path, name: str) -> None:
    settings = Settings(home=tmp_path / name)
    with storage(settings, Places.of(settings)) as url:
        assert ask(url, "select current_user") == "postgres"
        folder = Path(sqlalchemy.make_url(url).query["host"])  # type: ignore[arg-type]
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / ".s.PGSQL.5432").stat().st_mode) == 0o700
        assert ask(url, "show listen_addresses") == ""


def test_data_of_another_version_is_reported_and_left_alone(
    settings: Settings, places: Places, living: Living
) -> None:
    places.postgres.mkdir(parents=True)
    (places.postgres / "PG_VERSION").write_text("14\n")
    with pytest.raises(ConfigurationError, match=r"was written by PostgreSQL 14; expected version 18"):
        storage(settings, places).__enter__()
    assert [path.name for path in places.postgres.iterdir()] == ["PG_VERSION"]
    assert living(places.home) == []


def test_a_server_that_cannot_start_says_where_to_look(settings: Settings, places: Places) -> None:
    with storage(settings, places):
        pass
    (places.postgres / "postgresql.conf").write_text("max_connections = many\n")
    with pytest.raises(ConfigurationError, match=r"does not start: .*See .*log and fix"):
        storage(settings, places).__enter__()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_a_given_address_gets_the_driver_that_is_installed(scheme: str) -> None:
    url = external_url(f"{scheme}://u:p%40ss@db.example:5433/runs?sslmode=require")
    assert (
        url.render_as_string(False) == "postgresql+psycopg2://u:p%40ss@db.example:5433/runs?sslmode=require"
    )


@pytest.mark.parametrize(
    "address",
    [
        "mysql://u:hunter2@h/d",
        "hunter2",
        "postgresql://u:hunter2@h",
        "postgresql://u:hunter2@h:port/d",
        "postgresql://u:hunter2@127.0.0.1:1/d",
        "postgresql://u:hunter2@127.0.0.1:1/d?password=hunter2",
    ],
)
def test_no_fault_of_the_address_shows_the_password(tmp_path: Path, address: str) -> None:
    settings = Settings(home=tmp_path, postgres_url=address)
    with pytest.raises(ConfigurationError, match="ASCO_POSTGRES_URL") as raised:
        storage(settings, Places.of(settings)).__enter__()
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None or raised.value.__suppress_context__


def test_a_given_server_is_used_and_not_stopped(script: Script, places: Places, tmp_path: Path) -> None:
    holder = script(HOLD)
    assert holder.stdout
    address = holder.stdout.readline().strip().replace("+psycopg2", "")
    other = Settings(home=tmp_path / "other", postgres_url=address)
    with storage(other, Places.of(other)) as url:
        assert ask(url, "select current_database()") == "dagster"
    assert not (tmp_path / "other" / "postgres").exists()
    assert ask(url, "select 1") == 1
