"""Parquet: each table, with what its columns hold as metadata of its fields.

``asco verify`` reads every other format beside it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from asco_dagster.releases.content import Content
from asco_dagster.releases.contract import ReleasedFile, ReleasedTable, is_of_type
from asco_dagster.releases.format import ContentFormat, Media, ReleaseFolder

if TYPE_CHECKING:
    import pyarrow as pa


def write(content: Content, folder: Path) -> list[ReleasedFile]:
    """Write each table; statistics of a column hold its extremes, and suppressed cells are null."""
    return [_write(table, folder) for table in content.tables.values()]


def _write(table: ReleasedTable, folder: Path) -> ReleasedFile:
    import pyarrow.parquet

    path = table.contract.parquet
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(_labelled(table), folder / path, compression="zstd", version="2.6")
    return ReleasedFile(path, table.rows.num_rows)


def _labelled(table: ReleasedTable) -> "pa.Table":
    """The rows with the labels of table and columns as metadata, in both languages."""
    import pyarrow as pa

    columns, title = table.contract.columns, table.contract.label
    fields = [
        table.rows.schema.field(column.name).with_metadata(
            {"description": column.label.en, "description_fr": column.label.fr}
        )
        for column in columns
    ]
    return table.rows.cast(pa.schema(fields, metadata={"title": title.en, "title_fr": title.fr}))


def faults(file: str, release: ReleaseFolder) -> Iterator[str]:
    """Columns of another type than the declared one."""
    import pyarrow.parquet

    table = release.table_of(file)
    if table is None:
        return
    schema = pyarrow.parquet.read_schema(release.path / file)
    for column in table.columns:
        if column.name in schema.names and not is_of_type(schema.field(column.name).type, column):
            yield f"{file}: column {column.name} is {schema.field(column.name).type}, not {column.type}."


FORMAT = ContentFormat(
    {"tables/*.parquet": Media("application/vnd.apache.parquet", "PARQUET"), "quality/*.parquet": None},
    faults,
    write,
)
