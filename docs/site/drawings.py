"""The drawings of the architecture page, made from the code at each build: floors and lineage.

Floors come from the contract of import-linter in ``pyproject.toml``, lineage from Dagster's graph of assets.
"""

import tomllib
from collections.abc import Iterable
from html import escape
from pathlib import Path

from asco_dagster.layers import PREFIXES

CHECKOUT = Path(__file__).resolve().parents[2]
_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
    'height="{height}" role="img" aria-label="{label}" '
    'font-family="system-ui, sans-serif" font-size="13" fill="currentColor">'
)
_BOX = (
    '<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="4" fill="{fill}" fill-opacity="0.14" '
    'stroke="{fill}"/>'
)
_COLOURS = {
    "sources": "#2a7de1",
    "staging": "#0f9d76",
    "estimation": "#c77700",
    "confidentiality": "#c2378c",
    "publication": "#6b4fd8",
}
_STONE = "#6b7280"
_MOST_LINES = 20
"""An asset that reads more tables than this waits for every gate; its lines would hide the others."""


def write_drawings(folder: Path) -> None:
    """Write ``pipeline.svg``, ``floors.svg`` and ``lineage.svg``, to be included in a page."""
    _write(folder / "pipeline.svg", "fits", pipeline_svg())
    _write(folder / "floors.svg", "fits", floors_svg(read_floors()))
    _write(folder / "lineage.svg", "wide", lineage_svg(read_lineage()))


def _write(file: Path, kind: str, svg: str) -> None:
    file.write_text(f'<div class="drawing {kind}">\n{svg}</div>\n', encoding="utf-8")


def pipeline_svg() -> str:
    """The way of the data: inbox, five layers with their gates, release."""
    box, gap, y = 126, 24, 30
    stations = ["inbox", *_COLOURS, "release"]
    ends, parts = {"inbox": 62, "release": 74}, []
    x = 0
    for number, station in enumerate(stations):
        wide = ends.get(station, box)
        colour = _COLOURS.get(station, _STONE)
        parts.append(_BOX.format(x=x, y=y, w=wide, h=40, fill=colour))
        parts.append(_text(x + wide / 2, y + 25, station, anchor="middle"))
        if station in _COLOURS:
            parts.append(_text(x + wide / 2, y - 10, f"{PREFIXES[station]}_", anchor="middle", size=12))
            middle = x + wide / 2
            parts.append(f'<path d="M{middle},{y + 40} v14" stroke="currentColor"/>')
            parts.append(_text(middle, y + 68, "gate", anchor="middle", size=12))
        x += wide
        if number < len(stations) - 1:
            head = f"M{x + 3},{y + 20} h{gap - 8} m-5,-4 l5,4 l-5,4"
            parts.append(f'<path d="{head}" fill="none" stroke="currentColor"/>')
        x += gap
    return _svg(x - gap + 1, y + 74, "Inbox, five layers with a gate each, release", parts)


def read_floors(file: Path = CHECKOUT / "pyproject.toml") -> list[list[str]]:
    """The rooms of each floor, from the highest; a module may import from floors below its own only."""
    contracts = tomllib.loads(file.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one["type"] == "layers")
    return [[room.strip() for room in floor.split("|")] for floor in layers]


def floors_svg(floors: list[list[str]]) -> str:
    """One row per floor, one box a room."""
    width, row, left = 720, 44, 36
    parts = []
    for number, rooms in enumerate(floors):
        y = number * row + 4
        room_width = (width - left - 8 * (len(rooms) - 1)) / len(rooms)
        parts.append(f'<text x="0" y="{y + 21}" opacity="0.6">{len(floors) - number}</text>')
        for place, room in enumerate(rooms):
            x = left + place * (room_width + 8)
            parts.append(_BOX.format(x=x, y=y, w=room_width, h=row - 10, fill=_COLOURS.get(room, _STONE)))
            parts.append(_text(x + room_width / 2, y + 21, room, anchor="middle"))
    return _svg(width, len(floors) * row + 4, "Floors of the package, the highest first", parts)


def read_lineage() -> dict[str, tuple[str, list[str]]]:
    """Layer of each asset and the assets that it reads."""
    from asco_dagster.definitions import defs

    graph = defs.resolve_asset_graph()
    return {
        key.path[-1]: (
            str(graph.get(key).group_name),
            sorted(parent.path[-1] for parent in graph.get(key).parent_keys),
        )
        for key in sorted(graph.get_all_asset_keys())
    }


def lineage_svg(assets: dict[str, tuple[str, list[str]]]) -> str:
    """One column per layer, one box per asset, one line for each table that an asset reads.

    The release and the quality report wait for every gate; their many lines are left out.
    """
    box_width, box_height, gap, row = 214, 24, 70, 31
    places = {}
    parts = []
    for column, layer in enumerate(_COLOURS):
        names = _in_columns_order([name for name, (own, _) in assets.items() if own == layer], assets, places)
        x = column * (box_width + gap)
        parts.append(f'<text x="{x}" y="14" font-weight="600">{layer}</text>')
        places |= {name: (x, 28 + number * row) for number, name in enumerate(names)}
    lines = []
    for name, (layer, reads) in assets.items():
        x, y = places[name]
        lines += [
            _line(places[parent], (x, y), box_width, box_height, _COLOURS[assets[parent][0]])
            for parent in (reads if len(reads) < _MOST_LINES else [])
        ]
        parts.append(_BOX.format(x=x, y=y, w=box_width, h=box_height, fill=_COLOURS[layer]))
        parts.append(_text(x + 8, y + 16, name, size=12))
    width = len(_COLOURS) * (box_width + gap) - gap + 1
    height = max(y for _, y in places.values()) + row
    return _svg(width, height, "Assets by layer and the tables that each reads", [*lines, *parts])


def _in_columns_order(
    names: list[str], assets: dict[str, tuple[str, list[str]]], places: dict[str, tuple[int, int]]
) -> list[str]:
    """Names of a column, those beside what they read first, so that lines cross little."""

    def height(name: str) -> tuple[float, str]:
        heights = [places[parent][1] for parent in assets[name][1] if parent in places]
        return (sum(heights) / len(heights) if heights else 0.0), name

    return sorted(names, key=height)


def _line(start: tuple[int, int], end: tuple[int, int], width: int, height: int, colour: str) -> str:
    """A curve from the right edge of a box to the left edge of another, or to its right in one column."""
    (x1, y1), (x2, y2) = start, end
    y1, y2 = y1 + height / 2, y2 + height / 2
    if x1 == x2:
        path = f"M{x1 + width},{y1} C{x1 + width + 36},{y1} {x1 + width + 36},{y2} {x2 + width},{y2}"
    else:
        middle = (x1 + width + x2) / 2
        path = f"M{x1 + width},{y1} C{middle},{y1} {middle},{y2} {x2},{y2}"
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-opacity="0.45" stroke-width="1.2"/>'


def _text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 13) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'


def _svg(width: int, height: int, label: str, parts: Iterable[str]) -> str:
    return "\n".join([_HEAD.format(width=width, height=height, label=escape(label)), *parts, "</svg>\n"])
