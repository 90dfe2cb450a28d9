"""``asco worker``: the process of a machine that takes runs from Redis and executes them in its own home.

What does not belong here: what it does with a run (``app``).
"""

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


def require_celery() -> None:
    """Have the optional packages.

    Raises:
        ConfigurationError: they are not installed.
    """
    missing = [name for name in ("dagster_celery", "redis") if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"ASCO_BROKER_URL is given, but {' and '.join(missing)} is not installed",
            remedy="Install it: pip install 'asco_dagster[celery]', or unset ASCO_BROKER_URL",
        )


def require_broker(address: str) -> None:
    """Have a Redis that answers.

    Raises:
        ConfigurationError: it does not, or its package is not installed; never repeats the address.
    """
    require_celery()
    import redis

    try:
        redis.Redis.from_url(address, socket_connect_timeout=10, socket_timeout=10).ping()
    except (redis.RedisError, ValueError) as error:
        # Not chained: what the library says may quote the address, password and all.
        raise ConfigurationError(
            f"Redis (ASCO_BROKER_URL) does not answer: {type(error).__name__}",
            remedy="Start it, or correct ASCO_BROKER_URL",
        ) from None


def work(settings: Settings, places: Places, *, name: str | None, runs: int) -> NoReturn:
    """Become a worker: this process is Celery's from here on; Ctrl-C lets runs end, a second one cuts them.

    Args:
        settings: the environment; store, storage and broker must answer.
        places: this worker's own home.
        name: how the worker is called; by default as the machine.
        runs: how many waves it runs at once.

    Raises:
        ConfigurationError: something that the machines share is not given or does not answer.
    """
    if settings.broker_url is None:
        raise ConfigurationError(
            "no Redis is given", remedy="Set ASCO_BROKER_URL, ASCO_STORE and ASCO_POSTGRES_URL"
        )
    require_broker(settings.broker_url)
    store = Store(settings.store or "")
    next(iter(store.listed("confidential/claims/")), None)  # it answers, and its keys hold
    with storage(settings, places) as postgres_url:
        wanted = prepare(settings, places, postgres_url)
    with environment(wanted), instance_of(places):
        pass  # the storage's tables are there
    os.execve(sys.executable, [sys.executable, *command(name, runs)], wanted)  # noqa: S606 (no shell)


def command(name: str | None, runs: int) -> list[str]:
    """Arguments of the Python that is the worker."""
    return [
        *("-m", "celery", "-A", "asco_dagster.operations.workers.app", "worker"),
        *("--queues", "dagster", "--concurrency", str(runs), "--hostname", f"{name or 'asco'}@%h"),
        *("--loglevel", "INFO", "--without-gossip", "--without-mingle"),
    ]
