"""All that the stores of a home hold, as bytes to search: databases value by value, snapshots unpacked.

DuckDB and PostgreSQL compress what they store, so that a search of their files alone would find nothing.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psycopg2
from psycopg2 import sql

from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.postgres.address import storage

Said = Iterator[tuple[str, bytes]]


def stored_in_duckdb(path: Path) -> Said:
    """Every column of every table of a DuckDB file, by its name."""
    with duckdb.connect(str(path), read_only=True) as database:
        columns = database.execute(
            "select table_schema, table_name, column_name from information_schema.columns order by all"
        ).fetchall()
        for schema, table, column in columns:
            values = database.execute(
                f'select distinct "{column}"::varchar from "{schema}"."{table}" where "{column}" is not null'
            ).fetchall()
            yield f"{table}.{column}", "\n".join(value for (value,) in values).encode()


def stored_in_postgres(home: Path) -> Said:
    """Every column of every table of Dagster's storage, by its name; compressed snapshots unpacked."""
    settings = Settings(home=home)
    with storage(settings, Places.of(settings)) as url:
        connection = psycopg2.connect(url.replace("+psycopg2", "", 1))
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "select table_name, column_name, data_type from information_schema.columns "
                    "where table_schema = 'public' order by 1, 2"
                )
                for table, column, kind in cursor.fetchall():
                    form = "{}" if kind == "bytea" else "{}::text"
                    cursor.execute(
                        sql.SQL(f"select {form} from {{}} where {{}} is not null").format(
                            sql.Identifier(column), sql.Identifier(table), sql.Identifier(column)
                        )
                    )
                    yield f"{table}.{column}", b"\n".join(_plain(value) for (value,) in cursor)
        finally:
            connection.close()


def _plain(value: str | memoryview) -> bytes:
    if isinstance(value, str):
        return value.encode()
    try:
        return zlib.decompress(value)
    except zlib.error:
        return bytes(value)
