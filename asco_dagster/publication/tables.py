"""Writing released tables as files, always the same bytes for the same rows.

Parquet and RFC 4180 CSV (UTF-8, comma, point). What does not belong here: which rows are released, and how a
release is put together (``release``).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class ReleasedFile:
    """A file of a release: its path inside the release folder and its number of rows."""

    path: str
    rows: int


def write_released_table(table: "pa.Table", folder: Path, stem: str) -> list[ReleasedFile]:
    """Write one table as Parquet and as CSV.

    Args:
        table: the rows, in their final order.
        folder: the release folder.
        stem: name of the files without their ending, below ``tables/``.

    Returns:
        The two files written.
    """
    import pyarrow.csv
    import pyarrow.parquet

    (folder / "tables").mkdir(parents=True, exist_ok=True)
    plain = table.replace_schema_metadata(None)
    parquet, csv = f"tables/{stem}.parquet", f"tables/{stem}.csv"
    # Statistics of a column hold its extremes; suppressed cells are null, so they hold nothing of them.
    pyarrow.parquet.write_table(plain, folder / parquet, compression="zstd", version="2.6")
    options = pyarrow.csv.WriteOptions(quoting_style="needed")
    pyarrow.csv.write_csv(plain, folder / csv, write_options=options)
    return [ReleasedFile(parquet, plain.num_rows), ReleasedFile(csv, plain.num_rows)]
