"""Arguments that several commands share, and the home they work on."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places

WaveName = Annotated[str, typer.Argument(metavar="WAVE", help="The wave, for example 2014.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
PassedOn = Annotated[list[str], typer.Argument(metavar="-- ARGUMENTS...", help="Arguments of the program.")]


def home() -> tuple[Settings, Places]:
    """Settings of the environment, and the home they name."""
    settings = Settings.from_environment()
    return settings, Places.of(settings)


def print_json(rows: Sequence[Any]) -> None:
    """Print rows as indented JSON, accents as they are."""
    typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
