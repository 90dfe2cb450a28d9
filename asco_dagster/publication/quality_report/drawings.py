"""Charts and maps of the quality report, as inline SVG: the same bytes for the same numbers.

They are written as text, since a plotting library would add fonts, identifiers and clocks to a page that must
not change. Colours alone say nothing: each drawing is beside a table with its numbers.
"""

from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

from asco_dagster.releases.shapes import departements

BLUES = ("#eff3ff", "#bdd7e7", "#6baed6", "#3182bd", "#08519c")
INK, GRID, UNKNOWN = "#1d1d1f", "#c9ccd1", "#ffffff"
COLOURS = {"commune": "#1b6ca8", "epci": "#b3471d"}
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 720, 300, 56, 20, 16, 40


def class_of(value: float | None, limits: Sequence[float]) -> int | None:
    """Number of the class of a value: how many limits it reaches; None without a value."""
    return None if value is None else sum(value >= limit for limit in limits)


def departement_map(values: Mapping[str, float], limits: Sequence[float], identifier: str) -> Markup:
    """A map in five classes; a département without a value is white and hatched.

    Args:
        values: by département code.
        limits: four lower limits of the second to the fifth class.
        identifier: of the element that names the map.
    """
    drawn = [
        f'<path d="{place["path"]}" fill="{_fill(values.get(code), limits, identifier)}">'
        f"<title>{escape(place['name'])} ({code})</title></path>"
        for code, place in sorted(departements()["departements"].items())
    ]
    hatch = (
        f'<defs><pattern id="{identifier}-none" width="14" height="14" patternUnits="userSpaceOnUse">'
        f'<rect width="14" height="14" fill="{UNKNOWN}"/>'
        f'<path d="M0 14L14 0" stroke="{INK}" stroke-width="1.5"/></pattern></defs>'
    )
    box = departements()["viewBox"]
    return Markup(  # noqa: S704 (made of numbers and of a file of this package)
        f'<svg class="map" role="img" aria-labelledby="{identifier}" viewBox="{box}">{hatch}'
        f'<g stroke="{INK}" stroke-width="1">{"".join(drawn)}</g></svg>'
    )


def _fill(value: float | None, limits: Sequence[float], identifier: str) -> str:
    number = class_of(value, limits)
    return f"url(#{identifier}-none)" if number is None else BLUES[number]


def swatch(number: int | None) -> Markup:
    """The colour of a class, for a legend."""
    fill = UNKNOWN if number is None else BLUES[number]
    line = "" if number is not None else f'<path d="M0 14L14 0" stroke="{INK}" stroke-width="1.5"/>'
    return Markup(  # noqa: S704 (constants)
        '<svg class="swatch" aria-hidden="true" viewBox="0 0 14 14">'
        f'<rect width="14" height="14" fill="{fill}" stroke="{INK}"/>{line}</svg>'
    )


def curves(series: Mapping[str, Sequence[tuple[str, float]]], identifier: str) -> Markup:
    """Shares (0 to 1) by day, one line per type of unit.

    Args:
        series: by type of unit, day (ISO) and share, in the order of days.
        identifier: of the element that names the chart.
    """
    days = sorted({day for points in series.values() for day, _ in points})
    place = {day: number for number, day in enumerate(days)}
    wide = (_WIDTH - _LEFT - _RIGHT) / max(1, len(days) - 1)
    parts = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = _y(share)
        parts.append(
            f'<path d="M{_LEFT} {y:g}H{_WIDTH - _RIGHT}" stroke="{GRID}"/>'
            f'<text x="{_LEFT - 8}" y="{y + 4:g}" text-anchor="end">{share:.0%}</text>'
        )
    for day in [day for day in days if day.endswith("-01")]:
        x = _LEFT + place[day] * wide
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - 18}" text-anchor="middle">{day[:7]}</text>')
    for number, (unit_type, points) in enumerate(sorted(series.items())):
        path = " ".join(f"{_LEFT + place[day] * wide:.1f},{_y(share):.1f}" for day, share in points)
        dashes = ' stroke-dasharray="8 4"' if number else ""
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{COLOURS[unit_type]}"'
            f' stroke-width="2.5"{dashes}/>'
        )
    return _chart("".join(parts), _HEIGHT, identifier)


def stacked(rows: Sequence[tuple[str, Sequence[float]]], colours: Sequence[str], identifier: str) -> Markup:
    """Horizontal bars of parts that make a whole.

    Args:
        rows: label and its parts.
        colours: one a part.
        identifier: of the element that names the chart.
    """
    parts, left = [], 180
    room = _WIDTH - left - 20
    for number, (label, values) in enumerate(rows):
        y, x, whole = 8 + number * 30, float(left), sum(values)
        parts.append(f'<text x="{left - 8}" y="{y + 15}" text-anchor="end">{escape(label)}</text>')
        for value, colour in zip(values, colours, strict=True):
            wide = room * value / whole if whole else 0
            parts.append(
                f'<rect x="{x:.1f}" y="{y}" width="{wide:.1f}" height="22" fill="{colour}" stroke="{INK}"/>'
            )
            x += wide
    return _chart("".join(parts), 16 + len(rows) * 30, identifier)


def dots(rows: Sequence[tuple[str, Sequence[float | None]]], identifier: str) -> Markup:
    """Shares (0 to 1) of several versions on one line each; the last version is filled.

    Args:
        rows: label and its shares, oldest version first; None where a version has none.
        identifier: of the element that names the chart.
    """
    parts, left = [], 340
    room = _WIDTH - left - _RIGHT
    for number, (label, values) in enumerate(rows):
        y = 16 + number * 26
        short = label if len(label) <= 56 else f"{label[:55]}…"
        parts.append(f'<text x="{left - 10}" y="{y + 4}" text-anchor="end">{escape(short)}</text>')
        parts.append(f'<path d="M{left} {y}H{_WIDTH - _RIGHT}" stroke="{GRID}"/>')
        for place, value in enumerate(values):
            if value is not None:
                fill = COLOURS["commune"] if place == len(values) - 1 else UNKNOWN
                parts.append(
                    f'<circle cx="{left + room * value:.1f}" cy="{y}" r="5" fill="{fill}" stroke="{INK}"/>'
                )
    return _chart("".join(parts), 16 + max(1, len(rows)) * 26, identifier)


def _y(share: float) -> float:
    return _TOP + (1 - share) * (_HEIGHT - _TOP - _BOTTOM)


def _chart(inside: str, height: int, identifier: str) -> Markup:
    return Markup(  # noqa: S704 (labels were escaped by those who drew them)
        f'<svg class="chart" role="img" aria-labelledby="{identifier}" viewBox="0 0 {_WIDTH} {height}"'
        f' font-size="11" fill="{INK}">{inside}</svg>'
    )
