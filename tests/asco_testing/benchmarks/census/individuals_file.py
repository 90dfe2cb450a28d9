"""A file of the shape of INSEE's census individuals, twenty million invented rows, written by DuckDB.

It has the columns that are read and some of those that are not, as text and with weights of many decimals, in
the order of départements as the true one. What does not belong here: reading it.
"""

import sys
from pathlib import Path

import duckdb

MAKE = """
copy (
    select
        areas.code as DEPT,
        areas.code || '01' as CANTVILLE,
        cast(i // 2 as varchar) as NUMMI,
        lpad(cast(hash(i, 1) % 101 as varchar), 3, '0') as AGED,
        lpad(cast(hash(i, 1) % 101 // 5 * 5 as varchar), 3, '0') as AGEREVQ,
        cast(1 + hash(i, 2) % 2 as varchar) as SEXE,
        ['11', '12', '21', '22', '23', '31', '32', '40'][1 + cast(hash(i, 3) % 8 as bigint)] as MOCO,
        cast(1 + hash(i, 4) % 6 as varchar) as NPERR,
        cast(1 + hash(i, 5) % 8 as varchar) as CS1,
        1 + (hash(i, 6) % 1000000000000) / 250000000000.0 as IPONDI
    from range({rows}) as numbers (i)
    inner join areas on areas.number = i * {areas} // {rows}
) to '{target}' (format parquet, compression zstd, row_group_size 200000)
"""


def write(target: Path, rows: int) -> None:
    """Write the file."""
    codes = [f"{n:02d}" for n in range(1, 96) if n != 20] + ["2A", "2B", "971", "972", "973", "974"]
    with duckdb.connect(config={"preserve_insertion_order": "false"}) as connection:
        connection.execute("create table areas (number bigint, code varchar)")
        connection.executemany("insert into areas values (?, ?)", list(enumerate(codes)))
        connection.execute(MAKE.format(rows=rows, areas=len(codes), target=target))


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
