"""``asco prune``: cuts the history of runs back; what goes is said in ``operations/pruning.py``."""

from typing import Annotated

import typer


def prune(
    keep: Annotated[
        int, typer.Option(help="So many of the newest runs of each wave stay.", min=1, show_default=False)
    ],
) -> None:
    """Delete superseded runs with their events, logs and history; never a release."""
    from asco_dagster.operations.instance import mark_dead_runs, open_instance
    from asco_dagster.operations.pruning import prune as delete
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places

    settings = Settings.from_environment()
    places = Places.of(settings)
    with open_instance(settings, places) as instance:
        mark_dead_runs(instance)
        told = delete(instance, settings, places, keep)
    typer.echo(f"{told.runs} runs deleted, {told.kept} kept; {told.freed / 1e6:.1f} MB of logs freed")
    raise typer.Exit(0)
