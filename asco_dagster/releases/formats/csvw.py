"""CSV on the Web: a description beside each CSV, under the name where readers look for it.

Types, keys, labels and the dialect of the French files (W3C, Metadata Vocabulary for Tabular Data). Labels of
codes are a table of the release.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asco_dagster.releases.content import Content
from asco_dagster.releases.contract import Column, ReleasedFile, ReleasedTable
from asco_dagster.releases.documents import HOMEPAGE, LICENCE_DOCUMENT, PUBLISHER, write_json
from asco_dagster.releases.format import ContentFormat, ReleaseFolder
from asco_dagster.releases.formats import csv_french
from asco_dagster.waves import Wave

CONTEXT = ["http://www.w3.org/ns/csvw", {"@language": "fr"}]
NUMBER_FR = {"base": "decimal", "format": {"decimalChar": ",", "groupChar": " "}}
ENDING = "-metadata.json"


def write(content: Content, folder: Path) -> list[ReleasedFile]:
    """Write ``<file>.csv-metadata.json`` beside each CSV, international and French."""
    files = []
    for table in content.tables.values():
        document = _document(content.wave, table, _international(table))
        files.append(write_json(folder, f"{table.contract.file}.csv{ENDING}", document))
    for table in content.of("tables"):
        document = _document(content.wave, table, _french(content, table))
        files.append(write_json(folder, f"{csv_french.path_of(table)}{ENDING}", document))
    return files


def _document(wave: Wave, table: ReleasedTable, described: dict[str, Any]) -> dict[str, Any]:
    label, title = table.contract.label, wave.release.title
    return {
        "@context": CONTEXT,
        "url": f"{table.contract.stem}.csv",
        "dc:title": {"fr": f"{title.fr} – {label.fr}", "en": f"{title.en} – {label.en}"},
        "dc:publisher": {"schema:name": PUBLISHER, "schema:url": {"@id": HOMEPAGE}},
        "dc:license": {"@id": LICENCE_DOCUMENT},
        **described,
    }


def _international(table: ReleasedTable) -> dict[str, Any]:
    columns = [_column(column, column.name, "double") for column in table.contract.columns]
    return {
        "dialect": {"encoding": "utf-8", "delimiter": ",", "lineTerminators": ["\r\n"], "header": True},
        "tableSchema": {"columns": columns, "primaryKey": table.contract.named("key")},
    }


def _french(content: Content, table: ReleasedTable) -> dict[str, Any]:
    columns = []
    for title, name, is_label in csv_french.columns_of(table, content.labels):
        column = table.contract.column(name)
        if is_label:
            label = {"fr": f"Libellé : {column.label.fr}", "en": f"Label: {column.label.en}"}
            columns.append({"name": title, "titles": title, "datatype": "string", "dc:description": label})
        else:
            columns.append(_column(column, title, NUMBER_FR))
    key = [column.name_fr for column in table.contract.columns if column.role == "key"]
    return {
        "dialect": {"encoding": "utf-8", "delimiter": ";", "lineTerminators": ["\r\n"], "header": True},
        "tableSchema": {"columns": columns, "primaryKey": key},
    }


def _column(column: Column, title: str, number: Any) -> dict[str, Any]:
    datatype = {"number": number, "integer": "integer", "text": "string"}[column.kind]
    label = {"fr": column.label.fr, "en": column.label.en}
    return {"name": title, "titles": title, "datatype": datatype, "dc:description": label}


def faults(file: str, release: ReleaseFolder) -> Iterator[str]:
    """Whether it describes the columns of the CSV beside it, in their order."""
    document = json.loads((release.path / file).read_text(encoding="utf-8"))
    beside = file.removesuffix(ENDING)
    dialect, described = document["dialect"], document["tableSchema"]["columns"]
    with (release.path / beside).open(encoding=dialect["encoding"]) as lines:
        header = lines.readline().rstrip("\n").split(dialect["delimiter"])
    if [column["titles"] for column in described] != [title.strip('"') for title in header]:
        yield f"{file} does not describe the columns of {beside}."


FORMAT = ContentFormat(
    {f"{folder}/*.csv{ENDING}": None for folder in ("tables", "tables/fr", "quality")}, faults, write
)
