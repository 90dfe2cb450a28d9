"""A unit's pseudonym: HMAC-SHA-256 of its code under the home's key, as a DuckDB function for dbt.

dbt-duckdb loads ``Plugin`` (named in ``profiles.yml``) and the models call ``pseudonym(text)``. The key
reaches no SQL, no log and no manifest: it stays in the function's closure.
"""

import hashlib
import hmac
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin

from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places

LENGTH = 24  # hexadecimal characters: 96 bits, no collision to expect among 40,000 units


def pseudonym(key: bytes, code: str) -> str:
    """The pseudonym of a unit code such as ``commune:01001`` (24 hexadecimal characters)."""
    return hmac.new(key, code.encode(), hashlib.sha256).hexdigest()[:LENGTH]


class Plugin(BasePlugin):
    """Registers ``pseudonym`` on each connection that dbt opens."""

    def configure_connection(self, conn: Any) -> None:
        """Create the function on the connection."""
        settings = Settings.from_environment()
        key = Places.of(settings).pseudonym_key(settings)
        conn.create_function("pseudonym", lambda code: pseudonym(key, code), ["VARCHAR"], "VARCHAR")
