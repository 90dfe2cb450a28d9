"""``asco prune``: deletes superseded runs from the history."""

from typing import Annotated

import typer

from asco_dagster.cli.arguments import home
from asco_dagster.operations.instance import mark_dead_runs, open_instance
from asco_dagster.operations.upkeep import pruning


def prune(
    keep: Annotated[
        int, typer.Option(help="Number of newest runs to keep for each wave.", min=1, show_default=False)
    ],
) -> None:
    """Delete superseded runs with their events, logs and history; never a release.

    Example: asco prune --keep 20
    """
    settings, places = home()
    with open_instance(settings, places) as instance:
        mark_dead_runs(instance)
        typer.echo(str(pruning.prune(instance, settings, places, keep)))
