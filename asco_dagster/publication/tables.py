"""Writing released tables as files, always the same bytes for the same rows.

Parquet with a description of each column, the international CSV (RFC 4180: UTF-8, comma, point, CR LF) and
the French one (UTF-8, semicolon, decimal comma, French names and labels). What does not belong here: which
rows are released, and how a release is put together (``releases.release``).
"""

from pathlib import Path
from typing import TYPE_CHECKING

from asco_dagster.publication.labels import Labels, label_columns
from asco_dagster.releases.contract import Description, ReleasedFile, ReleasedTable

if TYPE_CHECKING:
    import pyarrow as pa


def write_released_table(
    table: "pa.Table",
    folder: Path,
    stem: str,
    description: Description | None = None,
    place: str = "tables",
) -> list[ReleasedFile]:
    """Write one table as Parquet and as international CSV.

    Args:
        table: the rows, in their final order.
        folder: the release folder.
        stem: name of the files without their ending.
        description: what the columns hold, for the metadata of the Parquet file's fields.
        place: folder of the files inside the release.

    Returns:
        The two files written.
    """
    import pyarrow.csv
    import pyarrow.parquet

    (folder / place).mkdir(parents=True, exist_ok=True)
    plain = table.replace_schema_metadata(None)
    parquet, csv = f"{place}/{stem}.parquet", f"{place}/{stem}.csv"
    # Statistics of a column hold its extremes; suppressed cells are null, so they hold nothing of them.
    pyarrow.parquet.write_table(
        _with_descriptions(plain, description), folder / parquet, compression="zstd", version="2.6"
    )
    options = pyarrow.csv.WriteOptions(quoting_style="needed", eol="\r\n")
    pyarrow.csv.write_csv(plain, folder / csv, write_options=options)
    return [ReleasedFile(parquet, plain.num_rows), ReleasedFile(csv, plain.num_rows)]


def write_french_table(table: ReleasedTable, labels: Labels, folder: Path) -> ReleasedFile:
    """Write one table as the French CSV.

    Args:
        table: the table.
        labels: labels of codes; each coded column gets a column of labels behind it, unless the table has its
            own.
        folder: the release folder.
    """
    # Integers with nulls stay integers: as floats they would be written 12,0.
    frame = table.rows.to_pandas(integer_object_nulls=True)
    known = label_columns(frame, labels, language=0)
    columns = {
        title: known[name] if is_label else frame[name]
        for title, name, is_label in french_columns(table, labels)
    }
    path = f"tables/fr/{table.stem}.csv"
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    frame = type(frame)(columns)
    content = frame.to_csv(sep=";", float_format=_french_number, index=False, lineterminator="\r\n")
    (folder / path).write_bytes(content.encode())
    return ReleasedFile(path, len(frame))


def _french_number(value: float) -> str:
    """All its digits with a decimal comma: 0,000008 and never 8e-06, which is no number in French."""
    import numpy as np

    return np.format_float_positional(value, trim="0").replace(".", ",")


def french_columns(table: ReleasedTable, labels: Labels) -> list[tuple[str, str, bool]]:
    """Columns of a table's French CSV: name there, released column, whether it holds that column's labels."""
    own = set(table.rows.column_names)
    known = {} if "label_fr" in own else label_columns(table.rows.slice(0, 0).to_pandas(), labels, language=0)
    columns = []
    for name in table.rows.column_names:
        french = table.description.columns[name].name_fr
        columns.append((french, name, False))
        if name in known:
            columns.append((f"libelle_{french.removeprefix('code_')}", name, True))
    return columns


def _with_descriptions(table: "pa.Table", description: Description | None) -> "pa.Table":
    """The table with what each column holds in its field's metadata, in both languages."""
    import pyarrow as pa

    if description is None:
        return table
    told = description.columns
    fields = [
        field.with_metadata({"description": told[field.name].en, "description_fr": told[field.name].fr})
        for field in table.schema
    ]
    return table.cast(
        pa.schema(fields, metadata={"title": description.label.en, "title_fr": description.label.fr})
    )
