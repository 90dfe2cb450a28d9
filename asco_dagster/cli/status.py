"""``asco status``: each wave's last run, gates and release; they are read in ``operations/overview.py``."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from asco_dagster.operations.overview import LastRun, WaveStatus
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places


def status(
    json_: Annotated[bool, typer.Option("--json", help="Tell it as JSON.")] = False,
    metrics: Annotated[
        bool, typer.Option("--metrics", help="Tell it in Prometheus's text format, with rows and seconds.")
    ] = False,
) -> None:
    """Show each wave: its last run, its gates, its latest release."""
    from asco_dagster.operations.overview import overview
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places

    settings = Settings.from_environment()
    if metrics:
        _metrics(settings, Places.of(settings))
        raise typer.Exit(0)
    waves = overview(settings, Places.of(settings))
    if json_:
        typer.echo(json.dumps([wave.told() for wave in waves], indent=2))
    else:
        _show(waves)
    raise typer.Exit(0)


def _metrics(settings: "Settings", places: "Places") -> None:
    from asco_dagster.operations.instance import open_instance
    from asco_dagster.operations.metrics import exposition

    with open_instance(settings, places) as instance:
        typer.echo(exposition(instance, places).decode(), nl=False)


def _show(waves: "list[WaveStatus]") -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    from asco_dagster.gates.results import shortened

    names = ("wave", "last run", "started (UTC)", "took", "gates", "release", "released (UTC)")
    table = Table(*names, box=SIMPLE, pad_edge=False)
    for wave in waves:
        started, released = _minute(wave.run.start if wave.run else None), _minute(wave.released_at)
        last = wave.run.status.lower() if wave.run else "never"
        table.add_row(
            wave.wave, last, started, _duration(wave.run), _gates(wave), wave.release or "–", released
        )
    console = Console()
    console.print(table)
    for wave in waves:
        for asset, state in wave.gates.items():
            if state in {"failed", "warned"}:
                console.print(f"{wave.wave}: gate of {asset} {state}", highlight=False)
        for why in shortened(wave.unjudged.values()):
            console.print(f"{wave.wave}: {why}", highlight=False)


def _minute(instant: str | None) -> str:
    """An ISO instant to the minute."""
    return instant[:16].replace("T", " ") if instant else "–"


def _duration(run: "LastRun | None") -> str:
    if run is None or run.seconds is None:
        return "–"
    minutes, seconds = divmod(round(run.seconds), 60)
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"


def _gates(wave: "WaveStatus") -> str:
    from asco_dagster.operations.overview import STATES

    return ", ".join(f"{wave.count(state)} {state}" for state in STATES if wave.count(state)) or "none"
