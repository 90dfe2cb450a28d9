"""The page of a wave's history among its quality pages: this wave's runs beside those of the other waves.

A run in which nothing changed judges nothing again, so it has no line.
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from asco_dagster.durable import make_folder, write_whole
from asco_dagster.gates.history import chart
from asco_dagster.gates.history.store import (
    Judgement,
    Observation,
    Value,
    figures,
    judgements,
    observations,
)
from asco_dagster.layers import LAYERS, layer_of

PAGE = "history.html"
_TEMPLATES = Path(__file__).parent
_STYLES = _TEMPLATES.parent / "data_docs" / "styles.css"


def write_history_page(waves: Path, quality: Path, wave: str) -> Path:
    """Write the page of a wave's history among its quality pages.

    Args:
        waves: the folder of all waves' working folders.
        quality: folder of the wave's quality pages.
        wave: the wave.

    Returns:
        The page.
    """
    observed = observations(waves)
    gates = {
        asset: _gate(asset, known, observed.get(asset, {})) for asset, known in judgements(waves).items()
    }
    page = _template().render(
        wave=wave,
        layers={layer: [gates[asset] for asset in gates if layer_of(asset) == layer] for layer in LAYERS},
        figures=[
            {"name": name, "picture": figure_picture(name, values), "latest": _latest(values), "runs": values}
            for name, values in figures(waves).items()
        ],
        styles=_STYLES.read_text(encoding="utf-8"),
        written=written,
    )
    make_folder(quality)
    target = quality / PAGE
    write_whole(target, page)
    return target


def written(value: float) -> str:
    """A figure as it is written: whole numbers whole, others to four decimals."""
    return f"{value:,.0f}" if value == round(value) else f"{value:,.4f}"


def _gate(
    asset: str, known: Sequence[Judgement], observed: Mapping[str, Sequence[Observation]]
) -> dict[str, Any]:
    """A gate as the page shows it: the numbers of its table with their limits, and how many failed."""
    waves = by_wave(known)
    rows = {wave: [float(one.rows) for one in found] for wave, found in waves.items()}
    failed = {wave: [float(one.failed) for one in found] for wave, found in waves.items()}
    return {
        "asset": asset,
        "rows": chart.lines("rows judged", rows),
        "failed": chart.lines("expectations that failed", failed),
        "observed": [observed_picture(what, values) for what, values in observed.items()],
        "latest": [found[-1] for found in waves.values()],
        "judgements": list(reversed(known)),
    }


def figure_picture(name: str, values: Sequence[Value]) -> str:
    """A key figure drawn over the runs of each wave, as SVG."""
    drawn = {wave: [one.value for one in known] for wave, known in by_wave(values).items()}
    whole = all(value == round(value) for known in drawn.values() for value in known)
    return chart.lines(name, drawn, ",.0f" if whole else ",.4f")


def observed_picture(what: str, values: Sequence[Observation]) -> str:
    """What an expectation observed over the runs of each wave, with the limits of today, as SVG."""
    drawn = {wave: [one.value for one in known] for wave, known in by_wave(values).items()}
    last = [known[-1] for known in by_wave(values).values()]
    limits = [limit for one in last for limit in (one.low, one.high) if limit is not None]
    whole = all(value == round(value) for value in [*limits, *(one.value for one in values)])
    return chart.lines(what, drawn, ",.0f" if whole else ",.4g", limits)


def _latest(values: Sequence[Value]) -> list[Value]:
    return [known[-1] for known in by_wave(values).values()]


def by_wave(known: Sequence[Any]) -> Mapping[str, list[Any]]:
    """Judgements or values by wave, in the order in which they came."""
    found: dict[str, list[Any]] = {}
    for one in known:
        found.setdefault(one.wave, []).append(one)
    return found


@functools.cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2")
