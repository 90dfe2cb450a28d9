"""The dictionary of tables and columns, made at each build from what the code says of them.

What a column holds: ``asco_dagster/orchestration/column_texts.py``.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from asco_dagster.orchestration.column_texts import Sources, Text, column_text, read_columns, read_sources

LAYERS = {
    "sources": "What was delivered, nothing repaired; each row says from which file, sheet and row it comes.",
    "staging": "Types, repaired codes, edit rules, the territory; units are pseudonyms from here on.",
    "estimation": "Sample, weights, indicators, estimates with errors, the profile of the départements.",
    "confidentiality": "Cells with their status, the log of the suppression, the attack on the result.",
    "publication": "What is written into the release, and the record of the release.",
}


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
            yield f"| {' | '.join(facts)} | {_cell(column_text(column))} |"
        yield ""


def _cell(text: Text) -> str:
    whole = f"{text.en}<br><em lang='fr'>{text.fr}</em>" if text.fr else text.en
    return " ".join(whole.split()).replace("|", "\\|")
