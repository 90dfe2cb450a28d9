"""``asco purge``: deletes the raw data of a wave when their retention ends; releases and a record remain.

Deleted are the returns in the inbox, quarantine, downloads, the tables of sources and staging (by rewriting
the database: a dropped table leaves its bytes in the file), and the gate results on them. The pseudonymous
tables of the estimation remain, so that a release can still be explained.
"""

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

from asco_dagster.connectors.fetch import sha256_of
from asco_dagster.errors import ConfigurationError
from asco_dagster.operations.upkeep.records import keep_record
from asco_dagster.storage.places import Places
from asco_dagster.storage.readable import update_readable
from asco_dagster.storage.warehouse import open_database, rewrite_database
from asco_dagster.waves import Wave

PURGED_LAYERS = ("sources", "staging")
_RETURNS = ("commune_returns", "epci_returns")


def purge(wave: Wave, places: Places, today: dt.date) -> dict[str, Any]:
    """Delete the raw data of a wave.

    ``collection.raw_until`` of the wave is the last day of the retention.

    Returns:
        The record.

    Raises:
        ConfigurationError: the retention has no end or has not ended.
        AscoError: a run has the wave's database open.
    """
    until = wave.collection.raw_until
    if until is None:
        raise ConfigurationError(
            f"the retention of the raw data of wave {wave.wave} has no end",
            file=f"{wave.wave}.yaml",
            expected="collection.raw_until, a date",
            remedy="Add it to the wave file",
        )
    if today <= until:
        raise ConfigurationError(
            f"the raw data of wave {wave.wave} are kept until {until}", remedy=f"Purge it after {until}"
        )
    deliveries = _deliveries(wave, places)
    # the database first: if a run has it open, nothing is deleted
    tables = _drop_tables(places.database(wave.wave)) if places.database(wave.wave).exists() else {}
    update_readable(places, wave.wave)
    record = {
        "wave": wave.wave,
        "kept until": until.isoformat(),
        "deliveries": [{"file": path.name, "sha256": sha256_of(path)} for path in deliveries],
        "quarantined files": _count(places.quarantine(wave.wave)),
        "downloads": _count(places.downloads(wave.wave)),
        "tables": tables,
    }
    for path in deliveries:
        path.unlink()
    for folder in (places.quarantine(wave.wave), places.downloads(wave.wave)):
        shutil.rmtree(folder)
    for note in places.gates(wave.wave).glob("*.json"):
        if note.name.startswith(("raw_", "stg_")):
            note.unlink()
    keep_record(places, f"purge-{wave.wave}", record)
    return record


def _deliveries(wave: Wave, places: Places) -> list[Path]:
    named = [delivery.address for source in _RETURNS for delivery in getattr(wave.sources, source)]
    inbox = places.inbox(wave.wave)
    found: list[Path] = []
    for address in named:
        path = inbox / address
        if "://" not in address and path.exists():
            found += [part for part in sorted(path.rglob("*")) if part.is_file()] if path.is_dir() else [path]
    return found


def _count(folder: Path) -> int:
    return sum(1 for path in folder.rglob("*") if path.is_file())


def _drop_tables(database: Path) -> dict[str, int]:
    """Drop the tables of the raw layers and rewrite the file; number of rows of each dropped table."""
    import duckdb

    with open_database(database) as connection:
        rows = connection.execute(
            "select table_schema, table_name from information_schema.tables"
            " where table_catalog = current_database() and list_contains(?, table_schema) order by all",
            [list(PURGED_LAYERS)],
        ).fetchall()
        counts = {}
        for schema, table in rows:
            counts[table] = len(connection.table(f"{schema}.{table}"))
            name = duckdb.ColumnExpression(schema, table)  # DuckDB quotes the identifiers itself
            connection.execute(f"drop table {name}")
    rewrite_database(database)
    return counts
