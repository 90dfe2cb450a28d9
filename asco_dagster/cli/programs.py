"""``asco dagster``, ``asco dg`` and ``asco dbt``: programs with the environment of the home."""

import typer

from asco_dagster.cli.arguments import PassedOn, WaveName, home
from asco_dagster.operations.services.programs import run_program
from asco_dagster.operations.wave_run import only_run
from asco_dagster.orchestration.dbt_run import run_command
from asco_dagster.waves import load_wave


def dagster(arguments: PassedOn) -> None:
    """Run Dagster's command line on this home.

    Example: asco dagster -- asset list
    """
    raise typer.Exit(run_program("dagster", arguments, *home()))


def dg(arguments: PassedOn) -> None:
    """Run Dagster's dg command line on this home.

    Example: asco dg -- list defs
    """
    raise typer.Exit(run_program("dg", arguments, *home()))


def dbt(wave: WaveName, arguments: PassedOn) -> None:
    """Run dbt on the database of a wave.

    Example: asco dbt 2014 -- build --select staging
    """
    _, places = home()
    loaded = load_wave(wave)
    with only_run(places, wave):
        raise typer.Exit(run_command(arguments, wave=loaded, places=places))
