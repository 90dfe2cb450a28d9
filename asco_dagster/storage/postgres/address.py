"""The address of Dagster's storage: an external PostgreSQL (``ASCO_POSTGRES_URL``), else the embedded one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2  # type: ignore[import-untyped]

from asco_dagster.errors import ConfigurationError
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.postgres.cluster import SUPERUSER, Cluster
from asco_dagster.storage.postgres.embedded import EmbeddedServer
from asco_dagster.storage.postgres.server_faults import Fault, connecting_fault

if TYPE_CHECKING:
    from sqlalchemy import URL

ADDRESS = "DAGSTER_PG_URL"
"""Variable with the address of the storage for child processes; it may hold a password."""
DATABASE = "dagster"
# SQLAlchemy 2.1 takes the bare form for psycopg 3 (dagster issue 33958).
_DRIVER = "postgresql+psycopg2"
_TAKEN = ("postgresql", "postgres", _DRIVER)


@contextmanager
def storage(settings: Settings, places: Places) -> Iterator[str]:
    """Keep Dagster's storage running.

    Yields:
        The SQLAlchemy URL, ``postgresql+psycopg2://…``; it may carry a password.

    Raises:
        ConfigurationError: the address is wrong, the server does not answer, or it does not start.
    """
    if settings.postgres_url is not None:
        url = external_url(settings.postgres_url)
        _connect(url)
        yield url.render_as_string(hide_password=False)
        return
    server = EmbeddedServer(Cluster(places.postgres.resolve()), places.dagster_home.resolve())
    with server.held() as folder:
        with server.mutex():
            _ensure_database(folder)
        yield _embedded_url(folder).render_as_string(hide_password=False)


def external_url(address: str) -> "URL":
    """The address of ``ASCO_POSTGRES_URL``, in the form of Dagster's driver.

    Raises:
        ConfigurationError: it is not a PostgreSQL address; the message never repeats it.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    remedy = "Correct ASCO_POSTGRES_URL, or unset it to use the embedded server"
    form = "postgresql://user:password@host:5432/database"
    try:
        url = make_url(address.strip())
    except (ArgumentError, ValueError):
        # The cause repeats the address, password and all.
        raise ConfigurationError("ASCO_POSTGRES_URL is not valid", expected=form, remedy=remedy) from None
    if url.drivername not in _TAKEN:
        raise ConfigurationError(
            f"ASCO_POSTGRES_URL begins with {url.drivername}:", expected=form, remedy=remedy
        )
    if not url.database:
        raise ConfigurationError("ASCO_POSTGRES_URL names no database", expected=form, remedy=remedy)
    return url.set(drivername=_DRIVER)


def is_storage_of(address: str, settings: Settings, places: Places) -> bool:
    """Whether this is the address of a home's running storage."""
    from sqlalchemy import make_url

    found = make_url(address)
    if settings.postgres_url is None:
        try:
            folder = Cluster(places.postgres.resolve()).socket_folder
        except (FileNotFoundError, IndexError):
            return False
        return found.query.get("host") == str(folder)
    return _where(found) == _where(external_url(settings.postgres_url))


def _where(url: "URL") -> tuple[str, int, str | None]:
    return str(url.host or url.query.get("host", "")), url.port or 5432, url.database


def _connect(url: "URL") -> None:
    server = f"{url.host or 'local socket'}:{url.port or 5432}"
    try:
        # libpq's own form of the address, which lets options such as sslmode through.
        address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        psycopg2.connect(address, connect_timeout=10).close()
    except psycopg2.Error as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = lines[0].replace(str(url.password), "***") if url.password else lines[0]
        fault = connecting_fault(reason) or Fault(
            reason, "Start it, correct ASCO_POSTGRES_URL, or unset it to use the embedded server"
        )
        raise ConfigurationError(
            f"PostgreSQL at {server} (ASCO_POSTGRES_URL) does not open database {url.database}: "
            f"{fault.cause}",
            remedy=fault.remedy,
        ) from None


def _ensure_database(folder: Path) -> None:
    try:
        connection = psycopg2.connect(host=str(folder), user=SUPERUSER, dbname="postgres")
    except psycopg2.OperationalError as error:
        raise _refusal(str(error)) from error
    try:
        connection.autocommit = True  # CREATE DATABASE cannot run in a transaction
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if cursor.fetchone() is None:
                cursor.execute(f"CREATE DATABASE {DATABASE}")
    except psycopg2.Error as error:
        raise _refusal(str(error)) from error
    finally:
        connection.close()


def _refusal(said: str) -> ConfigurationError:
    """The error of an embedded server that runs but refuses a statement."""
    fault = connecting_fault(said)
    if fault is None:
        first = " ".join(said.split()) or "no reason given"
        fault = Fault(first, "See the log in postgres/ of the home and fix what it names")
    return ConfigurationError(
        f"the embedded PostgreSQL refuses connections: {fault.cause}", remedy=fault.remedy
    )


def _embedded_url(folder: Path) -> "URL":
    from sqlalchemy import URL

    return URL.create(_DRIVER, username=SUPERUSER, database=DATABASE, query={"host": str(folder)})
