"""Encryption at rest of a wave's database by DuckDB (AES-256-GCM), when ``ASCO_DATABASE_KEY`` is set.

DuckDB encrypts with the OpenSSL of its signed extension ``httpfs``, which comes from a pip package (extra
``encryption``), so that no extension server is needed; DuckDB checks its signature. DuckDB gets a SHA-256 of
the key: hexadecimal, hence safe in a statement.
"""

import functools
import hashlib
import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING

from asco_dagster.errors import ConfigurationError

if TYPE_CHECKING:
    import duckdb

_IDENTIFIER = re.compile(r"^[a-z]+$")
SPILL = "spill"
"""Folder beside a database for what does not fit into memory; DuckDB empties it when it closes."""

CATALOG = "asco"
"""Name of the attached database: the stem of its file, so that dbt's manifest serves both forms."""


def attach(
    connection: "duckdb.DuckDBPyConnection",
    path: Path,
    key: str | None,
    *,
    name: str = CATALOG,
    read_only: bool = False,
) -> None:
    """Attach a database and make it the current one; it is created if missing.

    The connection's own database is in memory; without a key the file is not encrypted.

    Raises:
        ConfigurationError: the extension is not installed, or the key is not the file's.
        duckdb.IOException: another process has it open.
    """
    import duckdb

    if not _IDENTIFIER.match(name):
        raise ValueError(f"“{name}” is not a catalogue name")
    options = ["read_only"] if read_only else []
    if key is not None:
        connection.execute(f"load {literal(str(_extension()))}")
        options.append(f"encryption_key {literal(hashlib.sha256(key.encode()).hexdigest())}")
    # what does not fit into memory is spilled beside the database, encrypted as it is
    connection.execute(f"set temp_directory = {literal(str(path.parent / SPILL))}")
    connection.execute("set temp_file_encryption = true" if key is not None else "reset temp_file_encryption")
    try:
        chosen = f" ({', '.join(options)})" if options else ""
        connection.execute(f"attach {literal(str(path))} as {name}{chosen}")
    except duckdb.IOException:
        raise
    except duckdb.Error:
        # Not chained: what DuckDB says may quote the statement, key and all.
        raise ConfigurationError(
            "the wave's database does not open with ASCO_DATABASE_KEY",
            file=path,
            expected="the key with which it was written",
            remedy="Set that key; asco rotate-key database changes it, or encrypts an unencrypted database",
        ) from None
    connection.execute(f"use {name}")


def literal(text: str) -> str:
    """A text as an SQL literal: for the few statements of DuckDB that take no parameters."""
    if "\0" in text:
        raise ValueError("an SQL literal cannot hold a zero byte")
    return "'" + text.replace("'", "''") + "'"


@functools.cache
def _extension() -> Path:
    found = importlib.util.find_spec("duckdb_extension_httpfs")
    for folder in found.submodule_search_locations or () if found else ():
        for path in sorted(Path(folder).rglob("httpfs.duckdb_extension")):
            return path
    raise ConfigurationError(
        "ASCO_DATABASE_KEY is set, but DuckDB's extension httpfs, which encrypts, is not installed",
        remedy="Install it: pip install 'asco_dagster[encryption]', or unset ASCO_DATABASE_KEY",
    )
