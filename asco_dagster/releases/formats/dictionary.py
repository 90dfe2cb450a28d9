"""The data dictionary: one page for people, every table, column and code in French and English.

It needs no script and no network.
"""

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

from asco_dagster.releases.content import Content
from asco_dagster.releases.contract import ReleasedFile, ReleasedTable, tables
from asco_dagster.releases.format import ContentFormat, ReleaseFolder

PATH = "dictionary.html"
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:75rem;margin:auto;padding:1rem;color:#1a1a1a}"
    "table{border-collapse:collapse;width:100%;margin:0 0 2rem}th,td{border:1px solid #8a8a8a;"
    "padding:.3rem .5rem;text-align:left;vertical-align:top}"
    "thead th{background:#dde6f2}caption{text-align:left;font-weight:600}"
    "code{font-family:ui-monospace,monospace}[lang=en]{color:#454545}"
)


def write(content: Content, folder: Path) -> list[ReleasedFile]:
    """Write the page."""
    release = content.wave.release
    body = [
        f"<h1>{escape(release.title.fr)}</h1>",
        f"<p lang=en>{escape(release.title.en)}</p>",
        "<p>Dictionnaire des données : tableaux, colonnes, codes. "
        "<span lang=en>Data dictionary: tables, columns, codes.</span></p>",
        *(_table(table) for table in content.tables.values()),
        *(_codes(dimension, codes) for dimension, codes in content.labels.items()),
    ]
    page = (
        f'<!doctype html>\n<html lang="fr"><head><meta charset="utf-8"><title>Dictionnaire – '
        f"{escape(release.title.fr)}</title><meta name=viewport content='width=device-width'>"
        f"<style>{_STYLE}</style></head><body><main>\n" + "\n".join(body) + "\n</main></body></html>\n"
    )
    (folder / PATH).write_text(page, encoding="utf-8")
    return [ReleasedFile(PATH)]


def _table(table: ReleasedTable) -> str:
    rows = "".join(
        f"<tr><th scope=row><code>{column.name}</code></th><td><code>{column.name_fr}</code></td>"
        f"<td>{table.rows.schema.field(column.name).type}</td>"
        f"<td>{'oui' if column.role == 'key' else ''}</td>"
        f"<td>{escape(column.label.fr)}</td><td lang=en>{escape(column.label.en)}</td></tr>"
        for column in table.contract.columns
    )
    label, stem = table.contract.label, table.contract.stem
    return (
        f"<h2 id='{stem}'>{escape(label.fr)}</h2><p lang=en>{escape(label.en)}</p>"
        f"<table><caption>{stem} : {table.rows.num_rows} lignes</caption><thead><tr><th scope=col>Colonne"
        "<th scope=col>Fichier français<th scope=col>Type<th scope=col>Clé<th scope=col>Contenu"
        f"<th scope=col>Content</tr></thead><tbody>{rows}</tbody></table>"
    )


def _codes(dimension: str, codes: Mapping[str, tuple[str, str]]) -> str:
    rows = "".join(
        f"<tr><th scope=row><code>{escape(code)}</code></th><td>{escape(fr)}</td>"
        f"<td lang=en>{escape(en)}</td></tr>"
        for code, (fr, en) in codes.items()
    )
    return (
        f"<h2>Codes : {dimension}</h2><table><thead><tr><th scope=col>Code<th scope=col>Libellé"
        f"<th scope=col>Label</tr></thead><tbody>{rows}</tbody></table>"
    )


def faults(file: str, release: ReleaseFolder) -> Iterator[str]:
    """Whether it describes every column of every table of the release."""
    page = (release.path / file).read_text(encoding="utf-8")
    for table in tables().values():
        if table.file.startswith("tables/") and release.holds(table.parquet):
            for name in release.rows(table).columns:
                if f"<code>{name}</code>" not in page:
                    yield f"{file} does not describe column {name} of {table.parquet}."


FORMAT = ContentFormat({PATH: None}, faults, write)
