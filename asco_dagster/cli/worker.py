"""``asco worker``: executes runs from Redis until Ctrl-C."""

from typing import Annotated

import typer

from asco_dagster.cli.arguments import home
from asco_dagster.operations.services.workers.worker import work


def worker(
    runs: Annotated[int, typer.Option(help="Number of waves to run at once.", min=1)] = 1,
    name: Annotated[str | None, typer.Option(help="Name of the worker, if a machine has several.")] = None,
) -> None:
    """Execute runs of an asco up on another machine (ASCO_BROKER_URL, ASCO_STORE, ASCO_POSTGRES_URL).

    Example: asco worker --runs 2
    """
    work(*home(), name=name, runs=runs)
