"""``asco deliver``: deliveries into the shared store's inbox (``storage.shared_store.inbox``)."""

from pathlib import Path
from typing import Annotated

import typer

from asco_dagster.errors import ConfigurationError


def deliver(
    wave: Annotated[str, typer.Argument(metavar="WAVE", help="The wave, for example 2014.")],
    inbox: Annotated[
        Path | None,
        typer.Option(help="Folder of the deliveries; by default the home's own inbox."),
    ] = None,
) -> None:
    """Copy deliveries into the inbox that the workers share (ASCO_STORE), where every run takes them from."""
    from asco_dagster.settings import Settings
    from asco_dagster.storage.shared_store.inbox import deliver as send
    from asco_dagster.storage.shared_store.objects import Store
    from asco_dagster.waves import load_wave

    load_wave(wave)
    settings = Settings.from_environment()
    folder = inbox or settings.home / "inbox" / wave
    if settings.store is None:
        raise ConfigurationError("no store is given", remedy="Set ASCO_STORE, or use the home's inbox")
    if not folder.is_dir():
        raise ConfigurationError(
            f"there is no folder {folder}", remedy="Name the folder of the deliveries with --inbox"
        )
    store = Store(settings.store)
    typer.echo(f"{len(send(store, wave, folder))} files for wave {wave} in the inbox of {store.address}")
