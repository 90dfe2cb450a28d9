"""``asco purge``: the end of a wave's raw data. The work is in ``operations/purge.py``."""

import datetime as dt
from typing import Annotated

import typer


def purge(
    wave: Annotated[str, typer.Argument(help="The wave.")],
    yes: Annotated[bool, typer.Option("--yes", help="Delete; without it nothing is done.")] = False,
) -> None:
    """Delete a wave's raw data once their retention is over; its releases stay, and a record is kept."""
    from asco_dagster.errors import ConfigurationError
    from asco_dagster.operations.purge import purge as delete
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places
    from asco_dagster.storage.shared_store.held import hold
    from asco_dagster.storage.shared_store.inbox import remove_purged
    from asco_dagster.waves import load_wave

    settings = Settings.from_environment()
    places = Places.of(settings)
    asked = load_wave(wave)
    if not yes:
        raise ConfigurationError(
            f"the raw data of wave {wave} would be deleted for good", remedy="Say so with --yes"
        )
    with hold(settings, places, wave, "asco purge") as held:
        told = delete(asked, places, dt.datetime.now().astimezone().date())
        if held is not None:
            held.keep()
            remove_purged(held.store, wave, places.inbox(wave))
    typer.echo(
        f"wave {wave}: {len(told['deliveries'])} deliveries, {told['quarantined files']} quarantined files, "
        f"{told['downloads']} downloads and {len(told['tables'])} tables are gone; see {places.records}"
    )
    raise typer.Exit(0)
