"""The French CSV of each table: UTF-8, semicolon, decimal comma, French names, labels behind codes."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from asco_dagster.releases.content import Content
from asco_dagster.releases.contract import LABELS, ReleasedFile, ReleasedTable, contract_of
from asco_dagster.releases.format import CSV, ContentFormat, ReleaseFolder, same_values
from asco_dagster.releases.labels import Labels, french_labels, labels_from


def write(content: Content, folder: Path) -> list[ReleasedFile]:
    """Write each table but those of the quality report."""
    return [_write(table, content.labels, folder) for table in content.of("tables")]


def path_of(table: ReleasedTable) -> str:
    """Path of the file inside the release."""
    file = PurePosixPath(table.contract.file)
    return f"{file.parent}/fr/{file.name}.csv"


def columns_of(table: ReleasedTable, labels: Labels) -> list[tuple[str, str, bool]]:
    """Columns of the file: name there, released column, whether it holds the labels of that column's codes.

    Each coded column has a column of labels behind it, unless the table has labels itself.
    """
    names = {column.name for column in table.contract.columns}
    coded = set() if "label_fr" in names else french_labels(table.rows.slice(0, 0).to_pandas(), labels).keys()
    columns = []
    for column in table.contract.columns:
        columns.append((column.name_fr, column.name, False))
        if column.name in coded:
            columns.append((_label_column(column.name_fr), column.name, True))
    return columns


def _label_column(name_fr: str) -> str:
    """Name of the column of labels behind a coded column."""
    return f"libelle_{name_fr.removeprefix('code_')}"


def _write(table: ReleasedTable, labels: Labels, folder: Path) -> ReleasedFile:
    frame = table.frame()
    known = french_labels(frame, labels)
    columns = {
        title: known[name] if is_label else frame[name] for title, name, is_label in columns_of(table, labels)
    }
    path = path_of(table)
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    text = type(frame)(columns).to_csv(sep=";", float_format=_number, index=False, lineterminator="\r\n")
    (folder / path).write_bytes(text.encode())
    return ReleasedFile(path, len(frame))


def _number(value: Any) -> str:
    """All its digits with a decimal comma: 0,000008 and never 8e-06, which is no number in French."""
    import numpy as np

    return np.format_float_positional(value, trim="0").replace(".", ",")


def faults(file: str, release: ReleaseFolder) -> Iterator[str]:
    """Whether it has the rows and the values of the Parquet file, and the labels of the released codes."""
    import pandas as pd

    table = release.table_of(file)
    if table is None:
        return
    read = pd.read_csv(release.path / file, sep=";", dtype=str, keep_default_na=False)
    rows = release.rows(table)
    columns = [column for column in table.columns if column.name in rows.columns]
    texts = pd.DataFrame(
        {
            column.name: read[column.name_fr].str.replace(",", ".")
            if column.kind != "text"
            else read[column.name_fr]
            for column in columns
        }
    )
    if not same_values(texts, rows[[column.name for column in columns]]):
        yield f"{file} does not say what {table.parquet} says."
        return
    labels = contract_of(LABELS)
    if not release.holds(labels.parquet):
        return
    for name, known in french_labels(rows, labels_from(release.rows(labels))).items():
        title = _label_column(table.column(name).name_fr)
        if title in read and (read[title] != known.fillna("")).any():
            yield f"{file}: {title} does not say what {labels.parquet} says."


FORMAT = ContentFormat({"tables/fr/*.csv": CSV}, faults, write)
