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
        Path, typer.Option("--new-key-file", help="File whose first line is the new key; it is not kept.")
    ],
) -> None:
    """Encrypt the waves' databases with a new key; ASCO_DATABASE_KEY is the former one, if there was one."""
    from asco_dagster.errors import ConfigurationError
    from asco_dagster.operations.key_rotation import rotate_database_key
    from asco_dagster.places import Places
    from asco_dagster.settings import Settings
    from asco_dagster.shared_store.held import hold
    from asco_dagster.waves import wave_names

    settings = Settings.from_environment()
    if not new_key.is_file():
        raise ConfigurationError(f"there is no file {new_key}", remedy="Name the file of the new key")
    lines = new_key.read_text(encoding="utf-8").splitlines()
    places = Places.of(settings)
    with ExitStack() as owned:
        command = "asco rotate-key"
        held = [owned.enter_context(hold(settings, places, wave, command)) for wave in wave_names()]
        waves = rotate_database_key(settings, places, lines[0].strip() if lines else "")
        for own in filter(None, held):
            own.keep()
    typer.echo(f"{len(waves)} databases are written anew. From now on ASCO_DATABASE_KEY is the new key.")
    raise typer.Exit(0)


@rotate_key.command()
def pseudonym() -> None:
    """Make a new key of the units' pseudonyms; every wave must then run again, to the same release."""
    from asco_dagster.operations.key_rotation import rotate_pseudonym_key
    from asco_dagster.places import Places
    from asco_dagster.settings import Settings

    settings = Settings.from_environment()
    waves = rotate_pseudonym_key(settings, Places.of(settings))
    again = f" Run again, whole: asco run {' '.join(waves)}" if waves else ""
    typer.echo(f"The key of the pseudonyms is new; the former one is gone.{again}")
    raise typer.Exit(0)
