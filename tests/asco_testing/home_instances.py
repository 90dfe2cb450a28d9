"""Dagster's instance of a home, on its real PostgreSQL, for tests that run steps in their own process."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from dagster import DagsterInstance

from asco_dagster.operations.instance import instance_of, prepare
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.postgres.address import ADDRESS, storage


@contextmanager
def home_instance(home: Path) -> Iterator[DagsterInstance]:
    """Open the instance of a home; the environment of the test stays as it is."""
    settings, places = Settings(home=home), Places(home)
    with ExitStack() as stack:
        address = stack.enter_context(storage(settings, places))
        prepare(settings, places, address)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(ADDRESS, address)
            instance = stack.enter_context(instance_of(places))
        yield instance
