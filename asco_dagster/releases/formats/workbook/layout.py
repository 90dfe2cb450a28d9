"""The thematic tables of the workbook: which cells are in which row and column, and under which title."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from asco_dagster.releases.content import Content, Theme, themes
from asco_dagster.releases.contract import CELLS

# One cell: the released number (None when there is none), its status, its quality flag.
Value = tuple[float | None, str, str | None]

UNITS = {
    "share": ("En % des collectivités", "% of bodies"),
    "population_share": ("En % de la population", "% of the population"),
    "total": ("Total estimé", "Estimated total"),
}
SHARES = ("share", "population_share")
NOTHING: Value = (None, "", None)


@dataclass(frozen=True)
class Thematic:
    """One table of the workbook.

    Attributes:
        name: name of its sheet.
        title: French and English title.
        unit: French and English unit; empty when each row has another.
        columns: headings of its columns of numbers.
        rows: heading (French), heading (English) and values of each row; a row without values is a heading.
        unit_type: whom it is about.
    """

    name: str
    title: tuple[str, str]
    unit: tuple[str, str]
    columns: list[str]
    rows: list[tuple[str, list[Value]]]
    unit_type: str


def thematic_tables(content: Content) -> list[Thematic]:
    """Every thematic table of a release, in order: by size, then by area, theme after theme."""
    keys = ["unit_type", "indicator", "statistic", "geography", "area_code", "size_class"]
    cells = content.frame(CELLS, [*keys, "estimate", "status", "quality_flag"])
    numbers = cells["estimate"].astype(object).where(cells["estimate"].notna(), None)
    flags = cells["quality_flag"].astype(object).where(cells["quality_flag"].notna(), None)
    values = zip(numbers, cells["status"], flags, strict=True)
    found = dict(zip(cells[keys].itertuples(index=False, name=None), values, strict=True))
    drawn = [table for theme in themes(content.wave) for table in _of_theme(content, theme, cells, found)]
    return [_numbered(table, number) for number, table in enumerate(drawn, 1)]


def _of_theme(
    content: Content, theme: Theme, cells: pd.DataFrame, found: Mapping[tuple, Value]
) -> Iterator[Thematic]:
    asked = cells[(cells["unit_type"] == theme.unit_type) & cells["indicator"].isin(theme.indicators)]
    statistics = [name for name in UNITS if (asked["statistic"] == name).any()]
    if statistics:
        yield _by_size(content, theme, asked, statistics, found)
    below_france = set(asked.loc[asked["geography"] != "france", "statistic"])
    for statistic in (name for name in statistics if name in below_france):
        yield _by_area(content, theme, asked, statistic, found)


def _by_size(
    content: Content, theme: Theme, asked: pd.DataFrame, statistics: list[str], found: Mapping[tuple, Value]
) -> Thematic:
    sizes = sorted(
        set(asked.loc[asked["geography"] == "france", "size_class"]), key=lambda s: (s != "total", s)
    )
    rows: list[tuple[str, list[Value]]] = []
    for statistic in statistics:
        rows.append((UNITS[statistic][0], []))
        for indicator in _having(asked, theme, statistic):
            key = (theme.unit_type, indicator, statistic, "france", "FR")
            rows.append((_label(content, theme, indicator), [found.get((*key, s), NOTHING) for s in sizes]))
    title = (f"{_who(content, theme, 0)} – {theme.label.fr}, selon la taille",
             f"{_who(content, theme, 1)} – {theme.label.en}, by size")  # fmt: skip
    return Thematic(
        "", title, ("", ""), [content.label("size_class", s) for s in sizes], rows, theme.unit_type
    )


def _by_area(
    content: Content, theme: Theme, asked: pd.DataFrame, statistic: str, found: Mapping[tuple, Value]
) -> Thematic:
    indicators = _having(asked, theme, statistic)
    rows: list[tuple[str, list[Value]]] = []
    for geography, heading in (("france", "France"), ("region", "Régions"), ("departement", "Départements")):
        areas = sorted(set(asked.loc[asked["geography"] == geography, "area_code"]))
        if geography != "france":
            rows.append((heading, []))
        for area in areas:
            key = (theme.unit_type, statistic, geography, area)
            values = [found.get((key[0], code, *key[1:], "total"), NOTHING) for code in indicators]
            name = content.label("area_code", f"{geography}:{area}")
            rows.append((name if geography == "france" else f"{area} – {name}", values))
    fr, en = UNITS[statistic]
    title = (f"{_who(content, theme, 0)} – {theme.label.fr}, selon le territoire",
             f"{_who(content, theme, 1)} – {theme.label.en}, by area")  # fmt: skip
    headings = [_label(content, theme, code) for code in indicators]
    return Thematic("", title, (fr, en), headings, rows, theme.unit_type)


def _having(asked: pd.DataFrame, theme: Theme, statistic: str) -> list[str]:
    present = set(asked.loc[asked["statistic"] == statistic, "indicator"])
    return [code for code in theme.indicators if code in present]


def _label(content: Content, theme: Theme, indicator: str) -> str:
    return content.label("indicator", f"{theme.unit_type}:{indicator}")


def _who(content: Content, theme: Theme, language: int) -> str:
    return content.label("unit_type", theme.unit_type, language)


def _numbered(table: Thematic, number: int) -> Thematic:
    return Thematic(f"T{number}", table.title, table.unit, table.columns, table.rows, table.unit_type)
