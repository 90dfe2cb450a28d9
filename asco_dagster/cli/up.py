"""``asco up``: serves the UI until Ctrl-C."""

from typing import Annotated

import typer

from asco_dagster.cli.arguments import home
from asco_dagster.operations.monitoring.structured_log import formatter
from asco_dagster.operations.services.workers.worker import require_broker


def up(
    host: Annotated[
        str, typer.Option(help="Address to bind to; 127.0.0.1 is this machine only.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port of the UI; the quality pages use the next one.", min=1, max=65534)
    ] = 3000,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Serve pages that can start or change nothing.")
    ] = False,
) -> None:
    """Start PostgreSQL, the Dagster UI and daemon, and the quality pages; Ctrl-C stops them all.

    Example: asco up --port 3000
    """
    from asco_dagster.operations.services.servers import serve  # uvicorn

    settings, places = home()
    if settings.broker_url is not None:
        require_broker(settings.broker_url)
    raise typer.Exit(
        serve(settings, places, host=host, port=port, read_only=read_only, say=formatter(settings, _say))
    )


def _say(line: str) -> None:
    print(line, flush=True)  # the output may be a file that somebody watches
