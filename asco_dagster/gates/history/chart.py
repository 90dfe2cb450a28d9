"""Small lines of a number over runs, as inline SVG: one line per wave, the latest value at its end.

They show at a glance whether something moved; the numbers are in a table beside them. Written as text, since
Dagster's pages take a picture only whole and a plotting library would bring its fonts into each.
"""

import base64
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 360, 96
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 92, 22, 14
COLOURS = ("#1b6ca8", "#b3471d", "#2f7d32", "#6a3d9a")
_INK = "#1d1d1f"


def lines(
    title: str,
    series: Mapping[str, Sequence[float]],
    form: str = ",.0f",
    limits: Sequence[float] = (),
) -> str:
    """Draw a number over runs.

    Args:
        title: what the number is.
        series: values by wave, oldest first.
        form: how a value is written, in Python's format language.
        limits: numbers that are allowed at least or at most, drawn as level lines.

    Returns:
        The SVG, which says in its title what it shows, for those who cannot see it.
    """
    drawn = {wave: list(values) for wave, values in series.items() if values}
    every = [*limits, *(value for values in drawn.values() for value in values)]
    low, high = min(every, default=0.0), max(every, default=0.0)
    latest = ", ".join(f"{wave}: {values[-1]:{form}}" for wave, values in drawn.items())
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{WIDTH}" height="{HEIGHT}"'
        f' viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11" fill="{_INK}">',
        f"<title>{escape(title)}, latest {escape(latest)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/><text x="8" y="14">{escape(title)}</text>',
    ]
    parts += [_limit(limit, low, high, form) for limit in dict.fromkeys(limits)]
    for number, (wave, values) in enumerate(drawn.items()):
        parts.append(_line(values, low, high, COLOURS[number % len(COLOURS)], bool(number % 2)))
        parts.append(
            f'<text x="{WIDTH - _RIGHT + 8}" y="{_TOP + 10 + 14 * number}"'
            f' fill="{COLOURS[number % len(COLOURS)]}">{escape(wave)}: {values[-1]:{form}}</text>'
        )
    return "".join([*parts, "</svg>"])


def _limit(value: float, low: float, high: float, form: str) -> str:
    """A level line at a limit, with its number."""
    y = _height(value, low, high)
    return (
        f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{WIDTH - _RIGHT}" y2="{y:.1f}" stroke="{_INK}"'
        f' stroke-dasharray="2 3"/><text x="{WIDTH - _RIGHT}" y="{y + 9:.1f}" font-size="9"'
        f' text-anchor="end">{value:{form}}</text>'
    )


def _height(value: float, low: float, high: float) -> float:
    tall = HEIGHT - _TOP - _BOTTOM
    return _TOP + tall * (0.5 if high == low else (high - value) / (high - low))


def as_markdown(svg: str, words: str) -> str:
    """The drawing as a picture that Dagster's pages show."""
    return f"![{words}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def _line(values: Sequence[float], low: float, high: float, colour: str, dashed: bool) -> str:
    """A line through the values, each a dot too, so that a single run is seen."""
    wide = (WIDTH - _LEFT - _RIGHT) / max(1, len(values) - 1)
    points = [(_LEFT + number * wide, _height(value, low, high)) for number, value in enumerate(values)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in points)
    dashes = ' stroke-dasharray="6 3"' if dashed else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>{dots}'
