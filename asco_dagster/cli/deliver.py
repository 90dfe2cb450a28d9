"""``asco deliver``: copies deliveries into the inbox of the shared store."""

from pathlib import Path
from typing import Annotated

import typer

from asco_dagster.cli.arguments import WaveName
from asco_dagster.errors import ConfigurationError
from asco_dagster.settings import Settings
from asco_dagster.storage.shared_store.inbox import deliver as upload
from asco_dagster.storage.shared_store.objects import Store
from asco_dagster.waves import load_wave


def deliver(
    wave: WaveName,
    inbox: Annotated[
        Path | None, typer.Option(help="Folder of the deliveries; by default the inbox of this home.")
    ] = None,
) -> None:
    """Copy deliveries into the inbox that all workers read (ASCO_STORE).

    Example: asco deliver 2014
    """
    load_wave(wave)
    settings = Settings.from_environment()
    folder = inbox or settings.home / "inbox" / wave
    if settings.store is None:
        raise ConfigurationError(
            "ASCO_STORE is not set", remedy="Set it, or put the files into the inbox of the home"
        )
    if not folder.is_dir():
        raise ConfigurationError(
            f"not found: {folder}", remedy="Name the folder of the deliveries with --inbox"
        )
    store = Store(settings.store)
    typer.echo(f"{len(upload(store, wave, folder))} files of wave {wave} copied to {store.address}")
