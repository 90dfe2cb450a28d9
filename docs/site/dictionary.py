"""The dictionary of tables and columns, made at each build from what the code says of them.

A column's description comes from its dbt model, else from the contract of the released tables, else from
``docs/dictionary/terms.yaml``. Which columns there are, of which type: ``docs/dictionary/tables.yaml``.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
RECORDED = CHECKOUT / "docs" / "dictionary" / "tables.yaml"
TERMS = CHECKOUT / "docs" / "dictionary" / "terms.yaml"
LAYERS = {
    "sources": "What was delivered, nothing repaired; each row says from which file, sheet and row it comes.",
    "staging": "Types, repaired codes, edit rules, the territory; units are pseudonyms from here on.",
    "estimation": "Sample, weights, indicators, estimates with errors, the profile of the départements.",
    "confidentiality": "Cells with their status, the log of the suppression, the attack on the result.",
    "publication": "What is written into the release, and the record of the release.",
}


class Text(NamedTuple):
    """A description, in French where there is one."""

    en: str
    fr: str = ""


class Sources(NamedTuple):
    """Where descriptions are found."""

    models: Mapping[str, Mapping[str, str]]  # dbt model or seed: column: description
    released: Mapping[str, Mapping[str, Text]]  # asset of a released table: column: description
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


def read_sources() -> Sources:
    """The descriptions of dbt's models, of the contract and of the terms."""
    from asco_dagster.releases.contract import tables

    models: dict[str, dict[str, str]] = {}
    for file in sorted((CHECKOUT / "dbt_project").rglob("*.yml")):
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        for kind in ("models", "seeds"):
            for one in content.get(kind) or []:
                if isinstance(one, dict):
                    models[one["name"]] = {
                        column["name"]: column.get("description", "") for column in one.get("columns", [])
                    }
    released = {
        table.asset: {column.name: _text(column) for column in table.columns}
        for table in tables().values()
        if table.asset
    }
    written = yaml.safe_load(TERMS.read_text(encoding="utf-8"))
    return Sources(models, released, written["columns"], written["tables"])


def read_columns() -> dict[str, dict[str, str]]:
    """Type of each recorded column of each table."""
    return yaml.safe_load(RECORDED.read_text(encoding="utf-8"))


def undescribed() -> list[str]:
    """Columns, as ``table.column``, that nothing describes."""
    sources = read_sources()
    return [
        f"{table}.{column}"
        for table, columns in read_columns().items()
        for column in columns
        if sources.of(table, column) is None
    ]


def write_dictionary(folder: Path) -> None:
    """Write one page per layer, and one of the released tables."""
    from asco_dagster.definitions import defs
    from asco_dagster.layers import layer_of

    graph = defs.resolve_asset_graph()
    about = {key.path[-1]: graph.get(key).description or "" for key in graph.get_all_asset_keys()}
    sources, columns = read_sources(), read_columns()
    for layer, purpose in LAYERS.items():
        tables = [name for name in sorted(about) if layer_of(name) == layer]
        lines = [f"# {layer.capitalize()}", "", purpose, ""]
        for table in tables:
            lines += _table_lines(table, about[table], columns.get(table, {}), sources)
        (folder / f"{layer}.md").write_text("\n".join(lines), encoding="utf-8")
    (folder / "released.md").write_text("\n".join(_released_lines()), encoding="utf-8")


def _table_lines(table: str, about: str, columns: Mapping[str, str], sources: Sources) -> Iterator[str]:
    yield from (f"## {table}", "", " ".join(about.split()), "")
    if columns:
        yield from ("| column | type | holds |", "|---|---|---|")
        for column, kind in columns.items():
            text = sources.of(table, column) or Text("")
            yield f"| `{column}` | {kind} | {_cell(text)} |"
        yield ""


def _released_lines() -> Iterator[str]:
    from asco_dagster.releases.contract import tables

    yield from ("# Released tables", "", "Files of `tables/` and `quality/` in a release.", "")
    for name, table in tables().items():
        yield from (f"## {name}", "", f"{table.label.en}. *{table.label.fr}.*", "")
        yield from (f"Files: `{table.file}`. Key: {', '.join(f'`{key}`' for key in table.named('key'))}.", "")
        yield from ("| column | in the French file | role | unit | holds |", "|---|---|---|---|---|")
        for column in table.columns:
            facts = (f"`{column.name}`", f"`{column.name_fr}`", column.role, column.unit or "")
            yield f"| {' | '.join(facts)} | {_cell(_text(column))} |"
        yield ""


def _text(column: Any) -> Text:
    """The description of a declared column."""
    return Text(column.label.en, column.label.fr)


def _cell(text: Text) -> str:
    whole = f"{text.en}<br><em lang='fr'>{text.fr}</em>" if text.fr else text.en
    return " ".join(whole.split()).replace("|", "\\|")
