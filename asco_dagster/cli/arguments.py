"""Arguments that several commands share, and the home they work on."""

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console

from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places

WaveName = Annotated[str, typer.Argument(metavar="WAVE", help="The wave, for example 2014.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
PassedOn = Annotated[list[str], typer.Argument(metavar="-- ARGUMENTS...", help="Arguments of the program.")]


_PIPE = 10_000  # columns: more than any table has


def home() -> tuple[Settings, Places]:
    """Settings of the environment, and the home they name."""
    settings = Settings.from_environment()
    return settings, Places.of(settings)


def print_json(content: Any) -> None:
    """Print rows or an object as indented JSON, accents as they are."""
    typer.echo(json.dumps(content, ensure_ascii=False, indent=2))


def console() -> Console:
    """Where tables are printed: as wide as the terminal, and without wrapping into a file or a pipe."""
    return Console(width=None if sys.stdout.isatty() else _PIPE)
