"""``asco questionnaire``: writes the blank workbook of a questionnaire, and its DDI description."""

from pathlib import Path
from typing import Annotated

import typer

from asco_dagster.cli.arguments import WaveName
from asco_dagster.errors import ConfigurationError
from asco_dagster.waves import load_wave
from asco_dagster.waves.form import UnitType

questionnaire = typer.Typer(
    name="questionnaire",
    help="Write the blank workbook of a questionnaire, or its DDI description.",
    no_args_is_help=True,
)

UnitName = Annotated[UnitType, typer.Argument(metavar="UNIT", help="Who answers: commune or epci.")]
Target = Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.")]


@questionnaire.command()
def build(
    wave: WaveName,
    unit: UnitName,
    out: Target,
    unit_code: Annotated[
        str | None, typer.Option(help="INSEE code or SIREN of the unit, stored in the hidden sheet.")
    ] = None,
) -> None:
    """Write the blank Excel questionnaire.

    Example: asco questionnaire build 2014 commune questionnaire.xlsx
    """
    from asco_dagster.questionnaires.workbook import build_workbook  # pandas

    _write(out, build_workbook(load_wave(wave), unit, unit_code))


@questionnaire.command()
def ddi(wave: WaveName, unit: UnitName, out: Target) -> None:
    """Write the questionnaire's description as DDI Codebook 2.5 (XML).

    Example: asco questionnaire ddi 2014 commune questionnaire.xml
    """
    from asco_dagster.questionnaires.ddi import ddi_codebook  # pandas

    _write(out, ddi_codebook(load_wave(wave), unit))


def _write(out: Path, content: bytes) -> None:
    if not out.parent.is_dir():
        raise ConfigurationError(f"not found: folder {out.parent}", remedy="Create it, or name another file")
    out.write_bytes(content)
    typer.echo(f"{out} ({len(content):,} bytes)")
