"""``asco dagster`` and ``asco dg``: Dagster's programs on a home's instance (``operations/programs.py``)."""

from typing import Annotated

import typer

Arguments = Annotated[list[str], typer.Argument(metavar="-- ARGUMENTS...", help="Those of the program.")]


def dagster(arguments: Arguments) -> None:
    """Run Dagster's command line, for example: asco dagster -- asset list; exits as it does."""
    _run("dagster", arguments)


def dg(arguments: Arguments) -> None:
    """Run Dagster's newer command line, for example: asco dg -- list defs; exits as it does."""
    _run("dg", arguments)


def _run(program: str, arguments: list[str]) -> None:
    from asco_dagster.operations.programs import run_program
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places

    settings = Settings.from_environment()
    raise typer.Exit(run_program(program, arguments, settings, Places.of(settings)))
