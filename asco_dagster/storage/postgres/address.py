"""Where Dagster keeps its runs, events and schedules: the PostgreSQL that is given, else the embedded one.

``storage`` yields the address for as long as it is needed. What does not belong here: how the embedded server
is shared (``embedded.py``), and what Dagster does with the address (``operations.instance``).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from asco_dagster.errors import ConfigurationError
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.postgres.cluster import SUPERUSER, Cluster
from asco_dagster.storage.postgres.embedded import EmbeddedServer
from asco_dagster.storage.postgres.server_faults import Fault, connecting_fault

if TYPE_CHECKING:
    from sqlalchemy import URL

ADDRESS = "DAGSTER_PG_URL"
"""Variable that gives the processes below ``asco`` the address of the storage; it may hold a password."""
DATABASE = "dagster"
# SQLAlchemy 2.1 takes the bare form for psycopg 3 (dagster issue 33958).
_DRIVER = "postgresql+psycopg2"
_TAKEN = ("postgresql", "postgres", _DRIVER)


@contextmanager
def storage(settings: Settings, places: Places) -> Iterator[str]:
    """Have Dagster's storage up.

    Args:
        settings: the environment; ``postgres_url`` names a server that somebody else runs.
        places: the home of the embedded server.

    Yields:
        The SQLAlchemy URL, ``postgresql+psycopg2://…``; it may carry a password.

    Raises:
        ConfigurationError: the address is wrong, the server does not answer, or it does not start.
    """
    if settings.postgres_url is not None:
        url = given(settings.postgres_url)
        _reach(url)
        yield url.render_as_string(hide_password=False)
        return
    server = EmbeddedServer(Cluster(places.postgres.resolve()), places.dagster_home.resolve())
    with server.held() as folder:
        with server.mutex():
            _ensure_database(folder)
        yield _embedded_url(folder).render_as_string(hide_password=False)


def given(address: str) -> "URL":
    """The address of ``ASCO_POSTGRES_URL``, in the form that Dagster's driver takes.

    Raises:
        ConfigurationError: it is no PostgreSQL address; never repeats it, since it may hold a password.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    remedy = "Correct ASCO_POSTGRES_URL, or unset it to use the embedded server"
    form = "postgresql://user:password@host:5432/database"
    try:
        url = make_url(address.strip())
    except (ArgumentError, ValueError):
        # The cause repeats the address, password and all.
        raise ConfigurationError("ASCO_POSTGRES_URL is no address", expected=form, remedy=remedy) from None
    if url.drivername not in _TAKEN:
        raise ConfigurationError(
            f"ASCO_POSTGRES_URL begins with {url.drivername}:", expected=form, remedy=remedy
        )
    if not url.database:
        raise ConfigurationError("ASCO_POSTGRES_URL names no database", expected=form, remedy=remedy)
    return url.set(drivername=_DRIVER)


def is_storage_of(address: str, settings: Settings, places: Places) -> bool:
    """Whether an address is that of a home's storage, which is up."""
    from sqlalchemy import make_url

    found = make_url(address)
    if settings.postgres_url is None:
        try:
            own = Cluster(places.postgres.resolve()).socket_folder
        except (FileNotFoundError, IndexError):
            return False
        return found.query.get("host") == str(own)
    wanted = given(settings.postgres_url)
    return _where(found) == _where(wanted)


def _where(url: "URL") -> tuple[str, int, str | None]:
    return str(url.host or url.query.get("host", "")), url.port or 5432, url.database


def _reach(url: "URL") -> None:
    import psycopg2  # type: ignore[import-untyped]

    server = f"{url.host or 'local socket'}:{url.port or 5432}"
    try:
        # libpq's own form of the address, which lets options such as sslmode through.
        address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        psycopg2.connect(address, connect_timeout=10).close()
    except psycopg2.Error as error:
        told = str(error).strip().splitlines() or [type(error).__name__]
        reason = told[0].replace(str(url.password), "***") if url.password else told[0]
        fault = connecting_fault(reason) or Fault(
            reason, "Start it, correct ASCO_POSTGRES_URL, or unset it to use the embedded server"
        )
        raise ConfigurationError(
            f"PostgreSQL at {server} (ASCO_POSTGRES_URL) does not open database {url.database}: "
            f"{fault.cause}",
            remedy=fault.remedy,
        ) from None


def _ensure_database(folder: Path) -> None:
    import psycopg2

    try:
        connection = psycopg2.connect(host=str(folder), user=SUPERUSER, dbname="postgres")
    except psycopg2.OperationalError as error:
        raise _refusal(str(error)) from error
    try:
        connection.autocommit = True  # CREATE DATABASE stands outside transactions
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if cursor.fetchone() is None:
                cursor.execute(f"CREATE DATABASE {DATABASE}")
    except psycopg2.Error as error:
        raise _refusal(str(error)) from error
    finally:
        connection.close()


def _refusal(said: str) -> ConfigurationError:
    """The error of an embedded server that runs and does not do what it is asked."""
    fault = connecting_fault(said)
    if fault is None:
        first = " ".join(said.split()) or "it gave no reason"
        fault = Fault(first, "See the log in the folder postgres/ of the home and mend what it names")
    return ConfigurationError(
        f"the embedded PostgreSQL takes no connection: {fault.cause}", remedy=fault.remedy
    )


def _embedded_url(folder: Path) -> "URL":
    from sqlalchemy import URL

    return URL.create(_DRIVER, username=SUPERUSER, database=DATABASE, query={"host": str(folder)})
