"""``asco demo``: writes demonstration deliveries in the publishers' formats."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.shared_store.inbox import deliver
from asco_dagster.storage.shared_store.objects import Store
from asco_dagster.waves import load_wave


def demo(
    wave: Annotated[str, typer.Option(help="The wave.")] = "2014",
    scale: Annotated[float, typer.Option(help="Share of the true sample size; 1 is the true size.")] = 1.0,
    seed: Annotated[int | None, typer.Option(help="Random seed; by default that of the wave.")] = None,
    real: Annotated[
        Path | None,
        typer.Option(help="Folder of the publishers' real files, to deliver with generated returns."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Write over files that the demonstration did not write.")
    ] = False,
) -> None:
    """Write demonstration deliveries (invented data) into the inbox of a wave.

    Example: asco demo --wave 2014 --scale 0.05
    """
    from asco_dagster.demonstration.deliveries import write_deliveries  # pandas

    settings = Settings.from_environment()
    places = Places(settings.home)  # also with a store, the inbox of this home
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task(f"Deliveries of wave {wave}")

        def show(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        files = write_deliveries(
            load_wave(wave),
            places=places,
            scale=scale,
            seed=seed,
            real=real,
            overwrite=overwrite,
            progress=show,
        )
    typer.echo(f"{len(files)} files of wave {wave} written to {places.inbox(wave)}")
    if settings.store is not None:
        sent = deliver(Store(settings.store), wave, places.inbox(wave))
        typer.echo(f"{len(sent)} files copied to the inbox of {settings.store}")
