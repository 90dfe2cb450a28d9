"""``asco purge``: the raw data of a wave go when their retention ends; its releases and a record stay.

Gone are the returns in the inbox, everything in quarantine and among the downloads, the tables of sources and
staging (by writing the database anew: a dropped table leaves its bytes in the file), and the gates' notes on
them. What the estimation made stays, pseudonymous, so that a release can still be explained. What does not
belong here: when the retention ends, which the wave's file says.
"""

import datetime as dt
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asco_dagster.connectors.fetch import sha256_of
from asco_dagster.errors import ConfigurationError
from asco_dagster.operations.records import keep_record
from asco_dagster.operations.rewriting import rewrite_database
from asco_dagster.storage.places import Places
from asco_dagster.storage.readable import keep_readable
from asco_dagster.storage.warehouse import open_database
from asco_dagster.waves import Wave

if TYPE_CHECKING:
    import duckdb

PURGED_LAYERS = ("sources", "staging")
_RETURNS = ("commune_returns", "epci_returns")


def purge(wave: Wave, places: Places, today: dt.date) -> dict[str, Any]:
    """Delete the raw data of a wave.

    Args:
        wave: the wave; its ``collection.raw_until`` is the last day on which they may be kept.
        places: the home.
        today: the day.

    Returns:
        What was deleted, as the record tells it.

    Raises:
        ConfigurationError: the retention has no end or is not over.
        AscoError: a run holds the wave's database.
    """
    until = wave.collection.raw_until
    if until is None:
        raise ConfigurationError(
            f"wave {wave.wave} says no day until which its raw data are kept",
            file=f"{wave.wave}.yaml",
            expected="collection.raw_until, a date",
            remedy="Add it to the wave's file",
        )
    if today <= until:
        raise ConfigurationError(
            f"the raw data of wave {wave.wave} are kept until {until}", remedy=f"Purge it after {until}"
        )
    deliveries = _deliveries(wave, places)
    # the database first: whoever runs the wave holds it, and then nothing is deleted at all
    tables = _forget_tables(places.database(wave.wave)) if places.database(wave.wave).exists() else {}
    keep_readable(places, wave.wave)
    told = {
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
    keep_record(places, f"purge-{wave.wave}", told)
    return told


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


def _forget_tables(database: Path) -> dict[str, int]:
    """Drop the tables of the raw layers and write the file anew; rows of each table that was dropped."""
    import duckdb

    with open_database(database) as connection:
        rows = connection.execute(
            "select table_schema, table_name from information_schema.tables"
            " where table_catalog = current_database() and list_contains(?, table_schema) order by all",
            [list(PURGED_LAYERS)],
        ).fetchall()
        counts = {}
        for schema, table in rows:
            counts[table] = _rows(connection, schema, table)
            name = duckdb.ColumnExpression(schema, table)  # DuckDB quotes the identifiers itself
            connection.execute(f"drop table {name}")
    rewrite_database(database)
    return counts


def _rows(connection: "duckdb.DuckDBPyConnection", schema: str, table: str) -> int:
    return len(connection.table(f"{schema}.{table}"))
