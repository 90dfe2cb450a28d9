"""Dagster's storage as the ``dagster.yaml`` of a home names it: the PostgreSQL of that home.

A process below ``asco`` finds the address in its environment. Any other that has this ``DAGSTER_HOME`` (a
notebook, “dagster dev” by hand) needs none: the home's server is started for it and held until it ends. What
does not belong here: the server itself (``storage.postgres``).
"""

import atexit
import functools
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage

from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.postgres.address import ADDRESS, storage


class HomeStorage(DagsterPostgresStorage):
    """Runs, events and schedules in the PostgreSQL of a home."""

    @classmethod
    def config_type(cls) -> dict[str, dg.Field]:
        """The home, as a path."""
        return {"home": dg.Field(str)}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "HomeStorage":
        """The storage of the home that the configuration names."""
        address = os.environ.get(ADDRESS) or _held(Path(config_value["home"]))
        return cls(address, inst_data=inst_data)


@functools.cache
def _held(home: Path) -> str:
    """Address of the storage of a home, which is up until this process ends."""
    settings = replace(Settings.from_environment(), home=home)
    stack = ExitStack()
    address = stack.enter_context(storage(settings, Places.of(settings)))
    atexit.register(stack.close)
    return address
