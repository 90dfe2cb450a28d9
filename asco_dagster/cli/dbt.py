"""``asco dbt``: dbt on a wave's database, with the wave's values; see ``orchestration/dbt_run.py``."""

from typing import Annotated

import typer


def dbt(
    wave: Annotated[str, typer.Argument(help="The wave.")],
    arguments: Annotated[list[str], typer.Argument(metavar="-- ARGUMENTS...", help="Those of dbt.")],
) -> None:
    """Run dbt for a wave, for example: asco dbt 2014 -- build --select staging; exits as dbt does."""
    from asco_dagster.operations.wave_run import only_run
    from asco_dagster.orchestration.dbt_run import run_command
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places
    from asco_dagster.waves import load_wave

    places, asked = Places.of(Settings.from_environment()), load_wave(wave)
    with only_run(places, wave):
        raise typer.Exit(run_command(arguments, wave=asked, places=places))
