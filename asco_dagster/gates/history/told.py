"""History as people read it: in the metadata of a gate and of the quality report, and as one page a wave.

Each shows this wave's runs and, beside them, what the other waves came to. A run in which nothing changed
judges nothing again, so it has no line. What does not belong here: what is kept (``store``).
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from asco_dagster.durable import make_folder, write_whole
from asco_dagster.gates.history import chart
from asco_dagster.gates.history.store import Judgement, Value, figures, judgements, judgements_of
from asco_dagster.layers import LAYERS, layer_of

PAGE = "history.html"
SHOWN = 10  # latest runs of a wave in the tables of Dagster's pages; the wave's own page has all
_TEMPLATES = Path(__file__).parent
_STYLES = _TEMPLATES.parent / "data_docs" / "styles.css"


def gate_history(waves: Path, asset: str, wave: str) -> dict[str, dg.MetadataValue]:
    """History of a gate as metadata of its check.

    Args:
        waves: the folder of all waves' working folders.
        asset: of the gate.
        wave: whose latest runs are listed; of each other wave only the last.
    """
    known = judgements_of(waves, asset)
    if not known:
        return {}
    drawn = {name: [float(one.rows) for one in own] for name, own in _by_wave(known).items()}
    picture = chart.lines(f"rows judged by gate of {asset}", drawn)
    return {
        "history": dg.MetadataValue.table([_judgement(one) for one in _chosen(known, wave)]),
        "history, drawn": dg.MetadataValue.md(chart.as_markdown(picture, "Rows judged, run after run")),
    }


def figure_history(waves: Path, wave: str, drawn: Sequence[str]) -> dict[str, dg.MetadataValue]:
    """History of the key figures as metadata of the quality report.

    Args:
        waves: the folder of all waves' working folders.
        wave: whose latest runs are listed; of each other wave only the last.
        drawn: figures that are also drawn.
    """
    known = figures(waves)
    if not known:
        return {}
    records = [
        dg.TableRecord(
            {
                "figure": name,
                "wave": one.wave,
                "run": one.run[:8],
                "at": _short(one.at),
                "value": written(one.value),
            }
        )
        for name, values in known.items()
        for one in _chosen(values, wave)
    ]
    pictures = [
        chart.as_markdown(_figure(name, known[name]), f"{name}, run after run")
        for name in drawn
        if name in known
    ]
    return {
        "key figures over runs and waves": dg.MetadataValue.table(records),
        "key figures, drawn": dg.MetadataValue.md("\n\n".join(pictures)),
    }


def write_history_page(waves: Path, quality: Path, wave: str) -> Path:
    """Write the page of a wave's history among its quality pages.

    Args:
        waves: the folder of all waves' working folders.
        quality: folder of the wave's quality pages.
        wave: the wave.

    Returns:
        The page.
    """
    gates = {asset: _gate(asset, known) for asset, known in judgements(waves).items()}
    page = _template().render(
        wave=wave,
        layers={layer: [gates[asset] for asset in gates if layer_of(asset) == layer] for layer in LAYERS},
        figures=[
            {"name": name, "picture": _figure(name, values), "latest": _latest(values), "runs": values}
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


def _gate(asset: str, known: Sequence[Judgement]) -> dict[str, Any]:
    """A gate as the page shows it."""
    own = _by_wave(known)
    rows = {wave: [float(one.rows) for one in told] for wave, told in own.items()}
    failed = {wave: [float(one.failed) for one in told] for wave, told in own.items()}
    return {
        "asset": asset,
        "rows": chart.lines("rows judged", rows),
        "failed": chart.lines("expectations that failed", failed),
        "latest": [told[-1] for told in own.values()],
        "judgements": list(reversed(known)),
    }


def _figure(name: str, values: Sequence[Value]) -> str:
    drawn = {wave: [one.value for one in own] for wave, own in _by_wave(values).items()}
    whole = all(value == round(value) for own in drawn.values() for value in own)
    return chart.lines(name, drawn, ",.0f" if whole else ",.4f")


def _latest(values: Sequence[Value]) -> list[Value]:
    return [own[-1] for own in _by_wave(values).values()]


def _short(instant: str) -> str:
    """An instant to the minute, in UTC: a table with more does not fit the page of a check."""
    return instant[:16].replace("T", " ")


def _judgement(one: Judgement) -> dg.TableRecord:
    share = "" if one.share_unexpected is None else f"{one.share_unexpected:.4%}"
    return dg.TableRecord(
        {
            "wave": one.wave,
            "run": one.run[:8],
            "at": _short(one.at),
            "state": one.state,
            "failed": f"{one.failed} of {one.expectations}",
            "rows": one.rows,
            "unexpected": share,
        }
    )


def _by_wave(known: Sequence[Any]) -> Mapping[str, list[Any]]:
    """Judgements or values by wave, in the order in which they came."""
    found: dict[str, list[Any]] = {}
    for one in known:
        found.setdefault(one.wave, []).append(one)
    return found


def _chosen(known: Sequence[Any], wave: str) -> list[Any]:
    """The latest of this wave, newest first, then the last one of each other wave."""
    own = _by_wave(known)
    others = [told[-1] for name, told in own.items() if name != wave]
    return [*reversed(own.get(wave, [])[-SHOWN:]), *others]


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
