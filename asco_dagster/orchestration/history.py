"""History on Dagster's pages: in the metadata of a gate and of the quality report.

Each shows the latest runs of this wave and the last run of each other wave; the wave's page of history
(``gates.history.page``) shows all.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from asco_dagster.gates.history import chart
from asco_dagster.gates.history.page import by_wave, figure_picture, written
from asco_dagster.gates.history.store import Judgement, figures, judgements

SHOWN = 10  # latest runs of a wave in the tables of Dagster's pages


def gate_history(waves: Path, asset: str, wave: str) -> dict[str, dg.MetadataValue]:
    """History of a gate as metadata of its check.

    Args:
        waves: the folder of all waves' working folders.
        asset: of the gate.
        wave: whose latest runs are listed; of each other wave only the last.
    """
    known = judgements(waves, asset).get(asset)
    if not known:
        return {}
    drawn = {name: [float(one.rows) for one in runs] for name, runs in by_wave(known).items()}
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
        chart.as_markdown(figure_picture(name, known[name]), f"{name}, run after run")
        for name in drawn
        if name in known
    ]
    return {
        "key figures over runs and waves": dg.MetadataValue.table(records),
        "key figures, drawn": dg.MetadataValue.md("\n\n".join(pictures)),
    }


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


def _chosen(known: Sequence[Any], wave: str) -> list[Any]:
    """The latest of this wave, newest first, then the last one of each other wave."""
    runs = by_wave(known)
    others = [found[-1] for name, found in runs.items() if name != wave]
    return [*reversed(runs.get(wave, [])[-SHOWN:]), *others]
