"""``asco status``: prints each wave's last run, gates and release."""

from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.table import Table

from asco_dagster.cli.arguments import AsJson, console, home, print_json
from asco_dagster.gates.results import shortened
from asco_dagster.operations.instance import open_instance
from asco_dagster.operations.monitoring.metrics import exposition
from asco_dagster.operations.monitoring.overview import STATES, LastRun, WaveStatus, overview


def status(
    json_: AsJson = False,
    metrics: Annotated[
        bool, typer.Option("--metrics", help="Print in Prometheus's text format, with rows and seconds.")
    ] = False,
) -> None:
    """Show each wave: its last run, its gates, its latest release, the version that waits.

    Example: asco status --json
    """
    settings, places = home()
    if metrics:
        with open_instance(settings, places) as instance:
            typer.echo(exposition(instance, places).decode(), nl=False)
        return
    waves = overview(settings, places)
    if json_:
        print_json([wave.as_json() for wave in waves])
    else:
        _show(waves)


def _show(waves: list[WaveStatus]) -> None:
    names = ("wave", "last run", "started (UTC)", "took", "gates", "release", "released (UTC)")
    table = Table(*names, box=SIMPLE, pad_edge=False)
    for wave in waves:
        started, released = _minute(wave.run.start if wave.run else None), _minute(wave.released_at)
        last = wave.run.status.lower() if wave.run else "never"
        gates = ", ".join(f"{wave.count(state)} {state}" for state in STATES if wave.count(state)) or "none"
        table.add_row(wave.wave, last, started, _duration(wave.run), gates, wave.release or "–", released)
    shown = console()
    shown.print(table)
    for wave in waves:
        for asset, state in wave.gates.items():
            if state in {"failed", "warned"}:
                shown.print(f"{wave.wave}: gate of {asset} {state}", highlight=False)
        if wave.candidate is not None:
            why = f"{wave.candidate.version} waits for approval: {wave.candidate.differences}"
            shown.print(f"{wave.wave}: {why}\n{wave.wave}: {wave.candidate.command}", highlight=False)
        for why in shortened(wave.unjudged.values()):
            shown.print(f"{wave.wave}: {why}", highlight=False)


def _minute(instant: str | None) -> str:
    """An ISO instant to the minute."""
    return instant[:16].replace("T", " ") if instant else "–"


def _duration(run: LastRun | None) -> str:
    if run is None or run.seconds is None:
        return "–"
    minutes, seconds = divmod(round(run.seconds), 60)
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
