"""``asco up``: the UI and everything it needs, until Ctrl-C. The work is in ``operations/servers.py``."""

from typing import Annotated

import typer


def up(
    host: Annotated[
        str, typer.Option(help="Address to bind to; 127.0.0.1 is this machine only.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port of the UI; the quality pages take the next.", min=1, max=65534)
    ] = 3000,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Pages that show everything and start or change nothing.")
    ] = False,
) -> None:
    """Start PostgreSQL, the Dagster UI and daemon, and the quality pages; Ctrl-C stops them all."""
    from asco_dagster.operations.servers import serve
    from asco_dagster.operations.structured_log import teller
    from asco_dagster.operations.workers.worker import require_broker
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places

    settings = Settings.from_environment()
    places = Places.of(settings)
    if settings.broker_url is not None:
        require_broker(settings.broker_url)
    raise typer.Exit(
        serve(settings, places, host=host, port=port, read_only=read_only, say=teller(settings, _say))
    )


def _say(line: str) -> None:
    # Flushed, since the output may be a file that somebody watches.
    print(line, flush=True)
