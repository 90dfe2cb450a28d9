"""Diagnostics of a calibration as Dagster shows them: tables, and a plot of weights and margins.

The plot is drawn with Pillow, chosen over matplotlib (six packages, half a second a start) for four
histograms; altair, which Great Expectations brings along, draws in a browser and gives no picture here.
"""

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
MARGINS_SHOWN = 25
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 460, 240, 44, 36, 30
BARS = 40
INK, GRID, FILL, ONE = (51, 51, 51), (225, 225, 225), (64, 110, 170), (190, 60, 50)


def diagnostics_metadata(
    weights: pd.DataFrame, margins: pd.DataFrame, log: pd.DataFrame, distances: Mapping[str, float]
) -> dict[str, Any]:
    """What the page of a weighting shows.

    Args:
        weights: ``unit_type``, ``nonresponse_weight``, ``weight``, one row per respondent.
        margins: ``unit_type``, ``margin``, ``total``, ``before``, ``after``, ``gap``.
        log: ``unit_type``, ``stage``, ``action``, ``detail``.
        distances: what calibration minimised, by type of unit.

    Returns:
        Dagster metadata: ``weight ratios`` and ``margins`` as tables, ``plot`` as a picture, ``decisions`` as
        a table, ``largest margin gap`` as a number.
    """
    import dagster as dg

    ratios = {
        str(unit_type): (rows["weight"] / rows["nonresponse_weight"]).to_numpy()
        for unit_type, rows in weights.groupby("unit_type")
    }
    before = (margins["before"] / margins["total"] - 1).abs().fillna(0.0)
    worst = margins.assign(gap_before=before).sort_values("gap_before", ascending=False, kind="stable")
    shown = worst.head(MARGINS_SHOWN)[["unit_type", "margin", "total", "before", "after"]]
    panels = {f"{name}: calibrated / initial weight, respondents": rows for name, rows in ratios.items()}
    for unit_type, rows in margins[margins["total"] != 0].groupby("unit_type"):
        panels[f"{unit_type}: weighted / known total, margins before"] = (
            rows["before"] / rows["total"]
        ).to_numpy()
    picture = base64.b64encode(diagnostics_plot(panels)).decode()
    return {
        "weight ratios": _table([_ratio_record(*item, distances) for item in ratios.items()]),
        "plot": dg.MetadataValue.md(
            f"![weight ratios, and margins before calibration](data:image/png;base64,{picture})"
        ),
        "margins": _table([_plain(row) for row in shown.to_dict("records")]),
        "largest margin gap": dg.MetadataValue.float(float(margins["gap"].abs().max())),
        "largest margin gap before calibration": dg.MetadataValue.float(float(before.max())),
        "decisions": _table(
            [_plain(row) for row in log[["unit_type", "stage", "action", "detail"]].to_dict("records")]
        ),
    }


def diagnostics_plot(panels: Mapping[str, np.ndarray]) -> bytes:
    """Histograms of ratios two by two, with a line at 1 and counts on a logarithmic scale, as a PNG.

    Args:
        panels: ratios by the title of their histogram.

    Returns:
        The bytes of the PNG.
    """
    from PIL import Image, ImageDraw

    rows = -(-len(panels) // 2)
    image = Image.new("RGB", (WIDTH * min(2, len(panels)), HEIGHT * rows), "white")
    pen = ImageDraw.Draw(image)
    for number, (title, values) in enumerate(panels.items()):
        _histogram(pen, (number % 2 * WIDTH, number // 2 * HEIGHT), title, values)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _histogram(pen: Any, origin: tuple[int, int], title: str, values: np.ndarray) -> None:
    x0, y0 = origin
    # A tenth each side of 1 at least: differences that do not matter are not drawn large.
    low, high = min(0.9, float(values.min())), max(1.1, float(values.max()))
    counts, _ = np.histogram(values, bins=BARS, range=(low, high))
    floor, ceiling, left = y0 + HEIGHT - BOTTOM, y0 + TOP, x0 + LEFT
    width = (WIDTH - LEFT - 12) / BARS
    top = np.log1p(max(10, counts.max()))

    def up(count: float) -> float:
        return floor - np.log1p(count) / top * (floor - ceiling)

    pen.text((left, y0 + 6), title, fill=INK)
    for power in range(int(np.log10(max(10, counts.max()))) + 1):
        count = 10**power
        pen.line([(left, up(count)), (x0 + WIDTH - 12, up(count))], fill=GRID)
        pen.text((x0 + 6, up(count) - 5), f"{count:g}", fill=INK)
    for number, count in enumerate(counts.tolist()):
        if count:
            edge = left + number * width
            pen.rectangle([(edge + 1, up(count)), (edge + width - 1, floor)], fill=FILL)
    one = left + (1 - low) / (high - low) * width * BARS
    pen.line([(one, ceiling), (one, floor)], fill=ONE, width=2)
    pen.line([(left, floor), (x0 + WIDTH - 12, floor)], fill=INK)
    step = next(step for step in (0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 1e9) if (high - low) / step <= 9)
    for ratio in np.arange(np.ceil(low / step) * step, high + 1e-9, step):
        across = left + (ratio - low) / (high - low) * width * BARS
        pen.text((across - 8, floor + 6), f"{ratio:.3g}", fill=INK)


def _ratio_record(unit_type: str, ratios: np.ndarray, distances: Mapping[str, float]) -> dict[str, Any]:
    quantiles = np.quantile(ratios, QUANTILES)
    names = ["min", *(f"p{share * 100:g}" for share in QUANTILES[1:-1]), "max"]
    shares = {name: round(float(value), 4) for name, value in zip(names, quantiles, strict=True)}
    return {
        "unit_type": unit_type,
        "respondents": len(ratios),
        "distance": round(distances[unit_type], 4),
        **shares,
        "spread": round(float(ratios.std()), 4),
    }


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row with numbers that can be read: four decimals at most."""
    return {str(k): round(float(v), 4) if isinstance(v, float) else v for k, v in row.items()}


def _table(records: list[dict[str, Any]]) -> Any:
    import dagster as dg

    return dg.MetadataValue.table([dg.TableRecord(record) for record in records])
