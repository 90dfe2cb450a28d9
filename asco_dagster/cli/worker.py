"""``asco worker``: take runs from Redis until Ctrl-C. The work is in ``workers/``."""

from typing import Annotated

import typer


def worker(
    runs: Annotated[int, typer.Option(help="How many waves this machine runs at once.", min=1)] = 1,
    name: Annotated[str | None, typer.Option(help="Name of the worker, where a machine has several.")] = None,
) -> None:
    """Run waves for an “asco up” elsewhere: with ASCO_BROKER_URL, ASCO_STORE and ASCO_POSTGRES_URL."""
    from asco_dagster.places import Places
    from asco_dagster.settings import Settings
    from asco_dagster.workers.worker import work

    settings = Settings.from_environment()
    work(settings, Places.of(settings), name=name, runs=runs)
