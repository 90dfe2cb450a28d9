"""The curve of the collection: share of the sample that has answered, day by day.

Written as SVG by hand, since two lines and a few labels need no plotting library.
"""

import base64
from xml.sax.saxutils import escape

import pandas as pd

WIDTH, HEIGHT = 760, 320
LEFT, RIGHT, TOP, BOTTOM = 52, 120, 36, 40
COLOURS = {"commune": "#1b6ca8", "epci": "#c2571a"}
NAMES = {"commune": "communes", "epci": "EPCI"}
_FONT = 'font-family="sans-serif" font-size="12" fill="#333"'


def draw(report: pd.DataFrame, title: str) -> str:
    """Draw the share of units that have answered by each day.

    Args:
        report: ``est_asco__collection``.
        title: the text above the curve.

    Returns:
        The SVG.
    """
    days = report[report["breakdown"] == "day"].copy()
    days["day"] = pd.to_datetime(days["category"], format="%Y-%m-%d", errors="coerce")
    days = days.dropna(subset=["day"])
    first, last = days["day"].min(), days["day"].max()
    span = max(1, (last - first).days)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}"'
        f' viewBox="0 0 {WIDTH} {HEIGHT}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="22" {_FONT} font-weight="bold">{escape(title)}</text>',
        *_grid(first, span),
    ]
    for unit_type, curve in days.groupby("unit_type", sort=True):
        points = [
            (_x((day - first).days, span), _y(rate))
            for day, rate in zip(curve["day"], curve["response_rate"], strict=True)
        ]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        colour = COLOURS[str(unit_type)]
        x, y = points[-1]
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        label = f"{NAMES[str(unit_type)]} {curve['response_rate'].iloc[-1]:.0%}"
        parts.append(f'<text x="{x + 6:.1f}" y="{y + 4:.1f}" {_FONT}>{label}</text>')
    return "".join([*parts, "</svg>"])


def as_markdown(svg: str) -> str:
    """The drawing as an inline picture that Dagster's pages show."""
    return f"![Response by day](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def _x(days: int, span: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * days / span


def _y(rate: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * rate


def _grid(first: pd.Timestamp, span: int) -> list[str]:
    """Lines every 20 % with their labels, and the first of each month."""
    parts = []
    for percent in range(0, 101, 20):
        y = _y(percent / 100)
        parts.append(
            f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>'
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" {_FONT}>{percent} %</text>'
        )
    for day in pd.date_range(first, first + pd.Timedelta(days=span), freq="MS"):
        x = _x((day - first).days, span)
        parts.append(
            f'<path d="M{x:.1f} {HEIGHT - BOTTOM}v5" stroke="#333"/>'
            f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle" {_FONT}>{day:%m/%Y}</text>'
        )
    return parts
