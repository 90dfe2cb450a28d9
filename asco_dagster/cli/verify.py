"""``asco verify``: checks a release folder on its own."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from asco_dagster.cli.arguments import AsJson, print_json
from asco_dagster.releases.verify import examine


def verify(
    release: Annotated[Path, typer.Argument(metavar="RELEASE_DIR", help="A release folder.")],
    public_key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Public key (PEM) with which the manifest must be signed."),
    ] = None,
    json_: AsJson = False,
) -> None:
    """Check signature, hashes, schema and disclosure of a release folder.

    Exit code: 0 valid, 1 not valid.

    Example: asco verify releases/2014/latest --public-key asco.pem
    """
    found = examine(release, public_key)
    if json_:
        print_json({"release": str(release), "valid": not found.faults, **asdict(found)})
        raise typer.Exit(1 if found.faults else 0)
    for fault in found.faults:
        typer.echo(f"asco: {fault}", err=True)
    if found.faults:
        typer.echo("asco: the release is not valid. Download it again from its source.", err=True)
        raise typer.Exit(1)
    figures = found.figures
    typer.echo(
        f"{release}: {'signature, ' if public_key else ''}hashes, schema and disclosure hold "
        f"({figures['systems']} systems of tables attacked, {figures['suppressed']} suppressed numbers, "
        f"{figures['exact']} recomputed, {figures['answers']} answers certain)"
    )
