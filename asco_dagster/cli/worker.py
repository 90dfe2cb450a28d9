"""``asco worker``: take runs from Redis until Ctrl-C. The work is in ``workers/``."""

from typing import Annotated

import typer


def worker(
    runs: Annotated[int, typer.Option(help="How many waves this machine runs at once.", min=1)] = 1,
    name: Annotated[str | None, typer.Option(help="Name of the worker, where a machine has several.")] = None,
) -> None:
    """Run waves for an “asco up” elsewhere: with ASCO_BROKER_URL, ASCO_STORE and ASCO_POSTGRES_URL."""
    from asco_dagster.operations.workers.worker import work
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places

    settings = Settings.from_environment()
    work(settings, Places.of(settings), name=name, runs=runs)
