"""What each column of each table holds, in words: for Dagster's pages and for the dictionary of the docs.

A description comes from the column's dbt model, else from the contract of the released tables, else from
``column_terms.yaml``. Which columns there are, of which type: ``recorded_columns.yaml``, recorded from a wave
that ran.
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from asco_dagster.installation import DBT_PROJECT
from asco_dagster.releases.contract import Column, tables

RECORDED, TERMS = (Path(__file__).with_name(f"{name}.yaml") for name in ("recorded_columns", "column_terms"))


class Text(NamedTuple):
    """A description, in French where there is one."""

    en: str
    fr: str = ""


class Sources(NamedTuple):
    """Where descriptions are found.

    Attributes:
        models: description by column of each dbt model or seed.
        released: the same of each asset of a released table.
        terms: description by name of a column, whatever the table.
        overrides: the same of each table where the name means something else.
    """

    models: Mapping[str, Mapping[str, str]]
    released: Mapping[str, Mapping[str, Text]]
    terms: Mapping[str, str]
    overrides: Mapping[str, Mapping[str, str]]

    def of(self, table: str, column: str) -> Text | None:
        """The description of a column; None when nothing describes it."""
        if own := self.overrides.get(table, {}).get(column):
            return Text(own)
        if own := self.models.get(table, {}).get(column):
            return Text(own, self._released(table, column).fr)
        if (released := self._released(table, column)).en:
            return released
        if own := self.terms.get(column):
            return Text(own)
        return self._agreed(column)

    def _released(self, table: str, column: str) -> Text:
        """The description in the released table of an asset, or of the profile that becomes it."""
        own = table if table.startswith("pub_") else table.replace("est_", "pub_").replace("sec_", "pub_")
        if own != table and "_profile__" not in table:
            return Text("")  # the same name holds something else before publication
        return self.released.get(own, {}).get(column, Text(""))

    def _agreed(self, column: str) -> Text | None:
        """The description that every dbt model gives a column of this name."""
        models = {text for columns in self.models.values() if (text := columns.get(column))}
        return Text(models.pop()) if len(models) == 1 else None


@functools.cache
def read_sources() -> Sources:
    """The descriptions of dbt's models, of the contract and of the terms."""
    models: dict[str, dict[str, str]] = {}
    for file in sorted(DBT_PROJECT.rglob("*.yml")):
        content = _read(file)
        for kind in ("models", "seeds"):
            for one in content.get(kind) or []:
                if isinstance(one, dict):
                    models[one["name"]] = {
                        column["name"]: column.get("description", "") for column in one.get("columns", [])
                    }
    released = {
        table.asset: {column.name: column_text(column) for column in table.columns}
        for table in tables().values()
        if table.asset
    }
    written = _read(TERMS)
    return Sources(models, released, written["columns"], written["tables"])


def column_text(column: Column) -> Text:
    """The description of a declared column."""
    return Text(column.label.en, column.label.fr)


@functools.cache
def read_columns() -> dict[str, dict[str, str]]:
    """Type of each recorded column of each table."""
    return dict(_read(RECORDED))


def undescribed() -> list[str]:
    """Columns, as ``table.column``, that nothing describes."""
    sources = read_sources()
    return [
        f"{table}.{column}"
        for table, columns in read_columns().items()
        for column in columns
        if sources.of(table, column) is None
    ]


def _read(file: Path) -> Any:
    # libyaml's parser: the definitions are loaded by each process that runs a step
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(file.read_text(encoding="utf-8"))
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()
