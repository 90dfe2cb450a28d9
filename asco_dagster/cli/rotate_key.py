"""``asco rotate-key``: replaces the key of the databases or of the pseudonyms."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from asco_dagster.cli.arguments import home
from asco_dagster.errors import ConfigurationError
from asco_dagster.operations.upkeep.key_rotation import rotate_database_key, rotate_pseudonym_key
from asco_dagster.storage.keys import read_key
from asco_dagster.storage.shared_store.held import hold
from asco_dagster.waves import wave_names

rotate_key = typer.Typer(
    name="rotate-key", help="Replace the key of the databases or of the pseudonyms.", no_args_is_help=True
)


@rotate_key.command()
def database(
    new_key: Annotated[
        Path, typer.Option("--new-key-file", help="File (mode 0600) whose first line is the new key.")
    ],
) -> None:
    """Encrypt the waves' databases with a new key; ASCO_DATABASE_KEY is the current one, if any.

    Example: asco rotate-key database --new-key-file new.key
    """
    settings, places = home()
    key = _first_line(new_key)
    with ExitStack() as owned:
        held = [owned.enter_context(hold(settings, places, wave, "asco rotate-key")) for wave in wave_names()]
        waves = rotate_database_key(settings, places, key)
        for one in filter(None, held):
            one.upload()
    typer.echo(f"{len(waves)} databases encrypted with the new key. Set ASCO_DATABASE_KEY to it now.")


@rotate_key.command()
def pseudonym() -> None:
    """Create a new key for the units' pseudonyms; every wave must then run again, to the same release.

    Example: asco rotate-key pseudonym
    """
    waves = rotate_pseudonym_key(*home())
    again = f" Rebuild the waves: asco run {' '.join(waves)}" if waves else ""
    typer.echo(f"New key of the pseudonyms created, the former one deleted.{again}")


def _first_line(file: Path) -> str:
    try:
        return read_key(file).decode().splitlines()[0].strip()
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"the key {file} is not text", remedy="Write it as text, for example in hexadecimal"
        ) from error
