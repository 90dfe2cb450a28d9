"""``asco purge``: deletes the raw data of a wave once their retention has ended."""

import datetime as dt
from typing import Annotated

import typer

from asco_dagster.cli.arguments import WaveName, home
from asco_dagster.errors import ConfigurationError
from asco_dagster.operations.upkeep import purge as purging
from asco_dagster.storage.shared_store.held import hold
from asco_dagster.storage.shared_store.inbox import remove_purged
from asco_dagster.waves import load_wave


def purge(
    wave: WaveName,
    yes: Annotated[bool, typer.Option("--yes", help="Delete; without it nothing is deleted.")] = False,
) -> None:
    """Delete a wave's raw data once their retention has ended; releases and a record remain.

    Example: asco purge 2014
    """
    settings, places = home()
    loaded = load_wave(wave)
    if not yes:
        raise ConfigurationError(
            f"this deletes the raw data of wave {wave} for good", remedy="Confirm with --yes"
        )
    with hold(settings, places, wave, "asco purge") as held:
        deleted = purging.purge(loaded, places, dt.datetime.now().astimezone().date())
        if held is not None:
            held.upload()
            remove_purged(held.store, wave, places.inbox(wave))
    typer.echo(
        f"wave {wave}: deleted {len(deleted['deliveries'])} deliveries, {deleted['quarantined files']} "
        f"quarantined files, {deleted['downloads']} downloads and {len(deleted['tables'])} tables; "
        f"record in {places.records}"
    )
