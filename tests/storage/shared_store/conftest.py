"""A store on a local S3 server, and homes of workers that share it."""

import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asco_dagster.settings import Settings
from asco_dagster.storage.shared_store.objects import Store
from asco_testing.s3_server import s3_server


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server() as (address, _):
        yield address


@pytest.fixture
def store(server: str) -> Store:
    return Store(f"{server}/{secrets.token_hex(4)}")


@pytest.fixture
def worker(store: Store, tmp_path: Path) -> Callable[[str], Settings]:
    """Settings of a worker with a home of its own; its lease outlasts a machine that does much else."""
    return lambda name: Settings(
        home=tmp_path / name, store=store.address, lease=60.0, pseudonym_key="k" * 40
    )


@pytest.fixture
def eventually() -> Callable[..., bool]:
    """Wait until something holds; false when it does not in time."""

    def wait(holds: Callable[[], bool], seconds: float) -> bool:
        end = time.monotonic() + seconds
        while not holds() and time.monotonic() < end:
            time.sleep(0.1)
        return holds()

    return wait
