"""dbt's connection to an encrypted wave database: it is attached before dbt looks for it.

dbt-duckdb loads ``Plugin`` (profiles.yml, output ``encrypted``). The profile attaches the same file without a
key, which does nothing once it is attached: so the key reaches neither the profile nor dbt's logs. What does
not belong here: running dbt (``dbt_run.py``).
"""

import os
from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin

from asco_dagster.encryption import attach
from asco_dagster.settings import Settings


class Plugin(BasePlugin):
    """Attaches the wave's database with its key on each connection that dbt opens."""

    def configure_connection(self, conn: Any) -> None:
        """Attach it."""
        key = Settings.from_environment().database_key
        if key is not None:
            attach(conn, Path(os.environ["WAVE_DATABASE"]), key)
