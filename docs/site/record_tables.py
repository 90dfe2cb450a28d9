"""Record the columns of every table of a wave that ran: ``python docs/site/record_tables.py HOME WAVE``.

The columns of a table that a Python step writes are known once it has run. A build of the pages runs no wave,
so it reads them from ``recorded_columns.yaml`` of the package, which this program writes.
"""

import sys

import duckdb
import yaml

from asco_dagster.orchestration.column_texts import RECORDED

_HEAD = "# Recorded by docs/site/record_tables.py from a wave that ran; do not edit. Table: column: type.\n"
_COLUMNS = """
select table_name, column_name, lower(data_type)
from information_schema.columns
where table_schema in ('sources', 'staging', 'estimation', 'confidentiality', 'publication')
order by table_name, ordinal_position
"""


def columns_of_wave(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """Type of each column of each table of a wave's database, in their order."""
    tables: dict[str, dict[str, str]] = {}
    for table, column, kind in connection.sql(_COLUMNS).fetchall():
        tables.setdefault(table, {})[column] = kind
    return tables


def main(home: str, wave: str) -> None:
    """Write the record from the readable copy of a wave."""
    with duckdb.connect(f"{home}/readable/{wave}/asco.duckdb", read_only=True) as connection:
        tables = columns_of_wave(connection)
    text = yaml.safe_dump(tables, sort_keys=False, allow_unicode=True)
    RECORDED.write_text(_HEAD + text, encoding="utf-8")
    print(f"{sum(map(len, tables.values()))} columns of {len(tables)} tables, written to {RECORDED}")


if __name__ == "__main__":
    main(*sys.argv[1:])
