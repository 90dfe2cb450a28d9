"""CSV on the Web: a description beside each CSV, under the name where readers look for it.

Types, keys, labels and the dialect of the French files (W3C, Metadata Vocabulary for Tabular Data). What does
not belong here: codes' labels, which are a table of the release.
"""

from pathlib import Path
from typing import Any

from asco_dagster.publication.content import Content
from asco_dagster.publication.metadata.documents import HOMEPAGE, LICENCE_DOCUMENT, PUBLISHER, write_json
from asco_dagster.publication.tables import french_columns
from asco_dagster.releases.contract import Column, ReleasedFile, ReleasedTable
from asco_dagster.waves import Wave

CONTEXT = ["http://www.w3.org/ns/csvw", {"@language": "fr"}]
NUMBER_FR = {"base": "decimal", "format": {"decimalChar": ",", "groupChar": " "}}


def write_csvw(content: Content, folder: Path) -> list[ReleasedFile]:
    """Write ``<file>.csv-metadata.json`` beside each CSV, international and French."""
    files = []
    for table in content.tables.values():
        files.append(write_description(content.wave, table, folder, "tables"))
        french = _document(content.wave, table, _french(content, table))
        files.append(write_json(folder, f"tables/fr/{table.stem}.csv-metadata.json", french))
    return files


def write_description(wave: Wave, table: ReleasedTable, folder: Path, place: str) -> ReleasedFile:
    """Write the description of an international CSV beside it.

    Args:
        wave: the wave.
        table: the table.
        folder: the release folder.
        place: folder of the CSV inside it.
    """
    document = _document(wave, table, _international(table))
    return write_json(folder, f"{place}/{table.stem}.csv-metadata.json", document)


def _document(wave: Wave, table: ReleasedTable, described: dict[str, Any]) -> dict[str, Any]:
    label, title = table.description.label, wave.release.title
    return {
        "@context": CONTEXT,
        "url": f"{table.stem}.csv",
        "dc:title": {"fr": f"{title.fr} – {label.fr}", "en": f"{title.en} – {label.en}"},
        "dc:publisher": {"schema:name": PUBLISHER, "schema:url": {"@id": HOMEPAGE}},
        "dc:license": {"@id": LICENCE_DOCUMENT},
        **described,
    }


def _international(table: ReleasedTable) -> dict[str, Any]:
    columns = [
        _column(name, name, table.description.columns[name], _datatype(table, name, "double"))
        for name in table.rows.column_names
    ]
    return {
        "dialect": {"encoding": "utf-8", "delimiter": ",", "lineTerminators": ["\r\n"], "header": True},
        "tableSchema": {"columns": columns, **_key(list(table.description.key))},
    }


def _french(content: Content, table: ReleasedTable) -> dict[str, Any]:
    columns = []
    for title, name, is_label in french_columns(table, content.labels):
        told = table.description.columns[name]
        if is_label:
            columns.append(
                {"name": title, "titles": title, "datatype": "string", "dc:description": _label_of(told)}
            )
        else:
            columns.append(_column(title, title, told, _datatype(table, name, NUMBER_FR)))
    key = [table.description.columns[name].name_fr for name in table.description.key]
    return {
        "dialect": {"encoding": "utf-8", "delimiter": ";", "lineTerminators": ["\r\n"], "header": True},
        "tableSchema": {"columns": columns, **_key(key)},
    }


def _label_of(told: Column) -> dict[str, str]:
    return {"fr": f"Libellé : {told.fr}", "en": f"Label: {told.en}"}


def _key(key: list[str]) -> dict[str, Any]:
    return {"primaryKey": key}


def _column(name: str, title: str, told: Column, datatype: Any) -> dict[str, Any]:
    description = {"fr": told.fr, "en": told.en}
    return {"name": name, "titles": title, "datatype": datatype, "dc:description": description}


def _datatype(table: ReleasedTable, name: str, number: Any) -> Any:
    import pyarrow.types as types

    kind = table.rows.schema.field(name).type
    if types.is_floating(kind):
        return number
    return "integer" if types.is_integer(kind) else "string"
