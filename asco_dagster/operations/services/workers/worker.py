"""``asco worker``: the process that receives runs from Redis and executes them in the home of its machine."""

import importlib.util
import os
import sys
from typing import NoReturn

from asco_dagster.errors import ConfigurationError
from asco_dagster.operations.instance import environment, instance_of, prepare
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.postgres.address import storage
from asco_dagster.storage.shared_store.objects import Store


def require_broker(address: str) -> None:
    """Check that the optional packages are installed and that Redis answers.

    Raises:
        ConfigurationError: one of these is not so; the message never contains the address.
    """
    missing = [name for name in ("dagster_celery", "redis") if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"ASCO_BROKER_URL is set, but {' and '.join(missing)} is not installed",
            remedy="Install it: pip install 'asco_dagster[celery]', or unset ASCO_BROKER_URL",
        )
    import redis

    try:
        redis.Redis.from_url(address, socket_connect_timeout=10, socket_timeout=10).ping()
    except (redis.RedisError, ValueError) as error:
        # Not chained: the library's message may contain the address with its password.
        raise ConfigurationError(
            f"Redis (ASCO_BROKER_URL) does not answer: {type(error).__name__}",
            remedy="Start it, or correct ASCO_BROKER_URL",
        ) from None


def work(settings: Settings, places: Places, *, name: str | None, runs: int) -> NoReturn:
    """Replace this process by a Celery worker; Ctrl-C lets runs finish, a second one interrupts them.

    Raises:
        ConfigurationError: store, storage or broker is not set or does not answer.
    """
    if settings.broker_url is None:
        raise ConfigurationError(
            "ASCO_BROKER_URL is not set", remedy="Set ASCO_BROKER_URL, ASCO_STORE and ASCO_POSTGRES_URL"
        )
    require_broker(settings.broker_url)
    store = Store(settings.store or "")
    next(iter(store.listed("confidential/claims/")), None)  # it answers, and its credentials are valid
    with storage(settings, places) as postgres_url:
        wanted = prepare(settings, places, postgres_url)
    with environment(wanted), instance_of(places):
        pass  # creates the tables
    os.execve(sys.executable, [sys.executable, *command(name, runs)], wanted)  # noqa: S606 (no shell)


def command(name: str | None, runs: int) -> list[str]:
    """Arguments of Python for the worker."""
    return [
        *("-m", "celery", "-A", "asco_dagster.operations.services.workers.app", "worker"),
        *("--queues", "dagster", "--concurrency", str(runs), "--hostname", f"{name or 'asco'}@%h"),
        *("--loglevel", "INFO", "--without-gossip", "--without-mingle"),
    ]
