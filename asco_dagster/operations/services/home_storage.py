"""Dagster's storage as ``dagster.yaml`` names it: the PostgreSQL of the home.

A child process of ``asco`` finds the address in its environment. For any other with this ``DAGSTER_HOME`` (a
notebook, ``dagster dev``) the server of the home is started and kept until the process ends.
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
        """The path of the home."""
        return {"home": dg.Field(str)}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "HomeStorage":
        """The storage of the configured home."""
        address = os.environ.get(ADDRESS) or _started(Path(config_value["home"]))
        return cls(address, inst_data=inst_data)


@functools.cache
def _started(home: Path) -> str:
    """Address of the storage of a home, kept running until this process ends."""
    settings = replace(Settings.from_environment(), home=home)
    stack = ExitStack()
    address = stack.enter_context(storage(settings, Places.of(settings)))
    atexit.register(stack.close)
    return address
