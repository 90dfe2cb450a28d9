"""The international CSV of each table: RFC 4180, UTF-8, comma, point, CR LF."""

from collections.abc import Iterator
from pathlib import Path

from asco_dagster.releases.content import Content
from asco_dagster.releases.contract import ReleasedFile, ReleasedTable
from asco_dagster.releases.format import CSV, ContentFormat, ReleaseFolder, same_values


def write(content: Content, folder: Path) -> list[ReleasedFile]:
    """Write each table."""
    return [_write(table, folder) for table in content.tables.values()]


def _write(table: ReleasedTable, folder: Path) -> ReleasedFile:
    import pyarrow.csv

    path = f"{table.contract.file}.csv"
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    options = pyarrow.csv.WriteOptions(quoting_style="needed", eol="\r\n")
    pyarrow.csv.write_csv(table.rows, folder / path, write_options=options)
    return ReleasedFile(path, table.rows.num_rows)


def faults(file: str, release: ReleaseFolder) -> Iterator[str]:
    """Whether it has the columns, the rows and the values of the Parquet file."""
    import pandas as pd

    table = release.table_of(file)
    if table is None:
        return
    read = pd.read_csv(release.path / file, dtype=str, keep_default_na=False)
    if not same_values(read, release.rows(table)):
        yield f"{file} does not say what {table.parquet} says."


FORMAT = ContentFormat({"tables/*.csv": CSV, "quality/*.csv": None}, faults, write)
