"""dbt's connection to a wave's database: refused without a wave, and attached first where it is encrypted.

dbt-duckdb loads ``Plugin`` (profiles.yml). The profile attaches the file of an encrypted database without a
key, which does nothing once it is attached: so the key reaches neither the profile nor dbt's logs. What does
not belong here: running dbt (``dbt_run.py``).
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin
from dbt_common.exceptions import DbtRuntimeError

from asco_dagster.errors import ConfigurationError
from asco_dagster.settings import Settings
from asco_dagster.storage.encryption import attach
from asco_dagster.storage.warehouse import open_database


class Plugin(BasePlugin):
    """Stands before each connection that dbt opens."""

    def initialize(self, plugin_config: Mapping[str, Any]) -> None:
        """Refuse a dbt that was not given a wave: it would write one wave's tables with no wave's values.

        Raises:
            DbtRuntimeError: there is no variable ``wave``; this error alone dbt shows without a traceback.
        """
        if not plugin_config.get("wave"):
            fault = ConfigurationError(
                "dbt was started without a wave's values, so that it opens no database",
                remedy="Run it with asco dbt WAVE -- ARGUMENTS, for example asco dbt 2014 -- build",
            )
            raise DbtRuntimeError(fault.sentence())

    def configure_connection(self, conn: Any) -> None:
        """Attach the wave's database with its key, where there is one."""
        key = Settings.from_environment().database_key
        if key is not None:
            path = Path(os.environ["WAVE_DATABASE"])
            with open_database(path):
                pass  # waits for a reader, which dbt-duckdb does of itself where nothing is encrypted
            attach(conn, path, key)
