"""Diagnostics of a calibration as Dagster shows them: tables, and a plot of the weight ratios.

Belongs here: how far the weights went, which margins were off before, what was decided, in the page of the
asset. Does not belong here: the numbers of the margins themselves, which are the table ``est_asco__margins``.

The plot is drawn with Pillow, chosen over matplotlib (six packages, half a second a start) for two
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
    """What is told of a weighting.

    Args:
        weights: ``unit_type``, ``nonresponse_weight``, ``weight``, one row a respondent.
        margins: ``unit_type``, ``margin``, ``total``, ``before``, ``after``, ``gap``.
        log: ``unit_type``, ``stage``, ``action``, ``detail``.
        distances: what calibration minimised, by type of unit.

    Returns:
        Dagster metadata: ``weight ratios`` and ``margins`` as tables, ``plot`` as a picture, ``decisions`` as
        a table, ``largest margin gap`` as a number.
    """
    import dagster as dg

    ratios = {
        str(unit_type): (own["weight"] / own["nonresponse_weight"]).to_numpy()
        for unit_type, own in weights.groupby("unit_type")
    }
    before = (margins["before"] / margins["total"] - 1).abs().fillna(0.0)
    worst = margins.assign(gap_before=before).sort_values("gap_before", ascending=False, kind="stable")
    shown = worst.head(MARGINS_SHOWN)[["unit_type", "margin", "total", "before", "after"]]
    picture = base64.b64encode(ratio_plot(ratios)).decode()
    return {
        "weight ratios": _table([_ratio_record(*item, distances) for item in ratios.items()]),
        "plot": dg.MetadataValue.md(f"![weight ratios](data:image/png;base64,{picture})"),
        "margins": _table([_plain(row) for row in shown.to_dict("records")]),
        "largest margin gap": dg.MetadataValue.float(float(margins["gap"].abs().max())),
        "largest margin gap before calibration": dg.MetadataValue.float(float(before.max())),
        "decisions": _table(
            [_plain(row) for row in log[["unit_type", "stage", "action", "detail"]].to_dict("records")]
        ),
    }


def ratio_plot(ratios: Mapping[str, np.ndarray]) -> bytes:
    """Histograms of weight ratios side by side, with a line at 1, as a PNG.

    Args:
        ratios: calibrated over initial weight of each respondent, by type of unit.

    Returns:
        The bytes of the PNG.
    """
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH * len(ratios), HEIGHT), "white")
    pen = ImageDraw.Draw(image)
    for position, (unit_type, values) in enumerate(ratios.items()):
        _histogram(pen, position * WIDTH, unit_type, values)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _histogram(pen: Any, x0: int, unit_type: str, values: np.ndarray) -> None:
    low, high = min(0.0, float(values.min())), max(2.0, float(values.max()) * 1.05)
    counts, _ = np.histogram(values, bins=BARS, range=(low, high))
    floor, ceiling = HEIGHT - BOTTOM, TOP
    width = (WIDTH - LEFT - 12) / BARS

    def across(ratio: float) -> float:
        return x0 + LEFT + (ratio - low) / (high - low) * width * BARS

    pen.text((x0 + LEFT, 6), f"{unit_type}: calibrated / initial weight, {len(values)} respondents", fill=INK)
    for share in (0.5, 1.0):
        y = floor - share * (floor - ceiling)
        pen.line([(x0 + LEFT, y), (x0 + WIDTH - 12, y)], fill=GRID)
        pen.text((x0 + 6, y - 5), f"{share * counts.max():.0f}", fill=INK)
    for number, count in enumerate(counts):
        left = x0 + LEFT + number * width
        top = floor - count / counts.max() * (floor - ceiling)
        if count:
            pen.rectangle([(left + 1, top), (left + width - 1, floor)], fill=FILL)
    pen.line([(across(1.0), ceiling), (across(1.0), floor)], fill=ONE, width=2)
    pen.line([(x0 + LEFT, floor), (x0 + WIDTH - 12, floor)], fill=INK)
    for ratio in np.arange(np.ceil(low * 2) / 2, high + 1e-9, 0.5 if high - low <= 5 else 2.0):
        pen.text((across(float(ratio)) - 8, floor + 6), f"{ratio:g}", fill=INK)


def _ratio_record(unit_type: str, ratios: np.ndarray, distances: Mapping[str, float]) -> dict[str, Any]:
    quantiles = np.quantile(ratios, QUANTILES)
    names = ["min", *(f"p{share * 100:g}" for share in QUANTILES[1:-1]), "max"]
    told = {name: round(float(value), 4) for name, value in zip(names, quantiles, strict=True)}
    return {
        "unit_type": unit_type,
        "respondents": len(ratios),
        "distance": round(distances[unit_type], 4),
        **told,
        "spread": round(float(ratios.std()), 4),
    }


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row with numbers that can be read: four decimals at most."""
    return {str(k): round(float(v), 4) if isinstance(v, float) else v for k, v in row.items()}


def _table(records: list[dict[str, Any]]) -> Any:
    import dagster as dg

    return dg.MetadataValue.table([dg.TableRecord(record) for record in records])
