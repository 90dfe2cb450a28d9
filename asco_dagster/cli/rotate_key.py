"""``asco rotate-key``: new keys for old. The work is in ``operations/key_rotation.py``."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

rotate_key = typer.Typer(
    name="rotate-key",
    help="Replace the key of the databases, or that of the pseudonyms.",
    no_args_is_help=True,
)


@rotate_key.command()
def database(
    new_key: Annotated[
        Path,
        typer.Option("--new-key-file", help="File (mode 0600) whose first line is the new key."),
    ],
) -> None:
    """Encrypt the waves' databases with a new key; ASCO_DATABASE_KEY is the former one, if there was one."""
    from asco_dagster.operations.key_rotation import rotate_database_key
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places
    from asco_dagster.storage.shared_store.held import hold
    from asco_dagster.waves import wave_names

    settings = Settings.from_environment()
    key = _text(new_key)
    places = Places.of(settings)
    with ExitStack() as owned:
        command = "asco rotate-key"
        held = [owned.enter_context(hold(settings, places, wave, command)) for wave in wave_names()]
        waves = rotate_database_key(settings, places, key)
        for own in filter(None, held):
            own.keep()
    typer.echo(f"{len(waves)} databases are written anew. From now on ASCO_DATABASE_KEY is the new key.")
    raise typer.Exit(0)


@rotate_key.command()
def pseudonym() -> None:
    """Make a new key of the units' pseudonyms; every wave must then run again, to the same release."""
    from asco_dagster.operations.key_rotation import rotate_pseudonym_key
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places

    settings = Settings.from_environment()
    waves = rotate_pseudonym_key(settings, Places.of(settings))
    again = f" Run again, whole: asco run {' '.join(waves)}" if waves else ""
    typer.echo(f"The key of the pseudonyms is new; the former one is gone.{again}")
    raise typer.Exit(0)


def _text(file: Path) -> str:
    """The first line of a key file."""
    from asco_dagster.errors import ConfigurationError
    from asco_dagster.storage.keys import read_key

    try:
        return read_key(file).decode().splitlines()[0].strip()
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"the key {file} is no text", remedy="Write it as text, for example in hexadecimal"
        ) from error
