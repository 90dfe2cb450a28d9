"""``asco backup`` and ``asco restore``. The work is in ``operations/backup.py``."""

from pathlib import Path
from typing import Annotated

import typer

_KEYS = "File of the keys, kept apart from the backup."


def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The archive to write.")],
    keys: Annotated[Path | None, typer.Option(help=_KEYS)] = None,
) -> None:
    """Write run history, waves and releases into one confidential file."""
    from asco_dagster.operations.backup import backup as write
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places

    settings = Settings.from_environment()
    count = write(settings, Places.of(settings), target, keys)
    typer.echo(f"{count} files and the run history are in {target}")
    if keys is None:
        typer.echo("The keys are not in it: --keys FILE writes them into a file of their own.")
    raise typer.Exit(0)


def restore(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="The archive to read.")],
    keys: Annotated[Path | None, typer.Option(help=_KEYS)] = None,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Take a backup that the home of the keys did not sign.")
    ] = False,
) -> None:
    """Make a new home of a backup; everything is checked before anything is laid into it."""
    from asco_dagster.errors import ConfigurationError
    from asco_dagster.operations.backup import restore as read
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places

    settings = Settings.from_environment()
    for path in filter(None, (source, keys)):
        if not path.is_file():
            raise ConfigurationError(f"there is no file {path}", remedy="Name the backup")
    count = read(settings, Places.of(settings), source, keys, unverified=unverified)
    typer.echo(f"{count} files and the run history are restored into {settings.home}")
    raise typer.Exit(0)
