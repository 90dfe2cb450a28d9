"""Figures of the benchmark, kept part by part: JSON to compare, a table to read, a plot to look at.

A figure without something to compare it with says little of another machine: each has a peer or a floor,
measured in the same part, and the ratio to it. What does not belong here: measuring.
"""

import json
import os
import platform
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Literal

from asco_testing.benchmarks.measuring import Cost


@dataclass(frozen=True)
class Figure:
    """One measured thing.

    Attributes:
        what: what was done, in plain words.
        wall: seconds, None where only a number is reported.
        processor: seconds of processor, all processes.
        resident: MiB, sum of resident sets.
        proportional: MiB, sum of proportional sets.
        against: the peer or floor of the same part.
        ratio: how many times the peer or floor this is (or it is this, as ``against`` says).
        bound: what it is held to, as text.
        holds: whether it does; None where nothing is asked.
        note: how it was measured, where that needs a word.
    """

    what: str
    wall: float | None = None
    processor: float | None = None
    resident: float | None = None
    proportional: float | None = None
    against: str = ""
    ratio: float | None = None
    bound: str = ""
    holds: bool | None = None
    note: str = ""


def figure(
    what: str,
    cost: Cost,
    *,
    against: tuple[str, float] | None = None,
    wall_at_most: float | None = None,
    memory_at_most: float | None = None,
    note: str = "",
) -> Figure:
    """A figure of a command's cost.

    Args:
        what: what was done.
        cost: what it cost.
        against: name and seconds of the peer or floor.
        wall_at_most: seconds that it is held to.
        memory_at_most: MiB (proportional) that it is held to.
        note: how it was measured.
    """
    bounds = [f"≤ {wall_at_most:g} s"] if wall_at_most else []
    bounds += [f"≤ {memory_at_most:g} MiB"] if memory_at_most else []
    holds = (not wall_at_most or cost.wall <= wall_at_most) and (
        not memory_at_most or cost.proportional <= memory_at_most
    )
    return Figure(
        what,
        cost.wall,
        cost.processor,
        cost.resident,
        cost.proportional,
        against[0] if against else "",
        cost.wall / against[1] if against and against[1] else None,
        ", ".join(bounds),
        holds if bounds else None,
        note,
    )


def keep(folder: Path, part: str, figures: list[Figure]) -> None:
    """Keep a part's figures, replacing its former ones, and write table, JSON and plot of all parts anew."""
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    told = {"part": part, "machine": _machine(), "figures": [asdict(one) for one in figures]}
    (folder / "parts" / f"{part}.json").write_text(json.dumps(told, indent=1, ensure_ascii=False))
    parts = [json.loads(path.read_text()) for path in sorted((folder / "parts").glob("*.json"))]
    (folder / "results.json").write_text(json.dumps(parts, indent=1, ensure_ascii=False))
    (folder / "results.md").write_text(_table(parts))
    (folder / "results.svg").write_text(_plot(parts))


def _machine() -> dict[str, object]:
    load = round(os.getloadavg()[0], 1)
    return {"processors": os.cpu_count(), "python": platform.python_version(), "load before the end": load}


HEAD = ["what", "wall s", "CPU s", "PSS MiB", "RSS MiB", "against", "ratio", "bound", "holds"]


def _table(parts: list[dict]) -> str:
    lines = ["# Benchmark", "", "Wall time tells of the neighbours too: see the load beside each part.", ""]
    for part in parts:
        machine = ", ".join(f"{name} {value}" for name, value in part["machine"].items())
        lines += [f"## {part['part']}", "", machine, "", _row(HEAD), _row(["---"] * len(HEAD))]
        lines += [_row(_cells(one)) for one in part["figures"]]
        lines += ["", *(f"- {one['what']}: {one['note']}" for one in part["figures"] if one["note"]), ""]
    return "\n".join(lines)


def _cells(one: dict) -> list[str]:
    numbers = [_number(one[name]) for name in ("wall", "processor", "proportional", "resident")]
    ratio = "" if one["ratio"] is None else f"{one['ratio']:.3g}"
    holds = {None: "", True: "yes", False: "NO"}[one["holds"]]
    return [one["what"], *numbers, one["against"], ratio, one["bound"], holds]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


LINE, LEFT, WIDTH = 18, 430, 420


def _plot(parts: list[dict]) -> str:
    """Wall seconds of every figure as bars, on one scale for each part."""
    drawn, y = [], 10
    for part in parts:
        timed = [one for one in part["figures"] if one["wall"] is not None]
        longest = max((one["wall"] for one in timed), default=0.0)
        drawn.append(_text(4, y + 12, part["part"], "bold"))
        y += LINE
        for one in timed:
            colour: Literal["#b3261e", "#2f6f9f"] = "#b3261e" if one["holds"] is False else "#2f6f9f"
            length = WIDTH * one["wall"] / longest if longest else 0
            drawn.append(f'<rect x="{LEFT}" y="{y + 2}" width="{length:.1f}" height="12" fill="{colour}"/>')
            drawn.append(_text(16, y + 12, one["what"][:64]))
            drawn.append(_text(int(LEFT + length + 4), y + 12, f"{_number(one['wall'])} s"))
            y += LINE
        y += LINE // 2
    size = f'width="{LEFT + WIDTH + 70}" height="{y}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">'
    return f"{head}{''.join(drawn)}</svg>\n"


def _text(x: int, y: int, text: str, weight: str = "normal") -> str:
    return f'<text x="{x}" y="{y}" font-weight="{weight}">{escape(text)}</text>'
