"""``asco backup`` and ``asco restore``."""

from pathlib import Path
from typing import Annotated

import typer

from asco_dagster.cli.arguments import home
from asco_dagster.errors import ConfigurationError
from asco_dagster.operations.upkeep import backup as archives

Keys = Annotated[Path | None, typer.Option(help="Archive of the keys, kept apart from the backup.")]


def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The archive to write.")],
    keys: Keys = None,
) -> None:
    """Write run history, waves and releases into one confidential file.

    Example: asco backup /srv/backups/asco.tar --keys /srv/keys/asco-keys.tar
    """
    count = archives.backup(*home(), target, keys)
    typer.echo(f"{count} files and the run history saved to {target}")
    if keys is None:
        typer.echo("The keys are not in it; --keys FILE saves them to a separate archive.")


def restore(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="The archive to read.")],
    keys: Keys = None,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Accept a backup whose signature cannot be checked.")
    ] = False,
) -> None:
    """Create a new home from a backup; everything is checked before anything is written into it.

    Example: ASCO_HOME=/srv/new asco restore /srv/backups/asco.tar --keys /srv/keys/asco-keys.tar
    """
    for path in filter(None, (source, keys)):
        if not path.is_file():
            raise ConfigurationError(f"not found: {path}", remedy="Name the file that asco backup wrote")
    settings, places = home()
    count = archives.restore(settings, places, source, keys, unverified=unverified)
    typer.echo(f"{count} files and the run history restored to {settings.home}")
